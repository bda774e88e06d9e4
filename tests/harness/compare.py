"""Asserting that a clone is what its source is."""

from __future__ import annotations

from proxy.agreement import SchemaState, differences, schema_state
from tests.harness.servers import Database


def state(database: Database, schema: str) -> SchemaState:
    """The definition, contents and sequences of a schema; for servers that ask for no password."""
    return schema_state(database.conninfo(), schema, database.client_program("pg_dump"))


def assert_same_schema(source: Database, target: Database, schema: str) -> None:
    """Fails with one line for each difference in definition, rows or sequences of `schema`."""
    found = differences(state(source, schema), state(target, schema))
    assert not found, "\n".join(["the two sides differ:", *found])
