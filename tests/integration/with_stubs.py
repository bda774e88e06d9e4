"""Databases with stubs in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from clone_engine.records.request import Conninfo
from proxy.embedded import Server
from proxy.stubs.installing import install, transaction
from tests.harness.servers import Database, fresh_database


def login(database: Database, **more: Any) -> Conninfo:
    """How to log in to it directly."""
    return Conninfo({name: str(value) for name, value in conninfo_to_dict(database.conninfo(**more)).items()})


@contextlib.contextmanager
def database_with_stubs(server: Server) -> Iterator[Database]:
    """A new database that has nothing but the stubs."""
    with fresh_database(server, "stubs") as database:
        with transaction(login(database)) as connection:
            install(connection)
        yield database
