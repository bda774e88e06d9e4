"""Jobs with hand-made plans that halt where a test wants, until it lets them go on."""

from __future__ import annotations

from clone_engine.records.channel import Advanced, Ended
from clone_engine.records.steps import Plan
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import JOB_ID, Clone, JobRun
from tests.integration.shop import CONTENTS, HALT, TARGET_TABLES, copy, halting_copy, plan, run

DEFINITIONS = run("definitions", *TARGET_TABLES, HALT)
HALTING_INDEX = run(
    "index",
    "CREATE INDEX halting ON shop.customers ((CASE id WHEN 500 THEN public.wait_for_it(id) END))",
    after=("table shop.customers",),
)
OURS = f"application_name = 'pgclone: job {JOB_ID}'"


def until_rows_flow(job: JobRun) -> None:
    wait_until(lambda: any(m.progress.rows_copied > 100 for m in job.all(Advanced)), 20, "rows on their way")


def until_asleep(database: Database) -> None:
    """Until a backend of the job halts in `wait_for_it`."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event = 'PgSleep'"
    wait_until(lambda: database.value(query), 20, "the job to halt")


def go_on(job: JobRun, database: Database) -> Ended:
    """Let what halts there go on, and wait for the end of the job."""
    with database.connect(application_name="go on"):
        return job.wait()


def assert_same(clone: Clone, *tables: str) -> None:
    for table in tables:
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    clone.assert_gone()
    assert clone.target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone_job%'") == []


def whole(clone: Clone) -> Plan:
    return plan(DEFINITIONS, copy("customers"), halting_copy(clone.source))
