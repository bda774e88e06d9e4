"""Failures, cancels and deaths of a job with hand-made plans on real servers: each ends truly, and nothing stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clone_engine.records.channel import Advanced, Reported
from clone_engine.records.request import Conninfo
from clone_engine.records.steps import AnyStep, Plan
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import (
    BIG_ROWS,
    CONTENTS,
    JOB_ID,
    SHOP,
    TARGET_TABLES,
    Clone,
    JobRun,
    as_conninfo,
    cloning,
    copy,
    halting_copy,
    orders_in_parts,
    plan,
    run,
    statements,
    whole_plan,
)

DEFINITIONS = run("definitions", *TARGET_TABLES)
SLOW = (
    "CREATE FUNCTION shop.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'"
)
FILLED = "INSERT INTO shop.nothing VALUES (1)"
SLOW_INDEX = run("index", "CREATE INDEX slow ON shop.nothing (shop.slow(a))", after=("definitions",))
SLOW_COPY = copy(
    "orders", copy_out="COPY (SELECT o.* FROM shop.orders o WHERE id < 100000 OR pg_sleep(1) IS NULL) TO STDOUT"
)
WITHIN = 10.0
"""Seconds to wait for the answer to a cancel: far less than what is cancelled would take."""


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(SHOP)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


# --- failures ------------------------------------------------------------------------------------------------------


def test_who_holds_a_lock_is_told(clone: Clone) -> None:
    drop = run("drop", "SET LOCAL lock_timeout = '50ms'", "DROP TABLE shop.customers")
    clone.target.execute(";".join(TARGET_TABLES))
    with clone.target.connect(application_name="a reader") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM shop.customers")
        ended = clone.run(plan(drop)).wait()
        holder = (
            f"process {reader.info.backend_pid} of role postgres (a reader, idle in transaction, on shop.customers)"
        )
    assert (ended.status, ended.sqlstate) == ("failed", "55P03")
    assert f"Locks there are held by {holder}." in ended.error


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_source_that_fails_in_the_middle(clone: Clone, parallel: int) -> None:
    broken = copy("orders", copy_out="COPY (SELECT id, 1 / (id - 200000), note FROM shop.orders) TO STDOUT")
    ended = clone.run(plan(DEFINITIONS, broken, copy("customers")), parallel).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "22012")
    assert ended.error == "table shop.orders: division by zero"
    assert clone.target.value("SELECT count(*) FROM shop.orders") == 0
    clone.assert_gone()


def test_a_target_that_fails(clone: Clone) -> None:
    definitions = run("definitions", *TARGET_TABLES, "CREATE UNIQUE INDEX u ON shop.orders (customer)")
    job = clone.run(plan(definitions, copy("orders")))
    ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "23505")
    assert ended.error.startswith(
        'table shop.orders: duplicate key value violates unique constraint "u"\nDETAIL:  Key ('
    )
    assert job.outcomes()["table shop.orders"] == ("failed", "23505")
    clone.assert_gone()


def test_a_statement_that_fails_is_named(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, run("index", "CREATE INDEX ON shop.orders (nosuch)", after=("definitions",))))
    ended = job.wait()
    assert (ended.sqlstate, ended.error) == ("42703", 'CREATE INDEX ON: column "nosuch" does not exist')
    assert job.done() == ("definitions",)


def test_the_first_failure_stops_the_others(clone: Clone) -> None:
    broken = run("broken", "SELECT 1 / 0 FROM pg_sleep(0.5)", after=("definitions",), weight=1)
    definitions = run("definitions", *TARGET_TABLES, SLOW, FILLED)
    ended = clone.run(plan(definitions, broken, SLOW_INDEX, SLOW_COPY), 3).wait(20)
    assert ended.sqlstate == "22012"
    clone.assert_gone()


def test_what_is_half_done_is_emptied_and_what_is_complete_stays(clone: Clone) -> None:
    first, *_, last = orders_in_parts(clone.source, 3)
    broken = copy(
        "orders",
        copy_out="COPY (SELECT 1 / 0) TO STDOUT",
        key=last.key,
        parts=3,
        after=(first.key, "table shop.customers"),
    )
    job = clone.run(
        plan(DEFINITIONS, copy("customers"), first, broken, copy("orders", key="third", parts=3, after=(last.key,)))
    )
    assert job.wait().status == "failed"
    assert clone.target.value("SELECT count(*) FROM shop.customers") == 1000
    assert clone.target.value("SELECT count(*) FROM shop.orders") == 0
    assert set(job.done()) == {"definitions", "table shop.customers"}
    assert job.outcomes()["table shop.orders"] == ("failed", "22012")
    assert job.outcomes()["table shop.customers"] == ("done", "")


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_a_plan_is_undone_as_it_says(clone: Clone, how: str) -> None:
    step = run("x", "SELECT 1 / 0" if how == "fails" else "SELECT pg_sleep(60)", after=("definitions",))
    undo = (*statements("DROP TABLE shop.unknown"), *statements("DROP SCHEMA shop CASCADE"))
    job = clone.run(plan(DEFINITIONS, copy("customers"), step, on_failure=undo))
    if how == "is cancelled":
        wait_until(lambda: ("target", "pg_sleep") in at_work(clone), 20, "the second step")
        job.cancel()
    assert job.wait().status == ("failed" if how == "fails" else "cancelled")
    assert clone.target.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'") == 0
    assert job.outcomes()["DROP TABLE shop.unknown"] == ("failed", "42P01")
    assert job.done() == ()  # a resumed job must not build on what was undone


def test_a_target_without_an_answer(clone: Clone) -> None:
    nowhere = Conninfo({"host": "127.0.0.1", "port": "1", "dbname": "x", "user": "x"})
    ended = clone.run(plan(), target=nowhere).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "08001")
    assert ended.error.startswith("pgclone: could not connect to target: ")


# --- cancel --------------------------------------------------------------------------------------------------------


def at_work(clone: Clone) -> set[tuple[str, str]]:
    """(side, what) of the job's active backends: the wait event of each, or the first word of its query."""
    query = (
        "SELECT coalesce(CASE WHEN wait_event = 'PgSleep' THEN 'pg_sleep'"
        " WHEN wait_event_type = 'Lock' THEN 'lock' END,"
        f" split_part(query, ' ', 1)) FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}'"
        " AND state = 'active' AND datname = current_database()"
    )
    sides = (("source", clone.source), ("target", clone.target))
    return {(side, what) for side, database in sides for (what,) in database.rows(query)}


