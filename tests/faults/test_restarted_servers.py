"""Servers that are restarted under a job: it goes on and has exactly the rows, or it says that it has failed and is
resumed.  Nothing of it stays on the servers."""

from __future__ import annotations

import signal
from contextlib import closing

import psycopg
import pytest
from msgspec.structs import replace

from clone_engine.records.channel import Advanced, Done, FromJob
from clone_engine.records.request import CloneRequest, Options
from clone_engine.running.durable import Announcer
from proxy.embedded import Server
from tests.faults.halting import (
    DEFINITIONS,
    HALTING_INDEX,
    OURS,
    assert_same,
    go_on,
    until_asleep,
    until_rows_flow,
    whole,
)
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone
from tests.integration.shop import BIG_ROWS, HALT, copy, plan, run

FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT


def restart(server: Server, how: signal.Signals) -> None:
    server.stop(how)
    server.start()


async def test_what_is_said_to_be_done_survives_a_crash_of_the_target(clone: Clone) -> None:
    """Guards against a barrier whose own commit is not waited for."""
    clone.target.execute("CREATE TABLE public.t (i int); CREATE ROLE nobody_special")
    said = list[FromJob]()
    async with await psycopg.AsyncConnection.connect(clone.target.conninfo(), autocommit=True) as own:
        await own.execute("SET ROLE nobody_special")
        with clone.target.connect() as copier:
            copier.execute("SET synchronous_commit = off; INSERT INTO public.t VALUES (1)")
            await own.execute("SET synchronous_commit = on")
            announcer = Announcer(lambda: own, said.append)
            announcer.hold("x", [Done("x")])
            await announcer.flush()
    assert said == [Done("x")]
    restart(clone.target.server, IMMEDIATE)
    assert clone.target.value("SELECT i FROM public.t") == 1
    clone.target.execute("DROP ROLE nobody_special")


@pytest.mark.parametrize("how", [FAST, IMMEDIATE])
def test_the_target_is_restarted_in_the_middle_of_a_table(clone: Clone, how: signal.Signals) -> None:
    job = clone.run(whole(clone), 2)
    until_rows_flow(job)
    restart(clone.target.server, how)
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers", "orders")


@pytest.mark.parametrize("how", [FAST, IMMEDIATE])
def test_the_target_is_restarted_in_the_middle_of_an_index(clone: Clone, how: signal.Signals) -> None:
    job = clone.run(plan(DEFINITIONS, copy("customers"), HALTING_INDEX))
    until_asleep(clone.target)
    restart(clone.target.server, how)
    assert go_on(job, clone.target).error == ""
    assert_same(clone, "customers")
    assert clone.target.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'shop.halting'::regclass")


def test_commits_that_a_crash_of_the_target_takes_away_are_made_again(clone: Clone) -> None:
    """Parts of a table are committed without waiting for the disk, and said to nobody."""
    clone.source.execute(HALT)
    wheres = ("id <= 300", "id BETWEEN 301 AND 600", "id > 600 AND (id <> 601 OR public.wait_for_it(id) IS NOT NULL)")
    parts = [copy("customers", where, key=f"part {i}", parts=3) for i, where in enumerate(wheres)]
    job = clone.run(plan(DEFINITIONS, *parts), 2)
    journal = f"SELECT count(*) FROM {job.name}.steps"
    until_asleep(clone.source)
    wait_until(lambda: clone.target.value(journal) == 3, 20, "the other parts")
    restart(clone.target.server, IMMEDIATE)
    assert clone.target.value(journal) < 3
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers")
    assert "connection to the target" in job.outcomes()
    assert job.outcomes()["table shop.customers"] == ("done", "")


UNLOGGED = run("unlogged", "ALTER TABLE shop.customers SET UNLOGGED", after=("definitions",))
UNLOGGED_COPY = copy("customers", after=("unlogged",), unlogged=True)


def test_unlogged_tables_that_a_crash_of_the_target_empties_are_copied_again(clone: Clone) -> None:
    """They were complete: the job was completed without their rows."""
    job = clone.run(plan(DEFINITIONS, UNLOGGED, UNLOGGED_COPY, HALTING_INDEX))
    until_asleep(clone.target)
    restart(clone.target.server, IMMEDIATE)
    assert clone.target.value("SELECT count(*) FROM shop.customers") == 0
    assert go_on(job, clone.target).error == ""
    assert_same(clone, "customers")
    assert job.outcomes()["table shop.customers"] == ("done", "")


