"""The order in which steps are started, as tables: what is running, what finishes, what starts then."""

from __future__ import annotations

import pytest

from clone_engine.records.steps import Run
from clone_engine.running.scheduler import Schedule


def step(key: str, *after: str, weight: int = 0, holds: tuple[str, ...] = ()) -> Run:
    return Run(key=key, phase="creating indexes", after=after, weight=weight, holds=holds, statements=())


def started(schedule: Schedule) -> list[str]:
    """Everything that may run now."""
    keys = []
    while found := schedule.start():
        keys.append(found.key)
    return keys


SMALL, LARGE = step("small", weight=1), step("large", weight=9)
# name, steps, done before, then alternately: what starts, what finishes
CONVERSATIONS = [
    ("nothing", (), (), [[]]),
    ("heaviest first", (SMALL, LARGE), (), [["large", "small"]]),
    (
        "first what the longest way to the end begins with",
        (step("alone", weight=5), step("begins", weight=1), step("then", "begins", weight=9)),
        (),
        [["begins", "alone"], ["begins"], ["then"]],
    ),
    ("equal: in order of the plan", (step("b"), step("a"), step("c")), (), [["b", "a", "c"]]),
    ("one after the other", (step("b", "a"), step("a")), (), [["a"], ["a"], ["b"], ["b"], []]),
    (
        "after all of several",
        (step("a"), step("b"), step("c", "a", "b")),
        (),
        [["a", "b"], ["a"], [], ["b"], ["c"]],
    ),
    (
        "what holds a relation waits, others pass",
        (step("x", holds=("t",), weight=3), step("y", holds=("t", "u"), weight=2), step("z", weight=1)),
        (),
        [["x", "z"], ["z"], [], ["x"], ["y"]],
    ),
    ("done before", (step("a"), step("b", "a")), ("a",), [["b"]]),
    ("a follower done before its forerunner", (step("a"), step("b", "a"), step("c", "b")), ("b",), [["a", "c"]]),
    ("all done before", (step("a"), step("b", "a")), ("a", "b"), [[]]),
    ("the same key twice in after", (step("a"), step("b", "a", "a")), (), [["a"], ["a"], ["b"]]),
]


@pytest.mark.parametrize(
    ("steps", "done", "talk"), [row[1:] for row in CONVERSATIONS], ids=[r[0] for r in CONVERSATIONS]
)
def test_conversation(steps: tuple[Run, ...], done: tuple[str, ...], talk: list[list[str]]) -> None:
    schedule = Schedule(steps, done)
    for i, keys in enumerate(talk):
        if i % 2 == 0:
            assert started(schedule) == keys
        else:
            for key in keys:
                schedule.finish(key)


def test_complete_when_all_are_done() -> None:
    schedule = Schedule((step("a"), step("b", "a")))
    assert not schedule.complete
    for key in ("a", "b"):
        assert started(schedule) == [key]
        assert not schedule.complete
        schedule.finish(key)
    assert schedule.complete


def test_a_step_put_back_starts_again_and_frees_what_it_held() -> None:
    schedule = Schedule((step("a", holds=("t",), weight=1), step("b", holds=("t",), weight=2)))
    assert started(schedule) == ["b"]
    schedule.put_back("b")
    assert started(schedule) == ["b"]
    schedule.finish("b")
    assert started(schedule) == ["a"]


def test_what_waits_for_a_step_that_is_reopened_waits_again() -> None:
    """a, b and c were done, d runs, and the target has lost b and c."""
    schedule = Schedule(
        (step("a"), step("b", "a"), step("c", "b"), step("d", "a"), step("e", "c"), step("f", "d", "b"))
    )
    for key in ("a", "b", "c"):
        started(schedule)
        schedule.finish(key)
    assert {each.key for each in schedule.left} == {"d", "e", "f"}
    assert started(schedule) == ["e"]
    schedule.reopen(["b", "c"])
    schedule.put_back("e")
    assert started(schedule) == ["b"]
    schedule.finish("d")
    assert started(schedule) == []
    schedule.finish("b")
    assert started(schedule) == ["c", "f"]
    schedule.finish("f")
    schedule.finish("c")
    assert started(schedule) == ["e"]
    schedule.finish("e")
    assert schedule.complete


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((step("a"), step("a")), "same key"),
        ((step("a", "b"),), "waits for b"),
        ((step("a", "a"),), "each other: a"),
        ((step("x"), step("a", "c"), step("b", "a"), step("c", "b", "x")), "each other: a, b, c"),
    ],
)
def test_plans_that_cannot_end(steps: tuple[Run, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Schedule(steps)


def test_a_hundred_thousand_steps_are_no_trouble() -> None:
    steps = [step(f"t{i}", weight=i) for i in range(50_000)] + [step(f"i{i}", f"t{i}", weight=i) for i in range(50_000)]
    schedule, order = Schedule(steps), 0
    while found := schedule.start():
        schedule.finish(found.key)
        order += 1
    assert order == 100_000
    assert schedule.complete
