"""What a job that did not complete finds on the target, whatever it has heard of its copiers."""

from __future__ import annotations

import pytest

from clone_engine.records.channel import FromJob, Reported, Start
from clone_engine.records.jobs import Outcome
from clone_engine.records.request import CloneRequest
from clone_engine.records.steps import Plan, Statement
from clone_engine.running.clean_up import CleanUp
from clone_engine.running.copier_channel import Result
from clone_engine.running.durable import Announcer
from clone_engine.running.journaling import JobJournal
from clone_engine.running.keeping import Keeping
from clone_engine.running.reporting import Report
from clone_engine.running.resume import resumption
from clone_engine.servers.connect import connect_async
from clone_engine.servers.journal import Entry, enter
from tests.harness.servers import Database
from tests.integration.job_runs import as_conninfo
from tests.integration.shop import run

STEPS = run("swap", "ALTER TABLE t"), run("index", "CREATE INDEX i", after=("swap",))
PLAN = Plan(steps=STEPS, tables=(), on_failure=(Statement("SELECT 1", "schema x"),), swap="swap")


@pytest.mark.parametrize(
    ("heard", "there", "table"),
    [(False, True, "done"), (True, False, "failed"), (True, True, "done"), (False, False, "failed")],
)
async def test_what_the_target_says_of_a_swap_counts(
    target_database: Database, heard: bool, there: bool, table: str
) -> None:
    """A COMMIT that was not answered came through or not, and a crash of the target takes back one that was."""
    conninfo, said = as_conninfo(target_database), list[FromJob]()
    target = await connect_async(conninfo, "target", 1)
    journal = JobJournal(Start(1, CloneRequest("schema", "s"), conninfo, conninfo, 1, "pgclone_job_1_test"))
    place = await journal.make(target, PLAN)
    report = Report(said.append, ())
    report.begin(PLAN, resumption(PLAN, (), place, ()), (), Announcer(lambda: target, said.append))
    if there:
        await target.execute(enter(place, Entry("swap")).encode())
    if heard:
        report.finished(STEPS[0], Result(outcomes=(Outcome("ALTER TABLE t", "done"),)), completes=False)
    left = await CleanUp(target, report, journal, Keeping(said.append)).run()
    report.rest(left.complete, left.in_part, "")
    results = {m.outcome.object: m.outcome.result for m in said if isinstance(m, Reported)}
    assert results == {"ALTER TABLE t": table, "CREATE INDEX i": "failed"}
    assert report.swapped is there
    await target.close()
