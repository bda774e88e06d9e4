"""Jobs with hand-made plans that are in the middle of something, for as long as a test wants."""

from __future__ import annotations

import psycopg

from clone_engine.records.steps import AnyStep
from tests.harness.waiting import wait_until
from tests.integration.job_runs import JOB_ID, Clone, JobRun
from tests.integration.shop import DEFINITIONS, TARGET_TABLES, copy, plan, run

SLOW = (
    "CREATE FUNCTION shop.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
    " 'BEGIN PERFORM pg_sleep(60); RETURN 1; END'"
)
FILLED = "INSERT INTO shop.nothing VALUES (1)"
SLOW_INDEX = run("index", "CREATE INDEX slow ON shop.nothing (shop.slow(a))", after=("definitions",))
SLOW_COPY = copy(
    "orders", copy_out="COPY (SELECT o.* FROM shop.orders o WHERE id < 100000 OR pg_sleep(1) IS NULL) TO STDOUT"
)


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
