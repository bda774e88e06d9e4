"""The order in which steps are started, as tables: what is running, what finishes, what starts then."""

from __future__ import annotations

import pytest

from clone_engine.records.steps import AnyStep, Copy, Run
from clone_engine.running.scheduler import MOST, Schedule


def step(key: str, *after: str, weight: int = 0, holds: tuple[str, ...] = (), small: bool = False) -> Run:
    return Run(key=key, phase="creating indexes", after=after, weight=weight, holds=holds, small=small, statements=())


def copy(key: str, *, replica: bool = False) -> Copy:
    return Copy(
        key=key, phase="copying data", table=key, display_name=key, parts=1, copy_out="", copy_in="", empty="",
        count="", estimated_rows=None, estimated_bytes=None, replica=replica, small=True,
    )  # fmt: skip


def started(schedule: Schedule) -> list[str]:
    """Everything that may run now."""
    keys = []
    while found := schedule.start():
        keys += [each.key for each in found]
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


def light(*keys: str) -> list[AnyStep]:
    return [step(key, small=True) for key in keys]


NUMBERS = [f"{number:03}" for number in range(MOST + 1)]
# name, steps, copiers, what is handed out together
TOGETHER: list[tuple[str, list[AnyStep], int, list[list[str]]]] = [
    ("one copier takes all", light("a", "b", "c"), 1, [["a", "b", "c"]]),
    ("several have their share", light("a", "b", "c", "d"), 2, [["a", "b"], ["c"], ["d"]]),
    ("large ones are alone", [step("big", weight=9), *light("a", "b")], 1, [["big"], ["a", "b"]]),
    ("those that follow a large one", [*light("a", "b"), step("big"), *light("c")], 1, [["a", "b"], ["big"], ["c"]]),
    ("kinds do not mix", [*light("a"), copy("x"), copy("y"), *light("b")], 1, [["a"], ["x", "y"], ["b"]]),
    ("nor rows with and without triggers", [copy("x"), copy("y", replica=True)], 1, [["x"], ["y"]]),
    (
        "what holds the same relation",
        [step(key, holds=("t",), small=True) for key in "ab"] + light("c"),
        1,
        [["a", "c"]],
    ),
    ("not more than so many", light(*NUMBERS), 1, [NUMBERS[:MOST], NUMBERS[MOST:]]),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "copiers", "expected"), [row[1:] for row in TOGETHER], ids=[r[0] for r in TOGETHER])
def test_small_steps_are_handed_out_together(steps: list[AnyStep], copiers: int, expected: list[list[str]]) -> None:
    schedule, found = Schedule(steps), []
    while some := schedule.start(copiers):
        found.append([each.key for each in some])
    assert found == expected


def test_what_is_set_apart_is_done_alone() -> None:
    schedule = Schedule(light("a", "b", "c"))
    assert len(schedule.start()) == 3
    schedule.apart(["a", "b"])
    for key in ("a", "b"):
        schedule.put_back(key)
    assert [[each.key for each in schedule.start()] for _ in range(2)] == [["a"], ["b"]]


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
        for each in found:
            schedule.finish(each.key)
            order += 1
    assert order == 100_000
    assert schedule.complete
