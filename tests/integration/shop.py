"""The hand-made plan that most tests of job processes run: three tables, one of them large and in parts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from clone_engine.records.steps import AnyStep, Copy, Plan, Run, Statement
from tests.harness.servers import Database

BIG_ROWS = 320_000
SHOP = f"""
CREATE SCHEMA shop;
CREATE TABLE shop.customers (id int PRIMARY KEY, name text);
CREATE TABLE shop.orders (id int, customer int, note text);
CREATE TABLE shop.nothing (a int);
INSERT INTO shop.customers SELECT i, 'customer ' || i FROM generate_series(1, 1000) i;
INSERT INTO shop.orders
  SELECT i, 1 + i % 1000, repeat('x', i % 150) || E'\\t\\n\\\\' FROM generate_series(1, {BIG_ROWS}) i;
ANALYZE;
"""
TARGET_TABLES = (
    "CREATE SCHEMA shop",
    "CREATE TABLE shop.customers (id int, name text)",
    "CREATE TABLE shop.orders (id int, customer int, note text)",
    "CREATE TABLE shop.nothing (a int)",
)
CONTENTS = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM shop.{} t"


def statements(*sql: str, tolerated: bool = False) -> tuple[Statement, ...]:
    """Statements whose object is their first three words."""
    return tuple(Statement(s, " ".join(s.split()[:3]), tolerated) for s in sql)


def run(key: str, *sql: str, after: tuple[str, ...] = (), **more: Any) -> Run:
    return Run(key=key, phase=more.pop("phase", "creating indexes"), after=after, statements=statements(*sql), **more)


DEFINITIONS = run("definitions", *TARGET_TABLES)


def copy(
    table: str,
    where: str = "",
    *,
    key: str = "",
    parts: int = 1,
    after: tuple[str, ...] = ("definitions",),
    **more: Any,
) -> Copy:
    """The Copy step of a table of the schema, or of the part of it that `where` selects."""
    rows = {"orders": BIG_ROWS, "customers": 1000}.get(table, 0)
    return Copy(
        key=key or f"table shop.{table}",
        phase="copying data",
        after=after,
        weight=rows * 100,
        table=f"shop.{table}",
        display_name=table,
        parts=parts,
        copy_out=more.pop(
            "copy_out", f"COPY (SELECT * FROM shop.{table}{' WHERE ' + where if where else ''}) TO STDOUT"
        ),
        copy_in=more.pop("copy_in", f"COPY shop.{table} FROM STDIN"),
        empty=f"TRUNCATE shop.{table}",
        count=f"SELECT count(*) FROM shop.{table}",
        estimated_rows=rows // parts,
        estimated_bytes=rows * 100 // parts,
        **more,
    )


HALT = (
    "CREATE FUNCTION public.wait_for_it(i int DEFAULT 0) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
    " 'BEGIN FOR i IN 1..600 LOOP EXIT WHEN (SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE application_name = ''go on''); PERFORM pg_sleep(0.1);"
    " PERFORM pg_stat_clear_snapshot(); END LOOP; RETURN i; END'"
)
"""A function that halts until somebody called "go on" connects to its server."""


def halting_copy(source: Database, **more: Any) -> Copy:
    """The copy of the big table, which halts in the middle until somebody called "go on" connects to the source."""
    source.execute(HALT)
    rows = "SELECT * FROM shop.orders WHERE id <> 100000 OR public.wait_for_it(id) IS NOT NULL"
    return copy("orders", copy_out=f"COPY ({rows}) TO STDOUT", **more)


def orders_in_parts(database: Database, parts: int) -> list[Copy]:
    """The big table by ctid ranges."""
    pages = database.value("SELECT relpages FROM pg_class WHERE oid = 'shop.orders'::regclass")
    cuts = [pages * i // parts for i in range(parts)]
    ranges = [f"ctid >= '({low},0)' AND ctid < '({high},0)'" for low, high in pairwise(cuts)]
    ranges.append(f"ctid >= '({cuts[-1]},0)'")
    return [
        copy("orders", where, key=f"part {i}/{parts} of shop.orders", parts=parts) for i, where in enumerate(ranges, 1)
    ]


def plan(*steps: AnyStep, on_failure: tuple[Statement, ...] = ()) -> Plan:
    tables = tuple(dict.fromkeys(step.table for step in steps if isinstance(step, Copy)))
    return Plan(steps=steps, tables=tables, on_failure=on_failure)


def whole_plan(source: Database, parts: int) -> Plan:
    """Tables, data, two indexes and a foreign key."""
    orders = orders_in_parts(source, parts)
    loaded = tuple(step.key for step in orders)
    return plan(
        run("definitions", *TARGET_TABLES, phase="creating table"),
        copy("customers"),
        *orders,
        copy("nothing"),
        run("pk", "ALTER TABLE shop.customers ADD PRIMARY KEY (id)", after=("table shop.customers",)),
        run("index", "CREATE INDEX orders_id ON shop.orders (id)", after=loaded),
        run(
            "fk",
            "ALTER TABLE shop.orders ADD FOREIGN KEY (customer) REFERENCES shop.customers",
            after=("pk", *loaded),
            holds=("shop.orders", "shop.customers"),
            phase="creating constraints",
        ),
    )
