"""The rows of both sides, counted and summed independently of the engine; what a fault test asserts in the end."""

from __future__ import annotations

from typing import NamedTuple

from tests.harness.servers import Database

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = '{}' ORDER BY 1"
SUM = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {}.{} t"


class Rows(NamedTuple):
    """How many rows a table has, and a sum over them that their order does not change."""

    count: int
    checksum: str


def rows(database: Database, schema: str) -> dict[str, Rows]:
    """Of each table of a schema."""
    return {
        table: Rows(*database.rows(SUM.format(schema, table))[0]) for (table,) in database.rows(TABLES.format(schema))
    }


def assert_exactly(source: Database, target: Database, schema: str) -> None:
    """The target has each table of the source's schema, each row once.  Prints the counts."""
    wanted, found = rows(source, schema), rows(target, schema)
    for table, (count, _) in wanted.items():
        print(f"  {schema}.{table}: source {count} rows, target {found[table].count if table in found else 'no table'}")
    assert found == wanted
