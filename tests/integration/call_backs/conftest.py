"""Databases with stubs, and sessions in them through a proxy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.installations import installations
from proxy.launch import ProxyProcess
from tests.harness.proxies import connect, running_proxies
from tests.harness.servers import Database, Servers
from tests.integration.call_backs.calling import DEFINITIONS, Connection
from tests.integration.with_stubs import database_with_stubs


@pytest.fixture(scope="module", params=installations(), ids=lambda each: str(each.major))
def place(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[ProxyProcess, Database]]:
    """A proxy, and a database with stubs and definitions that use them, for each version of the server."""
    server = servers.get(request.param)
    with (
        database_with_stubs(server) as database,
        tempfile.TemporaryDirectory(prefix="pgclone-") as directory,
        running_proxies(Path(directory)) as proxies,
    ):
        proxy = proxies.start(server.conninfo())
        with connect(proxy, database.name) as connection:
            connection.execute(DEFINITIONS.encode())
        yield proxy, database


@pytest.fixture
def session(place: tuple[ProxyProcess, Database]) -> Iterator[Connection]:
    """A session in a transaction that is rolled back."""
    proxy, database = place
    with psycopg.connect(proxy.conninfo(database.name)) as connection:
        yield connection
        connection.rollback()
