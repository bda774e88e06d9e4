"""Networks that are slow: clones take longer, and have exactly the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from psycopg.conninfo import make_conninfo

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.faults.arithmetic import assert_exactly
from tests.harness.network import Network, network_to
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

TABLE = """
CREATE SCHEMA shop;
CREATE TABLE shop.t AS SELECT g AS id, repeat(md5(g::text), 32) AS filling FROM generate_series(1, 3000) g;
"""
"""Rows of three megabytes."""


class Place(NamedTuple):
    source: Database
    target: Database
    to_source: Network
    to_target: Network
    proxy: ProxyProcess

    def start(self) -> None:
        """Start a clone, whose connections to both servers are through the networks."""
        conninfo = make_conninfo(self.source.conninfo(), port=self.to_source.port)
        with connect(self.proxy, self.target.name) as connection:
            connection.execute("SELECT pgclone_schema_async(%s, 'shop')", (conninfo,))

    def status(self) -> str:
        """Of the job."""
        with connect(self.proxy, self.target.name) as connection:
            return str(connection.execute("SELECT status FROM pgclone_jobs_view WHERE job_id = 1").fetchall()[0][0])

    def assert_completes(self) -> None:
        wait_until(lambda: self.status() not in {"pending", "running"}, 180, "the end of the job")
        print(f"  job 1: {self.status()}")
        assert self.status() == "completed"
        assert_exactly(self.source, self.target, "shop")


@pytest.fixture
def place(
    source_server: Server, server: Server, source_database: Database, target_database: Database, proxies: Proxies
) -> Iterator[Place]:
    source_database.execute(TABLE)
    with network_to(source_server.port) as to_source, network_to(server.port) as to_target:
        proxy = proxies.start(f"host=127.0.0.1 port={to_target.port}")
        yield Place(source_database, target_database, to_source, to_target, proxy)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("latency", "rate"),
    [(0.02, 4_000_000), pytest.param(0.2, 64_000, marks=pytest.mark.long)],
)
def test_a_slow_network_delays_a_clone_and_changes_nothing(place: Place, side: str, latency: float, rate: int) -> None:
    network = place.to_source if side == "source" else place.to_target
    network.latency, network.bytes_per_second = latency, rate
    print(f"  the network to the {side}: {latency} s late, {rate} bytes a second")
    place.start()
    place.assert_completes()
