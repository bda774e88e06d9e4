"""Jobs with hand-made plans that go on from others: from what the manager knows, and from the journal."""

from __future__ import annotations

import os
import signal

from clone_engine.records.channel import Advanced, Reported
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, JobRun, as_conninfo
from tests.integration.shop import CONTENTS, DEFINITIONS, TARGET_TABLES, copy, halting_copy, plan, run, whole_plan


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
