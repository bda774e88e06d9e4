"""What a resumed job does again, empties first, or does with care."""

from __future__ import annotations

import pytest

from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import Copy, Plan, Run, Statement
from clone_engine.running.resume import on_new_snapshot, resumption
from clone_engine.running.scheduler import Schedule


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


@pytest.mark.parametrize(
    ("plan", "done", "begun"),
    [(PLAN, (), ()), (STAGED, ("definitions", "table s.a"), ("index",))],
    ids=["first job", "starts over"],
)
def test_everything_is_done(plan: Plan, done: tuple[str, ...], begun: tuple[str, ...]) -> None:
    assert resumption(plan, done, begun) == (plan.steps, frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("done", "begun", "left_out", "emptied", "careful"),
    [
        ((), ("definitions",), set(), {"s.a", "s.b"}, {"definitions"}),
        (("definitions",), (), {"definitions"}, {"s.a", "s.b"}, set()),
        (("definitions", "table s.a"), ("table s.a", "index"), {"definitions", "p1", "p2"}, {"s.b"}, {"index"}),
        (("definitions", "table s.b"), ("table s.a",), {"definitions", "table s.b"}, {"s.a"}, set()),
        (("definitions", "p1"), (), {"definitions"}, {"s.a", "s.b"}, set()),  # a part's key is no table's
    ],
)
def test_what_is_left(
    done: tuple[str, ...], begun: tuple[str, ...], left_out: set[str], emptied: set[str], careful: set[str]
) -> None:
    work = resumption(PLAN, done, begun)
    assert work.done == left_out
    assert work.careful == careful
    emptying = [step for step in work.steps if step.key in work.added]
    assert {s.sql for step in emptying if isinstance(step, Run) for s in step.statements} == {
        f"TRUNCATE {table}" for table in emptied
    }


def test_a_table_is_emptied_once_behind_its_definition_and_before_its_parts() -> None:
    work = resumption(PLAN, (), ("definitions",))
    schedule, order = Schedule(work.steps, work.done), list[str]()
    while step := schedule.start():
        order.append(step.key)
        schedule.finish(step.key)
    assert sorted(order) == sorted([*(step.key for step in PLAN.steps), "empty s.a", "empty s.b"])
    assert order.index("definitions") < order.index("empty s.a") < min(order.index("p1"), order.index("p2"))


def test_the_report_tells_of_two_snapshots() -> None:
    (outcome,) = on_new_snapshot(PLAN, ("table s.a",), consistent=True)
    assert isinstance(outcome, Outcome)
    assert outcome.message == "1 of 2 tables were copied earlier, on another snapshot than the rest"
    assert on_new_snapshot(PLAN, ("definitions",), consistent=True) == ()
    assert on_new_snapshot(PLAN, ("table s.a",), consistent=False) == ()
    assert on_new_snapshot(STAGED, ("table s.a",), consistent=True) == ()