def test_a_plan_knows_what_a_crash_of_the_target_empties(clone: Clone) -> None:
    """The sequence of an unlogged table is unlogged too, from PostgreSQL 15 on."""
    clone.source.execute("CREATE UNLOGGED TABLE shop.noted (id serial, note text)")
    clone.source.execute("INSERT INTO shop.noted (note) SELECT 'x' FROM generate_series(1, 100); CHECKPOINT")
    clone.source.execute(HALT)
    options = Options(parallel=2, conditions={"customers": "public.wait_for_it(id) = id"})
    job = clone.request(CloneRequest("schema", "shop", options=options), 2)
    wait_until(lambda: {"table shop.noted", "sequence shop.noted_id_seq"} <= job.outcomes().keys(), 20, "what is lost")
    restart(clone.target.server, IMMEDIATE)
    assert clone.target.value("SELECT count(*) FROM shop.noted") == 0
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "noted", "customers")
    assert clone.target.value("SELECT last_value FROM shop.noted_id_seq") == 100


def test_rows_of_unlogged_tables_are_not_copied_again_under_triggers(clone: Clone) -> None:
    """Triggers are made behind the rows, which they could change."""
    trigger = "CREATE TRIGGER t BEFORE UPDATE ON shop.customers EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    triggers = run("triggers", trigger, phase="creating triggers", after=("table shop.customers",))
    job = clone.run(plan(DEFINITIONS, UNLOGGED, UNLOGGED_COPY, triggers, replace(HALTING_INDEX, after=("triggers",))))
    until_asleep(clone.target)
    restart(clone.target.server, IMMEDIATE)
    ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "55000")
    assert "has emptied unlogged tables" in ended.error


def test_the_source_is_restarted_in_the_middle_of_a_table(clone: Clone) -> None:
    """Its snapshot is gone, and rows of another one must not join those that are there."""
    job = clone.run(whole(clone), 2)
    until_rows_flow(job)
    wait_until(lambda: "table shop.customers" in job.done(), 20, "the small table")
    restart(clone.source.server, FAST)
    ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "08006")
    assert "snapshot was lost" in ended.error
    assert "HINT:  Resume the job" in ended.error
    clone.assert_gone()
    with clone.source.connect(application_name="go on"):
        resumed = clone.run(plan(DEFINITIONS, copy("customers"), copy("orders")), after=job)
        assert resumed.wait().error == ""
    assert_same(clone, "customers", "orders")
    assert resumed.all(Advanced)[-1].progress.rows_copied == BIG_ROWS


def test_an_inconsistent_clone_gets_over_a_restart_of_the_source(clone: Clone) -> None:
    job = clone.run(whole(clone), 2, consistent=False)
    until_rows_flow(job)
    restart(clone.source.server, IMMEDIATE)
    assert go_on(job, clone.source).error == ""
    assert_same(clone, "customers", "orders")


def test_the_source_is_not_needed_any_more_when_all_rows_are_there(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, copy("customers"), HALTING_INDEX))
    until_asleep(clone.target)
    restart(clone.source.server, IMMEDIATE)
    assert go_on(job, clone.target).error == ""
    assert_same(clone, "customers")


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_restart_while_the_clone_is_planned(clone: Clone, side: str) -> None:
    """pg_dump waits for a lock, which goes with the restart of the source.  Nothing was done: planning begins anew."""
    with closing(clone.source.connect()) as blocker:
        blocker.execute("BEGIN; LOCK TABLE shop.customers IN ACCESS EXCLUSIVE MODE")
        job = clone.request(CloneRequest("schema", "shop", options=Options(parallel=2)), 2)
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
        wait_until(lambda: clone.source.value(waiting), 20, "pg_dump to wait")
        restart((clone.source if side == "source" else clone.target).server, IMMEDIATE)
    assert job.wait().error == ""
    assert_same(clone, "customers", "orders")


def test_a_target_that_stays_away_fails_the_job_which_says_what_it_waits_for(clone: Clone) -> None:
    job = clone.run(whole(clone), 2, retry_for=1)
    until_rows_flow(job)
    clone.target.server.stop(IMMEDIATE)
    ended = job.wait()
    clone.target.server.start()
    assert (ended.status, ended.sqlstate) == ("failed", "08001")
    assert "could not connect to target" in ended.error
    assert "waiting for the target to come back" in {m.progress.phase for m in job.all(Advanced)}
    resumed = clone.run(plan(DEFINITIONS, copy("customers"), copy("orders")), after=job)
    assert resumed.wait().error == ""
    assert_same(clone, "customers", "orders")
