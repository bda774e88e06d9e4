"""A cable is pulled under a real job: packets vanish and nobody says so.  The job has exactly the rows, or it says that
it has failed and is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clone_engine.records.channel import Advanced
from clone_engine.records.request import Conninfo
from proxy.embedded import Server
from tests.harness.island import Island, island_with, islands_possible
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, JobRun, as_conninfo, cloning
from tests.integration.shop import CONTENTS, DEFINITIONS, SHOP, copy, plan

pytestmark = pytest.mark.skipif(not islands_possible(), reason="no network can be made here (needs Linux, root and ip)")

IMPATIENT = {
    "connect_timeout": "2",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "2",
    "tcp_user_timeout": "3000",
}
"""What a conninfo may say, so that a loss is noticed within seconds, not within a minute."""
SLOW = 4_000_000
"""Bytes a second at which the large table takes a second or two."""
TABLES = ("customers", "orders")


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(SHOP)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


@pytest.fixture
def to_source(source_server: Server) -> Iterator[Island]:
    with island_with(source_server) as island:
        yield island


@pytest.fixture
def to_target(target_server: Server) -> Iterator[Island]:
    with island_with(target_server) as island:
        yield island


def across(island: Island, database: Database) -> Conninfo:
    to_it = {"host": island.host, "port": str(island.port)}
    return Conninfo(as_conninfo(database).parameters | to_it | IMPATIENT)


def until_rows_flow(job: JobRun) -> None:
    wait_until(lambda: any(m.progress.rows_copied > 1000 for m in job.all(Advanced)), 20, "rows on their way")


def assert_same(clone: Clone) -> None:
    for table in TABLES:
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    clone.assert_gone()


STEPS = plan(DEFINITIONS, *(copy(table) for table in TABLES))


def waits(job: JobRun) -> bool:
    return any("wait" in m.progress.phase for m in job.all(Advanced))


def test_the_target_is_out_of_reach_until_connections_are_given_up(clone: Clone, to_target: Island) -> None:
    to_target.bytes_per_second = SLOW
    job = clone.run(STEPS, 2, target=across(to_target, clone.target))
    until_rows_flow(job)
    to_target.pull_cable()
    wait_until(lambda: waits(job), 40, "the loss to be noticed")
    to_target.plug_in()
    assert job.wait().error == ""
    assert_same(clone)


def test_the_source_is_out_of_reach_until_its_snapshot_is_lost(clone: Clone, to_source: Island) -> None:
    to_source.bytes_per_second = SLOW
    job = clone.run(STEPS, 2, source=across(to_source, clone.source))
    until_rows_flow(job)
    to_source.pull_cable()
    ended = job.wait()
    to_source.plug_in()
    assert (ended.status, "snapshot was lost" in ended.error) == ("failed", True), ended
    assert clone.run(STEPS, 2, after=job).wait().error == ""
    assert_same(clone)


def test_a_moment_without_network_does_nothing(clone: Clone, to_source: Island, to_target: Island) -> None:
    ways = {"source": across(to_source, clone.source), "target": across(to_target, clone.target)}
    to_source.bytes_per_second = SLOW
    job = clone.run(STEPS, 2, **ways)
    until_rows_flow(job)
    for island in (to_source, to_target):
        island.pull_cable()
        island.plug_in()
    assert job.wait().error == ""
    assert not waits(job)
    assert_same(clone)
