"""A table under another name, whatever characters and lengths the names have, in every conflict mode."""

from __future__ import annotations

import pytest

from clone_engine.records.names import quote_ident
from tests.clone.serial import clone, table_request
from tests.harness.servers import Database

NAMES = ['quo"ted', "line\nbreak", "per%s%(x)s {0}", "select", "Case", "ünï✓", "back\\slash", "é" * 31, "x" * 63]
SCRIPT = """
CREATE TABLE {0} (id serial PRIMARY KEY, v int UNIQUE CONSTRAINT {1} CHECK (v > 0), self int REFERENCES {0});
CREATE INDEX {2} ON {0} (v, id); CREATE INDEX {3} ON {0} (v DESC);
INSERT INTO {0} (v) SELECT generate_series(1, {4});
"""


def make(database: Database, name: str, rows: int) -> None:
    """A table of this name with indexes whose names are as long as can be, and end alike."""
    others = ("c" + name[1:], f"a_{'i' * 61}", f"b_{'i' * 61}")
    database.execute(SCRIPT.format(*map(quote_ident, (name, *others)), rows))


@pytest.mark.parametrize("conflict", ["error", "replace", "rename"])
def test_each_name_becomes_another(conflict: str, source_database: Database, target_database: Database) -> None:
    for name, new in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True):
        make(source_database, name, 5)
        if conflict != "error":
            target_database.execute(f"CREATE TABLE {quote_ident(new)} (id serial PRIMARY KEY, v int)")
        clone(source_database, target_database, table_request("public", name, new, conflict=conflict))
        table = quote_ident(new)
        assert target_database.value(f"SELECT count(*) FROM {table}") == 5
        target_database.execute(f"INSERT INTO {table} (v, self) VALUES (6, 1)")
        assert target_database.value(f"SELECT max(id) FROM {table}") == 6
        relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        assert target_database.value(relations) == (2 if conflict == "rename" else 1)
        for database in (source_database, target_database):
            database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def test_partitions_of_a_table_under_the_longest_name(source_database: Database, target_database: Database) -> None:
    """Guards against indexes of partitions that got one name, because those of the partitions were cut."""
    source_database.execute(
        "CREATE TABLE log (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE INDEX ON log (v);"
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20);"
        "CREATE TABLE other PARTITION OF log DEFAULT; INSERT INTO log SELECT i, i FROM generate_series(0, 29) i"
    )
    clone(source_database, target_database, table_request("public", "log", "é" * 31))
    assert target_database.value(f"SELECT count(*) FROM {'é' * 31}") == 30
    assert target_database.value("SELECT count(*) FROM pg_class WHERE relkind IN ('i', 'I') AND relname LIKE 'é%'") == 8


def test_names_that_would_become_one(source_database: Database, target_database: Database) -> None:
    """Guards against `orders_by` and `by`, which were both called copy_by."""
    source_database.execute(
        "CREATE TABLE orders (id int CONSTRAINT by PRIMARY KEY, v int CONSTRAINT orders_by CHECK (v > 0), w int);"
        "CREATE INDEX orders_w ON orders (w); CREATE INDEX w ON orders (w, v); INSERT INTO orders VALUES (1, 2, 3)"
    )
    for _ in range(2):
        clone(source_database, target_database, table_request("public", "orders", "copy", conflict="replace"))
        names = "SELECT relname::text FROM pg_class WHERE relname ~ '^copy' ORDER BY 1"
        assert target_database.rows(names) == [("copy",), ("copy__by",), ("copy__w",), ("copy_w",)]
        checks = "SELECT conname::text FROM pg_constraint WHERE conrelid = 'copy'::regclass AND contype IN ('c', 'p')"
        assert sorted(target_database.rows(checks)) == [("copy__by",), ("copy_by",)]
