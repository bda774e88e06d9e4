"""What a resumed job does again, and empties first."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from clone_engine.records.jobs import Outcome
from clone_engine.records.names import Name
from clone_engine.records.steps import Copy, Journal, Plan, Run, Statement
from clone_engine.running.resume import EARLIER, not_made, on_new_snapshot, resumption, there_already
from clone_engine.running.scheduler import Schedule
from clone_engine.servers.journal import Entry, counts_among, done, forget


def copy(key: str, table: str) -> Copy:
    return Copy(
        key=key,
        phase="copying data",
        after=("definitions",),
        holds=("h",),
        table=table,
        display_name="",
        parts=1,
        copy_out="",
        copy_in="",
        empty=f"TRUNCATE {table}",
        count=f"SELECT count(*) FROM {table}",
        estimated_rows=0,
        estimated_bytes=0,
    )


def run(key: str, *after: str) -> Run:
    return Run(key=key, phase="", after=after, statements=())


PLAN = Plan(
    steps=(
        run("definitions"),
        copy("p1", "s.a"),
        copy("p2", "s.a"),
        copy("table s.b", "s.b"),
        run("index", "p1", "p2"),
    ),
    tables=("s.a", "s.b"),
)
STAGED = Plan(steps=PLAN.steps, tables=PLAN.tables, on_failure=(Statement("DROP SCHEMA x", "schema x"),))


JOURNAL = Journal(Name("pgclone_job_1_x", "steps"))


@pytest.mark.parametrize(
    ("plan", "done"),
    [(PLAN, ()), (STAGED, ("definitions", "table s.a"))],
    ids=["first job", "starts over"],
)
def test_everything_is_done(plan: Plan, done: tuple[str, ...]) -> None:
    assert resumption(plan, done, JOURNAL, ()) == (plan.steps, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("done", "left_out", "emptied"),
    [
        (("definitions",), {"definitions"}, {"s.a", "s.b"}),
        (("definitions", "table s.a"), {"definitions", "p1", "p2"}, {"s.b"}),
        (("definitions", "table s.b"), {"definitions", "table s.b"}, {"s.a"}),
        (("definitions", "p1"), {"definitions"}, {"s.a", "s.b"}),  # a part's key is no table's
    ],
)
def test_what_is_left(done: tuple[str, ...], left_out: set[str], emptied: set[str]) -> None:
    work = resumption(PLAN, done, JOURNAL, ())
    assert work.done == left_out
    emptying = [step for step in work.steps if step.key in work.added]
    assert {s.sql for step in emptying if isinstance(step, Run) for s in step.statements} == {
        f"TRUNCATE {table}" for table in emptied
    }


def test_the_parts_of_an_emptied_table_leave_the_journal() -> None:
    """In the transaction that empties it: else a job that goes on from this one would take them for done."""
    found = [Entry("definitions"), Entry("p1", "s.a", 2, 10), Entry("table s.b", "s.b", 1, 10)]
    work = resumption(PLAN, done(found), JOURNAL, found)
    (emptying,) = [step for step in work.steps if step.key in work.added]
    assert isinstance(emptying, Run)
    assert [s.sql for s in emptying.statements] == ["TRUNCATE s.a", forget(JOURNAL, "p1")]


def test_how_many_rows_complete_tables_have_got() -> None:
    """Of a table that is not complete, or no more, nothing is told."""
    found = [
        Entry("p1", "s.a", 2, 10),
        Entry("p2", "s.a", 2, 5),
        Entry("table s.b", "s.b", 1, 7),
        Entry("p3", "s.c", 2),
    ]
    keys = done(found)
    assert counts_among(keys) == {"s.a": 15, "s.b": 7}
    assert counts_among(key for key in keys if key != "table s.b") == {"s.a": 15}


EMPTY_A, EMPTY_B = (f"emptying of s.{table} by {JOURNAL.table}" for table in "ab")


def test_a_table_is_emptied_once_before_its_parts() -> None:
    work = resumption(PLAN, ("definitions",), JOURNAL, ())
    schedule, order = Schedule(work.steps, work.done), list[str]()
    while found := schedule.start():
        for step in found:
            order.append(step.key)
            schedule.finish(step.key)
    assert sorted(order) == sorted([*(step.key for step in PLAN.steps[1:]), EMPTY_A, EMPTY_B])
    assert order.index(EMPTY_A) < min(order.index("p1"), order.index("p2"))


def test_the_report_tells_of_two_snapshots() -> None:
    (outcome,) = on_new_snapshot(PLAN, ("table s.a",), consistent=True)
    assert isinstance(outcome, Outcome)
    assert outcome.message == "1 of 2 tables were copied earlier, on another snapshot than the rest"
    assert on_new_snapshot(PLAN, ("definitions",), consistent=True) == ()
    assert on_new_snapshot(PLAN, ("table s.a",), consistent=False) == ()
    assert on_new_snapshot(STAGED, ("table s.a",), consistent=True) == ()


def making(key: str, *objects: str) -> Run:
    return Run(key=key, phase="", statements=tuple(Statement("", object_) for object_ in ("", *objects)))


MAKING = Plan(
    steps=(
        making("definitions", "table s.a", "table s.b", "owner of s.a"),
        copy("p1", "s.a"),
        copy("p2", "s.a"),
        copy("p3", "s.b"),
        making("index", "index s.i"),
    ),
    tables=("s.a", "s.b"),
)


def told(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.object, outcome.result) for outcome in outcomes]


def test_the_report_tells_what_was_done_by_an_earlier_job() -> None:
    work = resumption(MAKING, ("definitions", "table s.a"), JOURNAL, ())
    outcomes = list(there_already(work.steps, work.done, {"owner of s.a"}, EARLIER))
    assert told(outcomes) == [
        ("table s.a", "done"),
        ("table s.b", "done"),
        ("owner of s.a", "skipped"),
    ]
    assert all(EARLIER in outcome.message for outcome in outcomes)


@pytest.mark.parametrize(
    ("there", "incomplete", "missing"),
    [
        ({"definitions", "p1", "p2"}, {"s.b"}, ["table s.b", "index s.i"]),
        ({"definitions", "p1"}, {"s.a", "s.b"}, ["table s.a", "table s.b", "index s.i"]),
        ({"definitions", "p1", "p2", "p3"}, (), ["index s.i"]),
        ((), (), ["table s.a", "table s.b", "owner of s.a", "index s.i"]),
        ({step.key for step in MAKING.steps}, (), []),
    ],
)
def test_the_report_tells_what_a_job_has_not_made(
    there: Collection[str], incomplete: Collection[str], missing: list[str]
) -> None:
    outcomes = list(not_made(MAKING.steps, there, dict.fromkeys(incomplete, "not copied")))
    assert told(outcomes) == [(object_, "failed") for object_ in missing]
    assert {o.object for o in outcomes if "copied" in o.message} == {f"table {table}" for table in incomplete}
