"""What fault tests share: a stage of their own for each, and servers that may be restarted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded import Server
from tests.faults.stage import Stage
from tests.harness.proxies import Proxies
from tests.harness.servers import Database, Servers, fresh_database
from tests.integration.job_runs import Clone, cloning
from tests.integration.shop import SHOP

LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
"""A server that is killed has surely lost what was committed without waiting for the disk."""


@pytest.fixture
def stage(proxies: Proxies, server: Server, source_database: Database, target_database: Database) -> Stage:
    return Stage(source_database, target_database, proxies.start(server.conninfo()))


@pytest.fixture(scope="module")
def fragile_source(servers: Servers) -> Server:
    """A server that only these tests use, since they restart it or cut it off."""
    return servers.get(name="fragile source")


@pytest.fixture(scope="module")
def fragile_target(servers: Servers) -> Server:
    """As `fragile_source`, and what it has committed is on its disk late."""
    return servers.get(name="fragile target", settings=LAZY)


@pytest.fixture
def clone(fragile_source: Server, fragile_target: Server, tmp_path: Path) -> Iterator[Clone]:
    """Runs plans from a database with the shop to an empty one, both on servers that may be restarted."""
    with fresh_database(fragile_source, "source") as source, fresh_database(fragile_target, "target") as target:
        source.execute(SHOP)
        source.execute("CHECKPOINT")  # else a crash could take that away too
        with cloning(source, target, tmp_path) as clone:
            yield clone
