"""Fixtures of the integration tests; those that all tests share are in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.launch import ProxyProcess
from tests.harness.clients import CLIENTS, SqlClient
from tests.harness.servers import Database


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, proxy: ProxyProcess, target_database: Database) -> Iterator[SqlClient]:
    """Each kind of client, connected to the target through the proxy."""
    connected = CLIENTS[request.param](proxy, target_database)
    yield connected
    connected.close()
