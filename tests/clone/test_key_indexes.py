"""Indexes of keys, built beside the others and taken over by their constraints: what comes of it is the same."""

from __future__ import annotations

import msgspec
import psycopg
import pytest

from clone_engine.records.request import CloneRequest
from clone_engine.records.steps import Plan
from tests.clone.serial import carry_out, clone, definitions, planned, schema_request, table_request
from tests.clone.test_order import before
from tests.harness.servers import Database

ROWS = 30_000
LARGE = f"""
CREATE SCHEMA k;
CREATE TABLE k.large (
    id int, code text COLLATE "C", area int, "Odd name" int,
    CONSTRAINT large_pkey PRIMARY KEY (id) INCLUDE (area),
    CONSTRAINT by_code UNIQUE (code, "Odd name") WITH (fillfactor = 70, deduplicate_items = off),
    CONSTRAINT "Later" UNIQUE (area, id) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE k.large ADD CONSTRAINT large_check CHECK (id > 0) NOT VALID;
CREATE INDEX by_area ON k.large (area);
COMMENT ON CONSTRAINT by_code ON k.large IS 'a key';
COMMENT ON INDEX k.by_code IS 'its index';
ALTER TABLE k.large REPLICA IDENTITY USING INDEX large_pkey;
ALTER TABLE k.large CLUSTER ON by_code;
CREATE TABLE k.single (id int PRIMARY KEY, filler text);
CREATE TABLE k.parent (id int PRIMARY KEY, filler text);
CREATE INDEX by_filler ON k.parent (filler);
CREATE TABLE k.child (id int REFERENCES k.parent);
CREATE TABLE k.parted (id int, area int, PRIMARY KEY (id, area), UNIQUE (area, id)) PARTITION BY LIST (area);
CREATE TABLE k.part PARTITION OF k.parted DEFAULT;
INSERT INTO k.large SELECT g, 'code ' || g, g % 9, g FROM generate_series(1, {ROWS}) g;
INSERT INTO k.single SELECT g, repeat('x', 50) FROM generate_series(1, {ROWS}) g;
INSERT INTO k.parent SELECT g, repeat('x', 50) || g FROM generate_series(1, {ROWS}) g;
INSERT INTO k.child SELECT g FROM generate_series(1, {ROWS}) g;
INSERT INTO k.parted SELECT g, g % 9 FROM generate_series(1, 2 * {ROWS}) g;
"""
KEYS = {"index k.large_pkey", "index k.by_code", "index k.Later"}
TAKING = "constraints of k.large"


def without(plan: Plan, done: list[str]) -> Plan:
    """What is left to do."""
    left = [step for step in plan.steps if step.key not in done]
    steps = (msgspec.structs.replace(s, after=tuple(key for key in s.after if key not in done)) for s in left)
    return msgspec.structs.replace(plan, steps=tuple(steps))


def test_they_wait_for_nothing_but_the_rows(source_database: Database, target_database: Database) -> None:
    source_database.execute(LARGE)
    with planned(source_database, target_database, schema_request("k")) as (plan, keeper):
        builds = KEYS | {"index k.by_area"}
        for build in builds:
            assert {key.split()[0] for key in before(plan, build)} == {"definitions", "table"}
        assert builds < before(plan, TAKING)
        assert "index k.part_pkey" in before(plan, "constraints of k.part")
        keys = {step.key for step in plan.steps}
        # One index gains nothing; and rows of another table wait for the key, which must not wait for other indexes.
        assert not keys & {"index k.single_pkey", "index k.parent_pkey"}
        assert "constraints of k.parent" in before(plan, "index k.by_filler")
        carry_out(plan, keeper, target_database)
    assert definitions(target_database, "--schema=k") == definitions(source_database, "--schema=k")


@pytest.mark.parametrize("conflict", ["replace", "rename"])
def test_beside_tables_that_are_there(source_database: Database, target_database: Database, conflict: str) -> None:
    source_database.execute(LARGE)
    target_database.execute(LARGE)
    clone(source_database, target_database, schema_request("k", conflict=conflict), latest_first=True)
    tables = ["-tk.large", "-tk.part"]
    assert definitions(target_database, *tables) == definitions(source_database, *tables)


def test_under_another_name(source_database: Database, target_database: Database) -> None:
    source_database.execute(LARGE)
    target_database.execute("CREATE SCHEMA k")
    clone(source_database, target_database, table_request("k", "large", "other"))
    source_database.execute(
        "ALTER TABLE k.large RENAME TO other; ALTER INDEX k.large_pkey RENAME TO other_pkey;"
        ' ALTER INDEX k.by_code RENAME TO other_by_code; ALTER INDEX k."Later" RENAME TO "other_Later";'
        " ALTER INDEX k.by_area RENAME TO other_by_area;"
        " ALTER TABLE k.other RENAME CONSTRAINT large_check TO other_check"
    )
    wanted = definitions(source_database, "-tk.other").replace(" CONSTRAINT large_id_not_null", "")
    assert definitions(target_database, "-tk.other") == wanted


def test_equal_values_fail_at_the_index(source_database: Database, target_database: Database) -> None:
    source_database.execute(LARGE)
    with planned(source_database, target_database, schema_request("k")) as (plan, keeper):
        done = carry_out(plan, keeper, target_database, stop_before="index k.by_code")
        target_database.execute("UPDATE k.large SET code = 'code 1', \"Odd name\" = 1 WHERE id = 2")
        with pytest.raises(psycopg.errors.UniqueViolation, match="by_code"):
            carry_out(without(plan, done), keeper, target_database)
        built = next(step for step in plan.steps if step.key == "index k.by_code")
        assert [statement.object for statement in built.statements if statement.object] == ["index k.by_code"]


@pytest.mark.parametrize("stop_before", [TAKING, "index k.by_area", "index k.by_code", "analyze"])
def test_what_was_begun_goes_on_as_it_was(
    source_database: Database, target_database: Database, stop_before: str
) -> None:
    """Whether or not the table would be treated so now."""
    source_database.execute(LARGE)
    request = schema_request("k")
    done = begun(source_database, target_database, request, stop_before)
    source_database.execute("DELETE FROM k.large WHERE id > 5")
    source_database.execute("VACUUM FULL k.large")
    resumed(source_database, target_database, request, done)


def test_keys_that_were_made_at_once_are_not_made_again(source_database: Database, target_database: Database) -> None:
    source_database.execute(LARGE)
    source_database.execute("TRUNCATE k.large")
    request = schema_request("k")
    done = begun(source_database, target_database, request, "index k.by_area")
    assert TAKING in done
    source_database.execute(f"INSERT INTO k.large SELECT g, 'code ' || g, g, g FROM generate_series(1, {ROWS}) g")
    resumed(source_database, target_database, request, done)


def begun(source: Database, target: Database, request: CloneRequest, stop_before: str) -> list[str]:
    with planned(source, target, request) as (plan, keeper):
        return carry_out(plan, keeper, target, stop_before=stop_before)


def resumed(source: Database, target: Database, request: CloneRequest, done: list[str]) -> None:
    with planned(source, target, request, done=done) as (plan, keeper):
        carry_out(without(plan, done), keeper, target)
    assert definitions(target, "--schema=k") == definitions(source, "--schema=k")
