"""Each option leaves out exactly what it says, and what cannot be without that."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.steps import Copy
from tests.clone.serial import case, clone, contents, planned, schema_definitions, schema_request, table_request
from tests.harness.servers import Database


@pytest.fixture
def everyday(source_database: Database) -> Database:
    """A source with the everyday schema."""
    source_database.execute(case("everyday")[0])
    return source_database


def test_without_indexes_only_those_of_constraints_are_made(everyday: Database, target_database: Database) -> None:
    clone(everyday, target_database, schema_request("app", indexes=False))
    indexes = [
        row[0] for row in target_database.rows("SELECT indexname FROM pg_indexes WHERE schemaname = 'app' ORDER BY 1")
    ]
    assert indexes == ["customers_pkey", "items_pkey", "orders_pkey"]
    assert contents(target_database, "app") == contents(everyday, "app")


def test_without_constraints_only_not_null_is_left(everyday: Database, target_database: Database) -> None:
    plan = clone(everyday, target_database, schema_request("app", constraints=False))
    found = target_database.rows(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'app'::regnamespace"
        " AND conrelid <> 0 AND contype NOT IN ('n', 't')"
    )
    assert found == []
    assert dict(plan.notes) == {"view app.per_customer": "needs a primary key, and constraints are left out"}
    assert target_database.value("SELECT to_regclass('app.per_customer')") is None
    assert target_database.value(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'app.customers'::regclass AND attname = 'name'"
    )
    assert target_database.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_by_customer'") == 1


def test_without_constraints_what_needs_keys_goes_too(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("dependencies")[0])
    plan = clone(source_database, target_database, schema_request("app", constraints=False))
    left_out = {name for name, _ in plan.notes}
    assert {"view app.grouped", "materialized view app.stored_groups"} <= left_out
    views = "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('v', 'm')"
    there = {row[0] for row in target_database.rows(views)}
    assert {"z_end", "a_begin", "hollow"} <= there
    assert not there & {"grouped", "stored_groups", "over_stored", "uses_function"}


def test_without_triggers(everyday: Database, target_database: Database) -> None:
    clone(everyday, target_database, schema_request("app", triggers=False))
    assert target_database.rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    assert target_database.value("SELECT count(*) FROM pg_rules WHERE schemaname = 'app'") == 1


def test_without_matviews(everyday: Database, target_database: Database) -> None:
    everyday.execute("CREATE VIEW app.reads_matview AS SELECT * FROM app.z_totals")
    plan = clone(everyday, target_database, schema_request("app", matviews=False))
    assert target_database.rows("SELECT matviewname FROM pg_matviews") == []
    assert dict(plan.notes) == {"view app.reads_matview": "depends on app.z_totals, which is left out"}


def test_columns_leaves_out_what_uses_the_others(everyday: Database, target_database: Database) -> None:
    target_database.execute("CREATE SCHEMA app; CREATE TYPE app.status AS ENUM ('new', 'paid', 'it''s gone')")
    plan = clone(everyday, target_database, table_request("app", "orders", columns=("gross", "state", "id")))
    assert target_database.rows("SELECT * FROM app.orders ORDER BY id") == everyday.rows(
        "SELECT id, state, gross FROM app.orders ORDER BY id"
    )
    assert target_database.value("SELECT count(*) FROM pg_index WHERE indrelid = 'app.orders'::regclass") == 1
    noted = dict(plan.notes)
    assert (
        noted["index app.orders_by_customer"]
        == noted["statistics app.net_by_customer"]
        == "uses a column that is left out"
    )
    assert "computed" in noted["table app.orders"]
    target_database.execute("INSERT INTO app.orders (state) VALUES ('new')")
    assert target_database.value("SELECT max(id) FROM app.orders") == 1001


def test_columns_without_the_serial_one_makes_no_sequence(everyday: Database, target_database: Database) -> None:
    clone(everyday, target_database, table_request("app", "orders", columns=("net", "gross", "note")))
    assert target_database.rows("SELECT sequencename FROM pg_sequences") == []
    assert target_database.value("SELECT sum(gross) FROM app.orders") == everyday.value(
        "SELECT sum(gross) FROM app.orders"
    )
    assert target_database.value("SELECT attgenerated FROM pg_attribute WHERE attname = 'gross'") == "s"


def test_columns_of_a_partitioned_table(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("shapes")[0])
    clone(source_database, target_database, table_request("app", "measures", columns=("v", "at", "region")))
    query = "SELECT at, region, v FROM app.measures_2023_eu ORDER BY at"
    assert target_database.rows(query) == source_database.rows(query)
    with pytest.raises(PgError) as caught:
        clone(source_database, target_database, table_request("app", "measures", "other", columns=("v", "at")))
    assert caught.value.sqlstate == "42703"


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("id <= 10", 10),
        ("note = 'DELETE FROM x; --' OR id = 3", 1),
        ("id IN (SELECT o.customer_id FROM app.orders o) AND orders.id < 200", 20),
        ("note LIKE '%\\\\%' AND true", 858),
        ("false", 0),
    ],
)
def test_where(where: str, count: int, everyday: Database, target_database: Database) -> None:
    assert everyday.value(f"SELECT count(*) FROM app.orders WHERE {where}") == count
    target_database.execute("CREATE SCHEMA app; CREATE TYPE app.status AS ENUM ('new', 'paid', 'it''s gone')")
    clone(everyday, target_database, table_request("app", "orders", where=where))
    assert target_database.value("SELECT count(*) FROM app.orders") == count


def test_where_of_a_partitioned_table_names_it(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("shapes")[0])
    where = "measures.v > 100 AND measures.region = 'eu'"
    clone(source_database, target_database, table_request("app", "measures", where=where))
    query = f"SELECT count(*), sum(v) FROM app.measures WHERE {where}"
    assert target_database.rows(query) == source_database.rows(query)
    assert target_database.value("SELECT min(v) FROM app.measures") > 100


def test_a_big_table_is_copied_in_parts(source_database: Database, target_database: Database) -> None:
    source_database.execute(
        "CREATE TABLE big (id int PRIMARY KEY, t text) WITH (fillfactor = 10);"
        "INSERT INTO big SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 9000) i"
    )
    request = table_request("public", "big", where="id % 2 = 0")
    with planned(source_database, target_database, request, parallel=4) as (plan, _):
        parts = [step for step in plan.steps if isinstance(step, Copy)]
        assert len(parts) > 1
        assert {step.parts for step in parts} == {len(parts)}
        assert sum(step.weight for step in parts) > 32 * 1024 * 1024
    clone(source_database, target_database, request, parallel=4, latest_first=True)
    query = "SELECT count(*), sum(id) FROM big WHERE id % 2 = 0"
    assert target_database.rows(query) == source_database.rows(query)
    # Without a snapshot, a row that an UPDATE moves from one part to another would be copied twice or not at all.
    for parallel, consistent in ((1, True), (4, False)):
        whole = table_request("public", "big", "one", consistent=consistent)
        with planned(source_database, target_database, whole, parallel=parallel) as (plan, _):
            assert [step.parts for step in plan.steps if isinstance(step, Copy)] == [1]


def test_everything_off_still_brings_the_rows(everyday: Database, target_database: Database) -> None:
    off = {"indexes": False, "constraints": False, "triggers": False, "matviews": False}
    clone(everyday, target_database, schema_request("app", **off))
    for table in ("customers", "orders", "items"):
        query = f"SELECT count(*) FROM app.{table}"
        assert target_database.value(query) == everyday.value(query)
    assert "PRIMARY KEY" not in schema_definitions(target_database, "app")
