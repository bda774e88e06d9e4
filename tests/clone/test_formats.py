"""Rows travel in binary format where both sides have the types that were read on the source, and nowhere else: bytes
of another type would be taken for values."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from clone_engine.records.steps import Copy, Plan
from proxy.embedded import Server
from tests.clone.serial import carry_out, clone, planned, schema_request
from tests.harness.servers import Database, fresh_database

WIDE = """
CREATE SCHEMA w;
CREATE TYPE w.kind AS ENUM ('sent', 'paid');
CREATE TABLE w.numbers (n int, filling text);
INSERT INTO w.numbers SELECT g, repeat('x', 300) FROM generate_series(1, 100) g;
CREATE TABLE w.kinds (k w.kind, filling text);
INSERT INTO w.kinds SELECT 'paid', repeat('x', 300) FROM generate_series(1, 100) g;
ANALYZE;
"""


def as_binary(plan: Plan) -> set[str]:
    """The tables whose rows are."""
    for step in plan.steps:
        if isinstance(step, Copy):
            assert step.binary == ("(FORMAT binary" in step.copy_in) == ("(FORMAT binary)" in step.copy_out)
    return {step.display_name for step in plan.steps if isinstance(step, Copy) and step.binary}


@pytest.mark.parametrize(
    ("options", "there", "found"),
    [
        ({}, "", {"numbers", "kinds"}),
        ({"consistent": False}, "", set[str]()),
        ({"consistent": False, "format": "binary"}, "", set[str]()),
        ({"conflict": "skip"}, "CREATE SCHEMA w CREATE TABLE other ()", {"numbers", "kinds"}),
        (
            {"conflict": "skip"},
            "CREATE SCHEMA w; CREATE DOMAIN w.kind AS int; CREATE TABLE w.kinds (k w.kind, filling text)",
            {"numbers"},
        ),
        ({"conflict": "skip"}, "CREATE SCHEMA w; CREATE TYPE w.kind AS ENUM ('sent', 'paid')", {"numbers"}),
    ],
)
def test_what_may_have_another_type_there_is_text(
    source_database: Database, target_database: Database, options: dict[str, Any], there: str, found: set[str]
) -> None:
    source_database.execute(WIDE)
    if there:
        target_database.execute(there)
    with planned(source_database, target_database, schema_request("w", **options)) as (plan, keeper):
        assert as_binary(plan) == found
        carry_out(plan, keeper, target_database)
    assert target_database.rows("SELECT n FROM w.numbers ORDER BY n") == [(n,) for n in range(1, 101)]


def test_a_resumed_job_copies_text_into_the_tables_of_the_one_before(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(WIDE)
    request = schema_request("w", format="binary")
    with planned(source_database, target_database, request) as (plan, keeper):
        done = carry_out(plan, keeper, target_database, stop_before="table w.kinds")
    source_database.execute("ALTER TABLE w.numbers ALTER n TYPE float4; ANALYZE w.numbers")
    with planned(source_database, target_database, request, done=done) as (plan, _):
        assert as_binary(plan) == set()


@pytest.mark.parametrize("wanted", ["auto", "binary"])
def test_an_infinite_interval_is_not_taken_for_a_long_one(all_servers: list[Server], wanted: str) -> None:
    """Servers before 17 have none: they must refuse it, or have it as it was."""
    for server in all_servers:
        with fresh_database(all_servers[-1], "source") as source, fresh_database(server, "target") as target:
            source.execute("CREATE SCHEMA w; CREATE TABLE w.t (i interval, f text)")
            try:
                source.execute("INSERT INTO w.t VALUES ('infinity', repeat('x', 300)); ANALYZE w.t")
                clone(source, target, schema_request("w", format=wanted))
            except psycopg.errors.InvalidDatetimeFormat:
                continue
            assert target.rows("SELECT i = 'infinity' FROM w.t") == [(True,)]
