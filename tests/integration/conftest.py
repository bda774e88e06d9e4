"""Fixtures of the integration tests; those that all tests share are in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.launch import ProxyProcess
from tests.harness.clients import CLIENTS, SqlClient
from tests.harness.servers import Database
from tests.integration.job_runs import Clone, cloning
from tests.integration.shop import SHOP


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, proxy: ProxyProcess, target_database: Database) -> Iterator[SqlClient]:
    """Each kind of client, connected to the target through the proxy."""
    connected = CLIENTS[request.param](proxy, target_database)
    yield connected
    connected.close()


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    """Runs plans from a database with the shop to an empty one."""
    source_database.execute(SHOP)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone
