"""Options tables, exclude_tables and where of clones of many tables: what is left out goes with all that needs it."""

from __future__ import annotations

from typing import Any

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Options
from tests.clone.serial import clone, planned, schema_request
from tests.harness.servers import Database

SHOP = """
CREATE SCHEMA shop; CREATE SCHEMA more;
CREATE TYPE shop.mood AS ENUM ('ok');
CREATE TABLE shop.customers (id serial PRIMARY KEY, m shop.mood);
CREATE TABLE shop.orders (id serial PRIMARY KEY, customer int REFERENCES shop.customers, total int);
CREATE TABLE shop.items (orders int REFERENCES shop.orders, number int DEFAULT nextval('shop.orders_id_seq'));
CREATE INDEX ON shop.orders (total);
CREATE TYPE shop.pair AS (one shop.orders, two int);
CREATE TABLE shop.with_pair (p shop.pair);
CREATE FUNCTION shop.of_order(o shop.orders) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.counted() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM shop.orders; END;
CREATE FUNCTION shop.counted(int) RETURNS bigint LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.once() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM shop.orders; END;
CREATE VIEW shop.good AS SELECT id FROM shop.customers;
CREATE VIEW shop.bad AS SELECT o.id, c.m FROM shop.orders o JOIN shop.customers c ON c.id = o.customer;
CREATE VIEW shop.grouped AS SELECT id, total FROM shop.orders GROUP BY id;
CREATE VIEW shop.calls AS SELECT shop.once();
CREATE VIEW shop.calls_one AS SELECT shop.counted(1);
CREATE MATERIALIZED VIEW shop.stored AS SELECT * FROM shop.bad;
CREATE UNIQUE INDEX ON shop.stored (id);
COMMENT ON MATERIALIZED VIEW shop.stored IS 'gone too';
CREATE POLICY p ON shop.customers USING (EXISTS (SELECT FROM shop.orders o WHERE o.customer = id));
CREATE TABLE shop.log (at date, t text) PARTITION BY RANGE (at);
CREATE TABLE shop.log_2023 PARTITION OF shop.log FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE shop.log_2024 PARTITION OF shop.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
ALTER TABLE shop.log ADD PRIMARY KEY (at, t);
CREATE TABLE shop.child (more int) INHERITS (shop.orders);
CREATE TABLE more.orders (id int);
INSERT INTO shop.customers (m) SELECT 'ok' FROM generate_series(1, 10);
INSERT INTO shop.orders (customer, total) SELECT i, i * 10 FROM generate_series(1, 10) i;
INSERT INTO shop.items SELECT i FROM generate_series(1, 10) i;
INSERT INTO shop.log VALUES ('2023-05-01', 'a'), ('2024-05-01', 'b'), ('2024-06-01', 'c');
INSERT INTO shop.child VALUES (11, 1, 5, 6);
INSERT INTO more.orders VALUES (1), (2);
REFRESH MATERIALIZED VIEW shop.stored;
"""
TABLES = (
    "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
)


def database_request(**options: Any) -> CloneRequest:
    return CloneRequest(kind="database", options=Options(**options))


@pytest.fixture
def shop(source_database: Database) -> Database:
    """A source of tables with much that needs them."""
    source_database.execute(SHOP)
    return source_database


def tables(database: Database, schema: str = "shop") -> str:
    """The tables of a schema, in one text."""
    return str(database.value(f"{TABLES} '{schema}'::regnamespace"))


def test_an_excluded_table_goes_with_all_that_needs_it(shop: Database, target_database: Database) -> None:
    plan = clone(shop, target_database, schema_request("shop", exclude_tables=("orders",)))
    assert tables(target_database) == "child customers items log log_2023 log_2024"
    left_out = "depends on shop.orders, which is left out"
    assert dict(plan.notes) == {
        "table shop.orders": "is left out by option exclude_tables",
        "type shop.pair": left_out,
        "table shop.with_pair": "depends on shop.pair, which is left out",
        "function shop.of_order(shop.orders)": left_out,
        "function shop.counted()": left_out,
        "function shop.once()": left_out,
        "view shop.bad": left_out,
        "view shop.grouped": left_out,
        "view shop.calls": "depends on shop.once, which is left out",
        "materialized view shop.stored": "depends on shop.bad, which is left out",
        "policy p on shop.customers": left_out,
        "table shop.child": "does not inherit from shop.orders, not all of which is part of this clone",
        "foreign key items_orders_fkey on shop.items": "the table shop.orders does not exist on the target",
    }
    views = target_database.rows("SELECT viewname FROM pg_views WHERE schemaname = 'shop' ORDER BY 1")
    assert views == [("calls_one",), ("good",)]
    assert target_database.rows("SELECT * FROM shop.child") == [(11, 1, 5, 6)]
    sequences = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'shop' ORDER BY 1"
    assert target_database.rows(sequences) == [("customers_id_seq",), ("orders_id_seq",)]
    target_database.execute("INSERT INTO shop.items DEFAULT VALUES")
    assert target_database.value("SELECT max(number) FROM shop.items") == 21


def test_a_foreign_key_to_a_table_that_the_target_has(shop: Database, target_database: Database) -> None:
    """It is made if it can be; if rows are missing there, the clone is complete all the same."""
    target_database.execute("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY)")
    request = schema_request("shop", tables=("items",))
    clone(shop, target_database, request)
    constraints = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
    assert target_database.value(constraints) == 0
    assert target_database.value("SELECT count(*) FROM shop.items") == 10
    target_database.execute(
        "DROP SCHEMA shop CASCADE; CREATE SCHEMA shop; CREATE TABLE shop.orders (id int PRIMARY KEY)"
    )
    target_database.execute("INSERT INTO shop.orders SELECT generate_series(1, 10)")
    clone(shop, target_database, request)
    assert target_database.value(constraints) == 1


