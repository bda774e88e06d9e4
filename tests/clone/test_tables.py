"""One table arrives with all that is its own, under its own name or another, also next to the original."""

from __future__ import annotations

import pytest

from tests.clone.serial import case, clone, contents, definitions, table_request
from tests.harness.servers import Database

NAMES_SCHEMA = case("names")[1]
TABLES = [
    ("everyday", "orders"),
    ("everyday", "customers"),
    ("everyday", "items"),
    ("shapes", "measures"),
    ("shapes", "hashed"),
    ("shapes", "always"),
    ("shapes", "nothing"),
    ("shapes", "only_generated"),
    ("shapes", "stored"),
    ("shapes", "excluded"),
    ("shapes", "unique_nulls"),
    ("shapes", "self"),
    ("names", "Table"),
    ("names", 'quote"d'),
    ("names", "new\nline"),
    ("names", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"),
    ("names", "é" * 31),
]


def columns(database: Database, schema: str, table: str) -> list[tuple[str, ...]]:
    """Name, type, default and so on of each column, whatever the table is called."""
    return database.rows(
        f"""SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = $q${schema}$q$ AND relname = $q${table}$q$ AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum"""
    )


COUNTS = """
SELECT (SELECT count(*) FROM pg_index i WHERE indrelid = c.oid AND indisvalid),
       (SELECT array_agg(contype::text ORDER BY contype) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'f'),
       (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),
       (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid), relrowsecurity,
       (SELECT count(*) FROM pg_statistic_ext WHERE stxrelid = c.oid),
       (SELECT count(*) FROM pg_description WHERE objoid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = $q${schema}$q$ AND relname = $q${table}$q$"""


@pytest.mark.parametrize("latest_first", [False, True])
@pytest.mark.parametrize(("name", "table"), TABLES)
def test_next_to_its_original_under_another_name(
    name: str, table: str, latest_first: bool, source_database: Database
) -> None:
    script, schema = case(name)
    source_database.execute(script)
    before = contents(source_database, schema)
    clone(source_database, source_database, table_request(schema, table, "a copy"), latest_first=latest_first)
    after = contents(source_database, schema)
    assert {key: after[key] for key in before} == before
    if table in before:
        assert after["a copy"] == before[table]
    assert columns(source_database, schema, "a copy") == columns(source_database, schema, table)
    counts = [source_database.rows(COUNTS.format(schema=schema, table=t)) for t in ("a copy", table)]
    assert counts[0] == counts[1]


def test_into_an_empty_database(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("shapes")[0])
    clone(source_database, target_database, table_request("app", "measures"))
    for table in ("measures", "measures_2023", "measures_2023_eu", "measures_2023_rest", "the_rest"):
        query = f"SELECT count(*), sum(v) FROM app.{table}"
        assert target_database.rows(query) == source_database.rows(query)
    selection = ("-t", "app.measures*", "-t", "app.the_rest")
    assert definitions(target_database, *selection) == definitions(source_database, *selection)


def test_the_renamed_table_owns_its_sequence_and_continues_it(source_database: Database) -> None:
    source_database.execute(case("everyday")[0])
    clone(source_database, source_database, table_request("app", "orders", "orders2"))
    source_database.execute("INSERT INTO app.orders2 (customer_id, net) VALUES (100, 1)")
    assert source_database.value("SELECT max(id) FROM app.orders2") == 1001
    assert source_database.value("SELECT last_value FROM app.orders_id_seq") == 1000
    source_database.execute("DROP TABLE app.orders2")
    assert source_database.value("SELECT to_regclass('app.orders2_id_seq')") is None


def test_what_the_target_lacks_is_noted(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("everyday")[0])
    plan = clone(source_database, target_database, table_request("app", "orders"))
    assert dict(plan.notes) == {
        "foreign key orders_customer_id_fkey on app.orders": "the table app.customers does not exist on the target",
    }
    assert target_database.value("SELECT count(*) FROM app.orders") == 1000


def test_foreign_key_is_made_where_the_referenced_table_is(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(case("shapes")[0])
    clone(source_database, target_database, table_request("app", "plain"))
    clone(source_database, target_database, table_request("app", "hashed"))
    assert (
        target_database.value("SELECT count(*) FROM pg_constraint WHERE conname = 'hashed_id_fkey' AND conparentid = 0")
        == 1
    )


def test_a_partition_alone_is_a_table_of_its_own(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("shapes")[0])
    for database, target in ((target_database, ""), (source_database, "detached")):
        plan = clone(source_database, database, table_request("app", "measures_2023_eu", target))
        assert [note for note in plan.notes if "is not attached" in note[1]]
    query = "SELECT count(*), sum(v) FROM app."
    assert target_database.rows(query + "measures_2023_eu") == source_database.rows(query + "measures_2023_eu")
    assert source_database.value("SELECT count(*) FROM app.measures") == 500


@pytest.mark.parametrize("table", ["derived", "derived2"])
def test_a_child_alone_has_the_columns_it_inherits(
    table: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(case("shapes")[0])
    for database, target in ((target_database, table), (source_database, "alone")):
        plan = clone(source_database, database, table_request("app", table, target))
        assert any("inherit" in why for _, why in plan.notes)
        query = "SELECT * FROM ONLY app."
        assert database.rows(query + target) == source_database.rows(query + table)
        assert columns(database, "app", target) == columns(source_database, "app", table)
        kinds = "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'app.{}'::regclass"
        assert set(database.rows(kinds.format(target))) >= set(
            source_database.rows(kinds.format(table) + " AND contype = 'c'")
        )
    assert source_database.value("SELECT count(*) FROM app.base") == 3
