"""Keys as their index and the constraint that takes it over."""

from __future__ import annotations

import pytest

from clone_engine.ddl.definitions import parse_statement
from clone_engine.planning.key_indexes import apart

CASES = {
    "PRIMARY KEY (id)": ("(id)", "PRIMARY KEY USING INDEX"),
    'UNIQUE (a, "B c")': ('(a, "B c")', "UNIQUE USING INDEX"),
    "UNIQUE (a) INCLUDE (b, c)": ("(a) INCLUDE (b, c)", "UNIQUE USING INDEX"),
    "PRIMARY KEY (id) WITH (fillfactor='70', deduplicate_items=off)": (
        "(id) WITH (fillfactor = '70', deduplicate_items = off)",
        "PRIMARY KEY USING INDEX",
    ),
    "UNIQUE (a) DEFERRABLE": ("(a)", "UNIQUE USING INDEX", "DEFERRABLE"),
    "UNIQUE (a) DEFERRABLE INITIALLY DEFERRED": ("(a)", "UNIQUE USING INDEX", "DEFERRABLE INITIALLY DEFERRED"),
}


@pytest.mark.parametrize("said", CASES)
def test_keys(said: str) -> None:
    of_index, taking, *checked = CASES[said]
    key = parse_statement(f'ALTER TABLE ONLY "Shop".orders ADD CONSTRAINT "one Key" {said}')
    found = apart(key)
    assert found
    assert found.building.sql == f'CREATE UNIQUE INDEX "one Key" ON "Shop".orders {of_index}'
    assert found.taking.sql == " ".join(
        (f'ALTER TABLE ONLY "Shop"."orders" ADD CONSTRAINT "one Key" {taking} "one Key"', *checked)
    )
    assert (found.taking.kind, found.taking.identity, found.taking.relation) == (key.kind, key.identity, key.relation)


@pytest.mark.parametrize(
    "said",
    [
        "UNIQUE NULLS NOT DISTINCT (a)",
        "PRIMARY KEY (id, valid WITHOUT OVERLAPS)",
        "EXCLUDE USING gist (room WITH =, during WITH &&)",
        "CHECK (a > 0) NOT VALID",
    ],
)
def test_none(said: str) -> None:
    assert apart(parse_statement(f"ALTER TABLE ONLY shop.orders ADD CONSTRAINT k {said}")) is None