WHICH: list[tuple[dict[str, tuple[str, ...]], str]] = [
    ({"tables": ("customers", "o.*s")}, "customers orders"),
    ({"tables": ("customers|orders",)}, "customers orders"),
    ({"tables": ("log",)}, "log_2023 log_2024"),
    ({"tables": ("log_2023",)}, "log_2023"),
    ({"tables": ("log",), "exclude_tables": ("log_2023",)}, "log_2024"),
    ({"tables": ("log_2024",), "exclude_tables": ("log",)}, ""),
    ({"tables": (".*",), "exclude_tables": ("log", "with.*", "[io].*", "child")}, "customers"),
    ({"exclude_tables": ("LOG", "order", "(items|with_pair)", "child")}, "customers log_2023 log_2024 orders"),
]


def test_which_tables(shop: Database, target_database: Database) -> None:
    for options, expected in WHICH:
        with planned(shop, target_database, schema_request("shop", **options)) as (plan, _):
            assert [table.removeprefix("shop.") for table in plan.tables] == expected.split(), options


REFUSED: list[tuple[CloneRequest, str]] = [
    (schema_request("shop", tables=("order",)), 'option "tables" holds "order", which matches no table'),
    (schema_request("shop", tables=("cust|ord",)), 'option "tables" holds "cust|ord", which matches no table'),
    *(
        (schema_request("shop", **{option: (pattern,)}), f'option "{option}" holds "{pattern}", which is not a regular')
        for pattern in ("a)|(b", "(", "*", "(?i)orders")
        for option in ("tables", "exclude_tables")
    ),
    (schema_request("shop", conditions={"nothing": "true"}), 'option "where" names "nothing"'),
    (schema_request("shop", conditions={"shop.orders": "true"}), 'option "where" names "shop.orders"'),
    (schema_request("shop", conditions={"good": "true"}), 'option "where" names "good"'),
    (schema_request("shop", conditions={"log": "true"}, exclude_tables=("log",)), 'option "where" names "log"'),
    (database_request(conditions={"orders": "true"}), 'option "where" names "orders"'),
]


def test_options_that_name_what_is_not_there(shop: Database, target_database: Database) -> None:
    for request, message in REFUSED:
        with pytest.raises(PgError) as caught, planned(shop, target_database, request):
            pass
        assert (caught.value.sqlstate, caught.value.message[: len(message) + 9]) == ("22023", f"pgclone: {message}")
        assert caught.value.hint


def test_a_partition_alone_is_a_table(shop: Database, target_database: Database) -> None:
    plan = clone(shop, target_database, schema_request("shop", tables=("log_2024",)))
    notes = dict(plan.notes)
    assert "is not attached" in notes["partitions of shop.log"]
    assert target_database.rows("SELECT t FROM shop.log_2024 ORDER BY t") == [("b",), ("c",)]
    assert target_database.value(
        "SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid = 'shop.log_2024'::regclass"
    )


def test_in_a_database_names_have_their_schema(shop: Database, target_database: Database) -> None:
    plan = clone(
        shop, target_database, database_request(tables=(r"more\..*", r"shop\.customers"), exclude_tables=("x",))
    )
    assert (tables(target_database), tables(target_database, "more")) == ("customers", "orders")
    assert dict(plan.notes)["option exclude_tables"] == 'no table of the source matches "x"'


def test_where_by_table(shop: Database, target_database: Database) -> None:
    """Rows that refer to rows left out are no failure of the clone."""
    conditions = {"orders": "orders.total > 50", "log": "log.t <> 'b'", "log_2023": "false"}
    clone(shop, target_database, schema_request("shop", conditions=conditions), latest_first=True)
    assert target_database.rows("SELECT min(total), count(*) FROM ONLY shop.orders") == [(60, 5)]
    assert target_database.rows("SELECT t FROM shop.log") == [("c",)]
    assert target_database.value("SELECT count(*) FROM shop.items") == 10
    assert target_database.rows("SELECT conname FROM pg_constraint WHERE contype = 'f'") == [("orders_customer_fkey",)]
    assert target_database.value("SELECT count(*) FROM shop.stored") == 6


def test_where_of_a_table_does_not_excuse_other_foreign_keys(shop: Database, target_database: Database) -> None:
    with planned(shop, target_database, schema_request("shop", conditions={"items": "true"})) as (plan, _):
        keys = [step for step in plan.steps if step.key.startswith("foreign key")]
        assert len(keys) == 2
        assert not [s for step in keys for s in getattr(step, "statements", ()) if s.tolerated]


def test_a_table_that_is_left_out_is_not_locked(shop: Database, target_database: Database) -> None:
    with shop.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE ONLY shop.log")
        clone(shop, target_database, schema_request("shop", tables=("customers",)))
    assert tables(target_database) == "customers"


def test_names_with_odd_characters(source_database: Database, target_database: Database) -> None:
    names = [
        'a "quoted" one',
        "Per%cent",
        "br{a}ce",
        "dollar$",
        "wort|mit|strich",
        "line\nbreak",
        "back\\slash",
        "é" * 31,
    ]
    for name in names:
        quoted = name.replace('"', '""')
        source_database.execute(f'CREATE TABLE "{quoted}" (id int); INSERT INTO "{quoted}" VALUES (1)')
    clone(source_database, target_database, schema_request("public", exclude_tables=(".*[%{$|].*", "line\nbreak")))
    left = sorted(['a "quoted" one', "back\\slash", "é" * 31])
    found = target_database.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert sorted(row[0] for row in found) == left
