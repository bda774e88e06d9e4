"""How a table is cut into COPYs: every row in exactly one of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clone_engine.planning.copies import PART_BYTES, Wish, copy_steps
from clone_engine.records.names import Name
from clone_engine.records.steps import Copy
from clone_engine.servers.source import Column, Table

NAME = Name("app", 'T"t')


def steps(pages: int, *, parallel: int = 4, version: int = 160000, where: str = "", **table: object) -> list[Copy]:
    facts = {
        "name": NAME, "relkind": "r", "bytes": pages * 8192, "pages": pages, "rows": 10 * pages,
        "access_method": "heap", "parent": None, "columns": (Column("a", False),),
    } | table  # fmt: skip
    wish = Wish(Name("s", "n"), ["a", "B"], "T", where, False, parallel, version)
    return list(copy_steps(Table(**facts), wish, ("definitions",)))  # type: ignore[arg-type]  # a mixed dict


def test_a_small_table_is_one_copy() -> None:
    (step,) = steps(10)
    assert step.key == 'table app.T"t'
    assert step.copy_out == 'COPY "app"."T""t" ("a", "B") TO STDOUT'
    assert step.copy_in == 'COPY "s"."n" ("a", "B") FROM STDIN'
    assert step.empty == 'TRUNCATE ONLY "s"."n"'


def test_a_condition_cannot_reach_what_follows() -> None:
    (step,) = steps(10, where="a > 0")
    assert step.copy_out == 'COPY (SELECT "a", "B" FROM ONLY "app"."T""t" AS "T" WHERE (\na > 0\n)) TO STDOUT'


@pytest.mark.parametrize(
    ("pages", "kind", "parts"),
    [
        (PART_BYTES // 8192, {}, 1),
        (PART_BYTES // 8192 + 1, {}, 2),
        (10**7, {}, 16),
        (10**7, {"parallel": 1}, 1),
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
