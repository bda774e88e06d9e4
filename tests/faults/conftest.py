"""What fault tests share: a stage of their own for each."""

from __future__ import annotations

import pytest

from proxy.embedded import Server
from tests.faults.stage import Stage
from tests.harness.proxies import Proxies
from tests.harness.servers import Database


@pytest.fixture
def stage(proxies: Proxies, server: Server, source_database: Database, target_database: Database) -> Stage:
    return Stage(source_database, target_database, proxies.start(server.conninfo()))
