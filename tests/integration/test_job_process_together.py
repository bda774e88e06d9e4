"""Small steps that a job process has done together, with hand-made plans on real servers, and statements that share a
message: what fails is named, and nothing but that fails."""

from __future__ import annotations

import os
import signal

import pytest

from clone_engine.records.channel import Reported
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import Run, Statement
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, JobRun
from tests.integration.shop import CONTENTS, DEFINITIONS, HALT, TARGET_TABLES, copy, plan, run, statements

XMIN = "SELECT DISTINCT xmin::text FROM shop.{}"
MANY = 250
BEHIND = ("definitions",)


def said_of(job: JobRun) -> dict[str, Outcome]:
    return {message.outcome.object: message.outcome for message in job.all(Reported)}


@pytest.mark.parametrize("small", [True, False])
def test_rows_of_small_tables_arrive_in_one_transaction(clone: Clone, small: bool) -> None:
    clone.source.execute("INSERT INTO shop.nothing VALUES (1), (2)")
    job = clone.run(plan(DEFINITIONS, copy("customers", small=small), copy("nothing", small=small)))
    assert job.wait().error == ""
    for table in ("customers", "nothing"):
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    assert (clone.target.rows(XMIN.format("customers")) == clone.target.rows(XMIN.format("nothing"))) is small
    assert set(job.done()) == {"definitions", "table shop.customers", "table shop.nothing"}
    assert said_of(job)["table shop.customers"].message == "1000 rows"
    assert said_of(job)["table shop.nothing"].message == "2 rows"


def test_one_that_fails_takes_no_other_with_it(clone: Clone) -> None:
    broken = copy("nothing", copy_out="COPY (SELECT 1 / 0) TO STDOUT", small=True)
    job = clone.run(plan(DEFINITIONS, copy("customers", small=True), broken))
    ended = job.wait()
    assert (ended.status, ended.sqlstate, ended.error) == ("failed", "22012", "table shop.nothing: division by zero")
    assert "table shop.customers" in job.done()
    assert clone.target.value("SELECT count(*) FROM shop.customers") == 1000
    clone.assert_gone()


def test_a_statement_that_fails_among_those_of_other_steps_is_named(clone: Clone) -> None:
    steps = [
        run(f"step {i}", f"CREATE INDEX i{i} ON shop.nothing ({'b' if i == 3 else 'a'})", after=BEHIND, small=True)
        for i in range(5)
    ]
    job = clone.run(plan(DEFINITIONS, *steps))
    ended = job.wait()
    assert (ended.status, ended.sqlstate, ended.error) == (
        "failed",
        "42703",
        'CREATE INDEX i3: column "b" does not exist',
    )
    assert {"step 0", "step 1", "step 2"} < set(job.done())


def test_the_steps_of_a_killed_copier_are_done_once_more(clone: Clone) -> None:
    clone.target.execute(HALT)
    halting = [
        run(f"step {i}", f"CREATE TABLE shop.t{i} AS SELECT public.wait_for_it()", after=BEHIND, small=True)
        for i in range(4)
    ]
    job = clone.run(plan(DEFINITIONS, *halting), 2)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%wait_for_it%' AND wait_event = 'PgSleep'"
    wait_until(lambda: clone.target.value(waits) == 2, 20, "both copiers to be at some of them")
    os.kill(job.copiers()[0], signal.SIGKILL)
    wait_until(lambda: clone.target.value(waits) == 1, 20, "the backend of the killed one to end")
    with clone.target.connect(application_name="go on"):
        assert job.wait().error == ""
    assert clone.target.value("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]$'") == 4
    assert set(job.done()) == {"definitions", *(step.key for step in halting)}


def test_what_the_target_tolerates_is_told_of_each_of_many_statements(clone: Clone) -> None:
    comments = [f"COMMENT ON COLUMN shop.nothing.{'b' if i % 50 == 7 else 'a'} IS '{i}'" for i in range(MANY)]
    tolerated = tuple(Statement(sql, f"comment {i}", tolerated=True) for i, sql in enumerate(comments))
    needing = Statement("SELECT 1 / 0", "what needs it", needs=("comment 57",))
    step = Run(key="comments", phase="creating table", after=BEHIND, statements=(*tolerated, needing))
    job = clone.run(plan(DEFINITIONS, step))
    assert job.wait().error == ""
    told = said_of(job)
    for i in range(MANY):
        expected = ("skipped", "42703") if i % 50 == 7 else ("done", "")
        assert (told[f"comment {i}"].result, told[f"comment {i}"].sqlstate) == expected
    assert told["what needs it"].message == "needs comment 57, which could not be made"
    assert clone.target.value("SELECT col_description('shop.nothing'::regclass, 1)") == str(MANY - 1)


def test_a_statement_that_cannot_be_read_is_told_from_those_beside_it(clone: Clone) -> None:
    step = run(
        "definitions", *TARGET_TABLES, "COMMENT ON TABLE shop.nothing IS 'there' -- a line", "CREATE TABEL shop.x ()"
    )
    ended = clone.run(plan(step)).wait()
    assert (ended.sqlstate, ended.error) == ("42601", 'CREATE TABEL shop.x: syntax error at or near "TABEL"')
    assert clone.target.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'") == 0


def test_what_cannot_be_read_may_be_tolerated(clone: Clone) -> None:
    odd = statements("CREATE TABEL shop.x ()", tolerated=True)
    made = statements("CREATE TABLE shop.y ()")
    for number, found in enumerate((odd, (*odd, *made), (*made, *odd))):
        steps = Run(key="odd", phase="creating table", after=BEHIND, statements=found)
        job = clone.run(plan(DEFINITIONS, steps))
        assert job.wait().error == ""
        assert said_of(job)["CREATE TABEL shop.x"].result == "skipped"
        assert clone.target.value("SELECT count(*) FROM pg_class WHERE relname = 'y'") == (number > 0)
        clone.target.execute("DROP SCHEMA shop CASCADE")