PHASES: dict[str, tuple[tuple[AnyStep, ...], tuple[str, str]]] = {
    "copy": ((DEFINITIONS, SLOW_COPY), ("source", "pg_sleep")),
    "index": ((run("definitions", *TARGET_TABLES, SLOW, FILLED), SLOW_INDEX), ("target", "pg_sleep")),
    "lock": ((DEFINITIONS, run("x", "LOCK TABLE public.taken", after=("definitions",))), ("target", "lock")),
    "source lock": ((DEFINITIONS, copy("locked")), ("source", "lock")),
    "planning": ((), ("target", "pg_sleep")),
}


def start_and_reach(clone: Clone, phase: str, parallel: int) -> tuple[JobRun, psycopg.Connection[tuple[object, ...]]]:
    """A job that is in the middle of that phase, and a connection to be closed that may hold a lock."""
    steps, working = PHASES[phase]
    clone.target.execute("CREATE TABLE public.taken ()")
    clone.source.execute("CREATE TABLE shop.locked ()")
    blocker = (clone.source if phase == "source lock" else clone.target).connect()
    blocker.execute("BEGIN")
    blocker.execute("LOCK TABLE shop.locked" if phase == "source lock" else "LOCK TABLE public.taken")
    job = clone.run(plan(*steps), parallel, before_planning=("SELECT pg_sleep(60)",) if phase == "planning" else ())
    wait_until(lambda: working in at_work(clone), 20, f"the job in {phase}")
    return job, blocker


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_cancel(clone: Clone, phase: str, parallel: int) -> None:
    job, blocker = start_and_reach(clone, phase, parallel)
    with blocker:
        job.cancel()
        ended = job.wait(WITHIN)
        assert (ended.status, ended.sqlstate, ended.error) == ("cancelled", "", "")
        if phase == "copy":
            assert job.outcomes()["table shop.orders"] == ("failed", "")
        clone.assert_gone(1)
    assert job.errors() == ""


