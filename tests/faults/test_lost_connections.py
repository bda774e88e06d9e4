"""Connections that are lost under a job: it goes on, has exactly the rows, and leaves nothing on the servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clone_engine.records.channel import Advanced
from clone_engine.records.request import Conninfo
from tests.faults.halting import DEFINITIONS, OURS, assert_same, go_on, until_rows_flow, whole
from tests.harness.network import Network, network_to
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, as_conninfo
from tests.integration.shop import BIG_ROWS, HALT, TARGET_TABLES, copy, plan, run


def terminate(database: Database, which: str) -> None:
    """End the job's backends in `database` whose last query is like `which`."""
    ended = database.rows(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS} AND query LIKE '{which}'"
        f" AND datname = '{database.name}'"
    )
    assert ended, f"no backend of the job at {which}"


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_backend_of_a_copier_is_ended(clone: Clone, side: str) -> None:
    job = clone.run(whole(clone), 2)
    until_rows_flow(job)
    terminate(clone.source if side == "source" else clone.target, "COPY%")
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers", "orders")
    assert job.all(Advanced)[-1].progress.rows_copied == BIG_ROWS + 1000


def test_the_jobs_own_connection_to_the_target_is_ended(clone: Clone) -> None:
    """The copiers' transactions are none the worse for it."""
    job = clone.run(whole(clone), 2)
    until_rows_flow(job)
    terminate(clone.target, "SELECT%")
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers", "orders")


def test_all_connections_of_an_inconsistent_clone_are_ended(clone: Clone) -> None:
    job = clone.run(whole(clone), 2, consistent=False)
    until_rows_flow(job)
    for database in (clone.source, clone.target):
        terminate(database, "%")
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers", "orders")


@pytest.fixture
def to_target(clone: Clone) -> Iterator[Network]:
    """What the job has between itself and the target."""
    with network_to(clone.target.server.port) as network:
        yield network


def through(network: Network, database: Database) -> Conninfo:
    return Conninfo(as_conninfo(database).parameters | {"port": str(network.port)})


@pytest.mark.parametrize("consistent", [True, False])
def test_the_network_resets_all_connections_to_both_servers(clone: Clone, to_target: Network, consistent: bool) -> None:
    """The source's snapshot goes with them."""
    with network_to(clone.source.server.port) as to_source:
        ways = {"source": through(to_source, clone.source), "target": through(to_target, clone.target)}
        job = clone.run(whole(clone), 2, consistent=consistent, **ways)
        until_rows_flow(job)
        to_target.reset()
        to_source.reset()
        ended = go_on(job, clone.source)
    assert (ended.sqlstate, "snapshot was lost" in ended.error) == (("08006", True) if consistent else ("", False))
    if consistent:
        assert clone.run(plan(DEFINITIONS, copy("customers"), copy("orders")), after=job).wait().error == ""
    assert_same(clone, "customers", "orders")


COMMITS_WHEN_TOLD = (
    "CREATE FUNCTION public.at_commit() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM public.wait_for_it(); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON shop.customers INITIALLY DEFERRED FOR EACH ROW"
    " WHEN (NEW.id = 500) EXECUTE FUNCTION public.at_commit()",
)


def until_committing(clone: Clone) -> None:
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND query = 'COMMIT' AND wait_event = 'PgSleep'"
    wait_until(lambda: clone.target.value(query), 20, "the COMMIT to halt")


def test_a_commit_whose_answer_is_lost_is_not_made_twice(clone: Clone, to_target: Network) -> None:
    steps = (run("definitions", *TARGET_TABLES, HALT, *COMMITS_WHEN_TOLD), copy("customers"))
    job = clone.run(plan(*steps), target=through(to_target, clone.target))
    until_committing(clone)
    to_target.hold("to client")
    made_by = "SELECT DISTINCT xmin FROM shop.customers"
    with clone.target.connect(application_name="go on"):
        (first,) = wait_until(lambda: clone.target.rows(made_by), 20, "the commit")
        to_target.reset()
        to_target.let_pass()
        assert job.wait().error == ""
    assert clone.target.rows(made_by) == [first]
    assert_same(clone, "customers")
    assert job.all(Advanced)[-1].progress.rows_copied == 1000


def test_a_commit_that_is_under_way_when_the_network_is_cut_is_ended_and_made_again(
    clone: Clone, to_target: Network
) -> None:
    """The old session is not told that nobody listens; it holds its locks, and could commit at any moment."""
    steps = (run("definitions", *TARGET_TABLES, HALT, *COMMITS_WHEN_TOLD), copy("customers"))
    job = clone.run(plan(*steps), target=through(to_target, clone.target))
    until_committing(clone)
    committing = f"SELECT pid FROM pg_stat_activity WHERE {OURS} AND query = 'COMMIT'"
    (old,) = clone.target.rows(committing)
    to_target.reset()
    wait_until(lambda: clone.target.rows(committing) not in ([old], []), 20, "another COMMIT")
    assert old not in clone.target.rows(committing)
    assert go_on(job, clone.target).error == ""
    assert_same(clone, "customers")
