"""The table of calls for small clones: each beside what pg_dump and psql took for the same in the same round."""

from __future__ import annotations

from bench.clones.measuring import Taken
from bench.clones.showing import Run
from bench.clones.small_showing import beside, of_calls


def runs(name: str, *seconds: float) -> list[Run]:
    """Whose copies were complete."""
    return [Run(name, Taken(each, {}, {}), ()) for each in seconds]


def rows(text: str) -> list[list[str]]:
    """Without the header."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def test_a_call_is_compared_round_by_round() -> None:
    found = {"call": runs("call", 0.1, 0.4, 0.2), beside("call"): runs(beside("call"), 0.3, 0.2, 0.1)}
    compared = ["200.0", "100.0 – 400.0", "200.0", "100.0 – 300.0", "0.50", "0.50 – 3.00", "complete"]
    assert rows(of_calls(found)) == [["call", *compared]]


def test_a_call_that_nobody_else_has_stands_alone() -> None:
    assert rows(of_calls({"call": runs("call", 0.0051, 0.0049)})) == [
        ["call", "5.0", "4.9 – 5.1", "–", "–", "–", "–", "complete"]
    ]


def test_a_copy_that_lacks_something_is_seen_whosever_it_is() -> None:
    good, bad = runs("call", 0.1), [Run(beside("call"), Taken(0.1, {}, {}), ("table t1: absent",))]
    assert rows(of_calls({"call": good, beside("call"): bad}))[0][-1] == "1 differences"