def test_cancel_before_anything_has_begun(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, SLOW_COPY))
    job.cancel()
    assert job.wait().status == "cancelled"
    clone.assert_gone()


def test_a_copier_that_does_not_leave_is_killed_and_its_backends_ended(clone: Clone) -> None:
    job, blocker = start_and_reach(clone, "index", 1)
    with blocker:
        os.kill(job.copiers()[0], signal.SIGSTOP)
        job.cancel()
        assert job.wait(WITHIN).status == "cancelled"
        clone.assert_gone(1)


# --- deaths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang up", "kill", "terminate"])
@pytest.mark.parametrize("phase", ["copy", "index", "planning"])
def test_nothing_stays_when_the_manager_or_the_job_process_dies(clone: Clone, phase: str, how: str) -> None:
    job, blocker = start_and_reach(clone, phase, 2)
    copiers = job.copiers()
    with blocker:
        match how:
            case "hang up":
                job.hang_up()
            case "kill":
                job.process.kill()
            case "terminate":
                job.process.terminate()
        job.process.wait(5)
        clone.assert_gone(3)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and _runs(pid) for pid in copiers), 3, "the copiers' end")


def _runs(pid: int) -> bool:
    """Whether it is more than a zombie that nobody reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_copier_fails_the_job_if_it_was_the_only_one(clone: Clone) -> None:
    job, blocker = start_and_reach(clone, "index", 1)
    with blocker:
        (copier,) = job.copiers()
        os.kill(copier, signal.SIGKILL)
        ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "58000")
    assert f"copier process {copier} ended unexpectedly" in ended.error
    assert "was not committed" in ended.error
    clone.assert_gone()


def test_the_step_of_a_killed_copier_is_done_once_more(clone: Clone) -> None:
    """In the middle of a COPY, with another copier at hand: every row arrives exactly once."""
    whole: Plan = whole_plan(clone.source, 2)
    slow = halting_copy(clone.source)
    steps = (DEFINITIONS, slow, *(s for s in whole.steps if s.key == "table shop.customers"))
    job = clone.run(plan(*steps), 2)
    wait_until(lambda: any(m.progress.rows_copied > 100 for m in job.all(Advanced)), 20, "rows on their way")
    busy = [pid for pid in job.copiers() if _backends_of(pid)]
    os.kill(_copier_of_copy(job, busy), signal.SIGKILL)
    with clone.source.connect(application_name="go on"):
        ended = job.wait()
    assert (ended.status, ended.error) == ("completed", "")
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))
    assert job.all(Advanced)[-1].progress.rows_copied == BIG_ROWS + 1000
    clone.assert_gone()


def _backends_of(pid: int) -> int:
    """Sockets that a copier has open, besides its channel."""
    return (
        len([fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink() and "socket" in str(fd.readlink())]) - 1
    )


def _copier_of_copy(job: JobRun, busy: list[int]) -> int:
    """The copier that has both a source and a target connection and waits for the source."""
    return max(busy, key=_backends_of) if len(busy) > 1 else busy[0]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_backend_of_a_copier_that_is_ended(clone: Clone, side: str) -> None:
    """Without patience; with it, tests/faults/test_lost_connections.py."""
    job = clone.run(plan(DEFINITIONS, SLOW_COPY), 2, retry_for=0)
    wait_until(lambda: ("source", "pg_sleep") in at_work(clone), 20, "the job in COPY")
    database = clone.source if side == "source" else clone.target
    database.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}'"
        f" AND datname = '{database.name}' AND query LIKE 'COPY%'"
    )
    ended = job.wait()
    assert ended.status == "failed"
    assert ended.sqlstate in {"57P01", "08006"}
    assert ended.error.startswith("table shop.orders: ")
    clone.assert_gone()


def test_a_lost_snapshot_fails_the_job_within_seconds(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, SLOW_COPY), 2)
    wait_until(lambda: ("source", "pg_sleep") in at_work(clone), 20, "the job in COPY")
    clone.source.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}'"
        f" AND datname = '{clone.source.name}' AND query NOT LIKE 'COPY%'"
    )
    ended = job.wait(10)
    assert (ended.status, ended.sqlstate) == ("failed", "08006")
    assert "snapshot was lost" in ended.error
    clone.assert_gone()


COLLIDES = "DO $$ BEGIN IF nextval('public.attempts') < 3 THEN RAISE 'collision' USING ERRCODE = '{}'; END IF; END $$"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_step_that_collides_with_others_is_tried_again(clone: Clone, sqlstate: str) -> None:
    clone.target.execute("CREATE SEQUENCE public.attempts")
    again = run("again", COLLIDES.format(sqlstate), after=("definitions",))
    assert clone.run(plan(DEFINITIONS, again)).wait().error == ""
    assert clone.target.value("SELECT last_value FROM public.attempts") == 3


def test_a_copy_that_collides_with_others_is_made_again(clone: Clone) -> None:
    """Its source session was in the middle of sending rows."""
    clone.target.execute(
        "CREATE SEQUENCE public.attempts; CREATE FUNCTION public.collide() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN IF NEW.id = 500 AND nextval('public.attempts') < 3 THEN RAISE 'x' USING ERRCODE = '40P01'; END IF;"
        " RETURN NEW; END $$"
    )
    trigger = "CREATE TRIGGER t BEFORE INSERT ON shop.customers FOR EACH ROW EXECUTE FUNCTION public.collide()"
    definitions = run("definitions", *TARGET_TABLES, trigger)
    job = clone.run(plan(definitions, copy("customers")))
    assert job.wait().error == ""
    assert clone.target.rows(CONTENTS.format("customers")) == clone.source.rows(CONTENTS.format("customers"))
    assert job.all(Advanced)[-1].progress.rows_copied == 1000
    assert clone.target.value("SELECT last_value FROM public.attempts") == 3


def test_a_collision_without_end_fails_the_job(clone: Clone) -> None:
    ended = clone.run(plan(run("never", "DO $$ BEGIN RAISE 'never' USING ERRCODE = '40001'; END $$"))).wait()
    assert (ended.sqlstate, "never" in ended.error) == ("40001", True)


# --- resume --------------------------------------------------------------------------------------------------------


def test_a_resumed_job_does_the_rest(clone: Clone) -> None:
    whole = whole_plan(clone.source, 3)
    broken = run("fk", "SELECT 1 / 0", after=("table shop.customers",))
    first = clone.run(plan(*(broken if step.key == "fk" else step for step in whole.steps)), 2)
    assert first.wait().sqlstate == "22012"
    done = tuple(key for key in first.done() if key != "table shop.nothing")  # as if it had died before that line
    clone.target.execute("INSERT INTO shop.nothing VALUES (99)")  # what another part of that table had brought
    second = clone.run(whole, 2, done=done)
    assert second.wait().error == ""
    for table in ("customers", "orders", "nothing"):
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    assert not set(second.done()) & set(done)
    assert set(second.done()) | set(done) == {step.key for step in whole.steps if "part" not in step.key} | {
        "table shop.orders"
    }
    assert "snapshot" in second.outcomes()


def killed_in(clone: Clone, step: str) -> JobRun:
    """A job process that was killed, with all its copiers, while it ran the statement of the last step."""
    whole = whole_plan(clone.source, 2)
    last = run("last", step, after=tuple(s.key for s in whole.steps))
    job = clone.run(plan(*whole.steps, last), 2)
    at_it = f"SELECT count(*) FROM pg_stat_activity WHERE query = '{step}' AND state = 'active'"
    wait_until(lambda: clone.target.value(at_it), 30, "the last step")
    for pid in (*job.copiers(), job.process.pid):
        os.kill(pid, signal.SIGKILL)
    job.process.wait()
    return job


def test_the_journal_tells_what_a_killed_job_has_done(clone: Clone) -> None:
    """Though the manager never heard of it: nothing is made or copied twice, and the journal goes with the job."""
    first = killed_in(clone, "SELECT pg_sleep(60)")
    assert clone.target.value(f"SELECT count(*) FROM {first.name}.steps") == len(whole_plan(clone.source, 2).steps)
    before = clone.target.rows("SELECT ctid, xmin, * FROM shop.customers")
    first.said.clear()
    second = clone.run(whole_plan(clone.source, 2), 2, after=first)
    assert second.wait().error == ""
    assert clone.target.rows("SELECT ctid, xmin, * FROM shop.customers") == before
    assert second.all(Advanced)[-1].progress.rows_copied == 0
    assert_no_journal(clone)


def test_a_job_that_was_taken_for_dead_commits_nothing_more(clone: Clone) -> None:
    """Its job process is stopped while a copier is in the middle of a table, which another job then copies."""
    first = clone.run(plan(DEFINITIONS, halting_copy(clone.source)))
    wait_until(lambda: any(m.progress.rows_copied > 100 for m in first.all(Advanced)), 20, "rows on their way")
    os.kill(first.process.pid, signal.SIGSTOP)
    second = clone.run(plan(DEFINITIONS, copy("orders")), after=first)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    wait_until(lambda: clone.target.value(waiting), 20, "the second job to wait for the table")
    with clone.source.connect(application_name="go on"):
        assert second.wait().error == ""
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.wait().status == "failed"
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))
    assert_no_journal(clone)


def test_the_journal_stays_until_the_manager_has_kept_what_it_says(clone: Clone) -> None:
    broken = run("broken", "SELECT 1 / 0", after=("table shop.customers",))
    whole = plan(DEFINITIONS, copy("customers"), broken)
    first = clone.run(whole, keeps=False)
    assert first.wait().sqlstate == "22012"
    assert clone.target.value(f"SELECT count(*) FROM {first.name}.steps") == 2
    first.said.clear()
    second = clone.run(whole, after=first)
    assert second.wait().sqlstate == "22012"
    assert set(second.done()) == {"definitions", "table shop.customers"}
    assert_no_journal(clone)


def test_a_completed_job_leaves_its_journal_to_a_manager_that_has_not_kept_what_it_says(clone: Clone) -> None:
    """If the proxy dies at that moment the job counts as failed, and another one goes on from what is there."""
    whole = plan(DEFINITIONS, copy("customers"))
    first = clone.run(whole, keeps=False)
    assert first.wait().status == "completed"
    assert clone.target.value(f"SELECT count(*) FROM {first.name}.steps") == 2
    assert "not dropped" in first.all(Reported)[-1].outcome.message
    made_by = "SELECT DISTINCT xmin FROM shop.customers"
    before = clone.target.rows(made_by)
    first.said.clear()
    assert clone.run(whole, after=first).wait().error == ""
    assert clone.target.rows(made_by) == before
    assert_no_journal(clone)


def test_a_role_that_may_make_no_schema_has_its_journal_beside_its_tables(clone: Clone) -> None:
    clone.target.execute("CREATE ROLE tenant LOGIN; CREATE SCHEMA shop AUTHORIZATION tenant")
    try:
        steps = [run("definitions", *TARGET_TABLES[1:]), copy("customers"), run("wait", "SELECT pg_sleep(60)")]
        job = clone.run(plan(*steps), 2, target=as_conninfo(clone.target, user="tenant"))
        journal = f"SELECT count(*) FROM pg_class WHERE oid = to_regclass('shop.{job.name}')"
        wait_until(lambda: clone.target.value(journal), 20, "the journal")
        job.cancel()
        assert job.wait().status == "cancelled"
        assert not clone.target.value(journal)
    finally:
        clone.target.execute("DROP OWNED BY tenant CASCADE; DROP ROLE tenant")


def assert_no_journal(clone: Clone) -> None:
    assert clone.target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone_job%'") == []


def test_a_first_job_does_meet_duplicates(clone: Clone) -> None:
    clone.target.execute("CREATE SCHEMA shop")
    ended = clone.run(plan(DEFINITIONS)).wait()
    assert (ended.sqlstate, ended.error) == ("42P06", 'CREATE SCHEMA shop: schema "shop" already exists')
