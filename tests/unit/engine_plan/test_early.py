"""Which foreign keys are made before their tables have rows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from clone_engine.ddl.definitions import parse_statement
from clone_engine.planning.early import early, longest_ways
from clone_engine.records.names import Name

TABLES = {Name("s", name) for name in "abcd"}
KEYS = {table: [parse_statement(f"ALTER TABLE ONLY s.{table.name} ADD CONSTRAINT {table.name}_pkey PRIMARY KEY (id)")]
        for table in TABLES}  # fmt: skip


def key(table: str, parent: str, columns: str = "id", more: str = "") -> str:
    return (
        f"ALTER TABLE ONLY s.{table} ADD CONSTRAINT k_{parent} FOREIGN KEY (x) REFERENCES s.{parent}({columns}) {more}"
    )


CASES = {
    "one": ([key("a", "b")], ["a → b"]),
    "with actions": ([key("a", "b", more="ON DELETE CASCADE DEFERRABLE")], ["a → b"]),
    "a chain": ([key("a", "b"), key("b", "c"), key("c", "d")], ["a → b", "b → c", "c → d"]),
    "two to one": ([key("a", "c"), key("b", "c")], ["a → c", "b → c"]),
    "to itself": ([key("a", "a")], []),
    "in a circle": ([key("a", "b"), key("b", "c"), key("c", "a")], ["a → b", "b → c"]),
    "beside a circle": ([key("a", "b"), key("b", "a"), key("c", "a"), key("d", "c")], ["a → b", "c → a", "d → c"]),
    "never checked": ([key("a", "b", more="NOT VALID")], []),
    "not enforced": ([key("a", "b", more="NOT ENFORCED")], []),
    "to an index that is no constraint": ([key("a", "b", columns="other")], []),
    "to a table that is not cloned": ([key("a", "z")], []),
    "of a table that is not": ([key("z", "a")], []),
}


@pytest.mark.parametrize("case", CASES)
def test_early(case: str) -> None:
    given, expected = CASES[case]
    found = early([parse_statement(sql) for sql in given], KEYS, TABLES)
    assert [
        f"{ddl.relation and ddl.relation.name} → {ddl.identity[-1].removeprefix('k_')}" for ddl in found
    ] == expected


def test_a_long_chain() -> None:
    names = [f"t{n}" for n in range(5000)]
    tables = {Name("s", name) for name in names}
    keys = {Name("s", name): KEYS[Name("s", "a")] for name in names}
    chain = [parse_statement(key(one, other)) for one, other in pairwise(names)]
    assert early(chain, keys, tables) == chain


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ({}, {"a": 1, "b": 2, "c": 4, "d": 8}),
        ({"a": "b"}, {"a": 3, "b": 3, "c": 4, "d": 8}),
        ({"a": "b", "b": "c", "c": "d"}, dict.fromkeys("abcd", 15)),
        ({"a": "bc"}, {"a": 5, "b": 3, "c": 5, "d": 8}),
        ({"a": "d", "b": "d", "c": "ab"}, {"a": 13, "b": 14, "c": 14, "d": 14}),
    ],
)
def test_the_heaviest_chain_of_each_table(parents: dict[str, str], expected: dict[str, int]) -> None:
    weights = {Name("s", name): 1 << number for number, name in enumerate("abcd")}
    found = longest_ways(weights, {Name("s", t): {Name("s", p) for p in ps} for t, ps in parents.items()})
    assert {table.name: weight for table, weight in found.items()} == expected
