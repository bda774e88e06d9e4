"""How a table is cut into COPYs: every row in exactly one of them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clone_engine.planning.copies import LARGEST_PART, PART_BYTES, Wish, copy_steps
from clone_engine.planning.formats import Ends
from clone_engine.records.names import Name
from clone_engine.records.steps import Copy, Part
from clone_engine.servers.journal import Entry
from clone_engine.servers.source import Column, Table

NAME = Name("app", 'T"t')


def steps(
    pages: int,
    *,
    parallel: int = 4,
    version: int = 160000,
    where: str = "",
    kept: tuple[Entry, ...] = (),
    fresh: bool = False,
    **table: object,
) -> list[Copy]:
    facts = {
        "name": NAME, "relkind": "r", "bytes": pages * 8192, "pages": pages, "rows": 10 * pages,
        "access_method": "heap", "parent": None, "columns": (Column("a", False),),
    } | table  # fmt: skip
    wish = Wish(Name("s", "n"), ["a", "B"], "T", where, False, False, parallel, Ends(version, version), kept, fresh)
    return list(copy_steps(Table(**facts), wish, ("definitions",)))  # type: ignore[arg-type]  # a mixed dict


@pytest.mark.parametrize(
    ("pages", "given", "frozen"),
    [
        (128, {}, True),
        (127, {}, False),
        (PART_BYTES, {"parallel": 1}, False),
        (128, {"fresh": False}, False),
        (128, {"access_method": "columnar"}, False),
        (128, {"extension": "postgis"}, False),
        (128, {"unlogged": True}, False),
        (128, {"where": "id > 5"}, True),
    ],
)
def test_rows_arrive_frozen_in_one_copy_into_a_new_table(pages: int, given: dict[str, object], frozen: bool) -> None:
    """But for a few, for which it is not worth while."""
    for step in steps(pages, **({"fresh": True} | given)):  # type: ignore[arg-type]  # a mixed dict
        assert step.frozen_in == (f"{step.copy_in} (FREEZE)" if frozen else "")
        assert step.empty == 'TRUNCATE ONLY "s"."n"' or not step.frozen_in


def test_a_small_table_is_one_copy() -> None:
    (step,) = steps(10)
    assert step.key == 'table app.T"t'
    assert step.copy_out == 'COPY "app"."T""t" ("a", "B") TO STDOUT'
    assert step.copy_in == 'COPY "s"."n" ("a", "B") FROM STDIN'
    assert step.empty == 'TRUNCATE ONLY "s"."n"'
    assert not step.unlogged


def test_rows_of_an_unlogged_table_are_those_that_a_crash_takes_away() -> None:
    assert all(step.unlogged for step in steps(100_000, unlogged=True))


def test_a_condition_cannot_reach_what_follows() -> None:
    (step,) = steps(10, where="a > 0")
    assert step.copy_out == 'COPY (SELECT "a", "B" FROM ONLY "app"."T""t" AS "T" WHERE (\na > 0\n)) TO STDOUT'


@pytest.mark.parametrize(
    ("pages", "kind", "parts"),
    [
        (PART_BYTES // 8192, {}, 1),
        (PART_BYTES // 8192 + 1, {}, 2),
        (LARGEST_PART // 8192, {}, 16),
        (LARGEST_PART // 8192, {"parallel": 1}, 1),
        (100 * LARGEST_PART // 8192, {}, 100),
        (100 * LARGEST_PART // 8192, {"parallel": 1}, 100),
        (10**7, {"version": 130000}, 1),
        (10**7, {"access_method": "columnar"}, 1),
        (0, {"bytes": 10**9}, 1),  # all of it in TOAST of no rows
        (10, {"relkind": "p"}, 0),
        (10, {"relkind": "f"}, 0),
    ],
)
def test_number_of_parts(pages: int, kind: dict[str, int], parts: int) -> None:
    made = steps(pages, **kind)  # type: ignore[arg-type]  # a mixed dict
    assert len(made) == parts
    assert {step.parts for step in made} <= {parts}
    assert len({step.key for step in made}) == parts


@given(st.integers(PART_BYTES // 8192 + 1, 10**7), st.integers(2, 64))
def test_every_page_is_in_exactly_one_part(pages: int, parallel: int) -> None:
    bounds = [re.findall(r"ctid (>=|<) '\((\d+),0\)'", step.copy_out) for step in steps(pages, parallel=parallel)]
    assert [sign for sign, _ in bounds[0]] == ["<"]
    assert [sign for sign, _ in bounds[-1]] == [">="]
    edges = [int(page) for part in bounds for _, page in part]
    assert edges[0::2] == edges[1::2]
    assert edges == sorted(edges)
    assert len(set(edges)) == len(bounds) - 1


@given(st.integers(PART_BYTES // 8192 + 1, 10**6), st.integers(1, 8), st.data())
def test_what_is_kept_is_left_as_it_was_and_the_rest_is_cut_anew(
    pages: int, parallel: int, data: st.DataObject
) -> None:
    """The source may have grown since, or another number of copiers be asked for."""
    first = steps(pages)
    chosen = data.draw(st.lists(st.sampled_from(first), unique_by=lambda step: step.key, max_size=len(first) - 1))
    kept = sorted(
        (Entry(s.key, s.table, s.parts, 1, s.part) for s in chosen), key=lambda e: e.part.low if e.part else 0
    )
    second = steps(pages + data.draw(st.integers(0, 10**5)), parallel=parallel, kept=tuple(kept))
    ranges = [step.part or Part() for step in second]
    assert {one.part for one in kept} <= set(ranges)
    assert {one.step for one in kept} <= {step.key for step in second}
    assert ranges[0].low == 0 and ranges[-1].high is None
    assert all(one.high == following.low for one, following in pairwise(ranges))
    assert len({step.key for step in second}) == len(second)
