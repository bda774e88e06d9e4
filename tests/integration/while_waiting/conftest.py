"""A source whose clone is waited for, and who watches its job."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from proxy.launch import ProxyProcess
from tests.harness.servers import Database
from tests.integration.while_waiting.watching import Watch


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 10) AS id")
    return source_database


@pytest.fixture
def call(source: Database) -> str:
    return f"SELECT pgclone_table('{source.conninfo()}', 'public', 't')"


@pytest.fixture
def watch(proxy: ProxyProcess, target_database: Database) -> Iterator[Watch]:
    with contextlib.closing(Watch(proxy, target_database.name)) as watching:
        yield watching
