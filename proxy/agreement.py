"""Whether a schema is the same in two databases: its definition, every row, every sequence.

For the demo and the tests: it reads both sides with PostgreSQL's own means (pg_dump, hashes computed by the
servers), and shares nothing with the clone engine that it judges.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from clone_engine.records.errors import PgError
from proxy.launch import clean_environment

TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'm') ORDER BY c.relname COLLATE "C"
"""
SEQUENCES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'S' ORDER BY c.relname COLLATE "C"
"""
# A sum does not depend on the order of the rows, and sees a row that is there twice.
CONTENT = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ONLY {} AS t"
# Texts of values must not depend on either server's or role's settings.
SAME_TEXTS = "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=3 -c bytea_output=hex"


class Content(NamedTuple):
    """The rows of one table: how many, and the sum of their hashes."""

    rows: int
    checksum: int


NOTES_ALONE = re.compile(r"^ALTER (?:FOREIGN )?TABLE ONLY (?:[^;]|;(?!\n))*? SET \(pg_attver=\d+\);\n", re.MULTILINE)
NOTE_BESIDE_OPTIONS = re.compile(r"pg_attver=\d+, |, pg_attver=\d+(?=\);$)", re.MULTILINE)


class SchemaState(NamedTuple):
    """All of one schema that two sides can be compared by."""

    definition: str
    """What pg_dump --schema-only says."""
    tables: dict[str, Content]
    """Tables and materialized views by name."""
    sequences: dict[str, tuple[int, bool]]
    """last_value and is_called by name."""


def schema_state(conninfo: str, schema: str, pg_dump: str) -> SchemaState:
    """The state of `schema` now.  `conninfo` holds no password; `pg_dump` is the program's path.

    psycopg.Error for what the server refuses, PgError 58000 for what pg_dump does."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        sequences = {name: _position(conn, schema, name) for name in _names(conn, SEQUENCES, schema)}
    return SchemaState(schema_definition(conninfo, schema, pg_dump), schema_contents(conninfo, schema), sequences)


def schema_contents(conninfo: str, schema: str) -> dict[str, Content]:
    """The rows that the tables and materialized views of `schema` have now, by name.

    psycopg.Error for what the server refuses."""
    with psycopg.connect(conninfo, options=SAME_TEXTS, autocommit=True) as conn:
        return {name: _content(conn, schema, name) for name in _names(conn, TABLES, schema)}


def schema_definition(conninfo: str, schema: str, pg_dump: str) -> str:
    """What pg_dump --schema-only says of one schema, without what changes from run to run."""
    pattern = '"' + schema.replace('"', '""') + '"'
    command = [pg_dump, "--schema-only", f"--schema={pattern}", f"--dbname={conninfo}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment({}))
    if done.returncode:
        raise PgError("58000", "pgclone: pg_dump failed", detail=done.stderr.strip()[-2000:])
    # \restrict carries a random word; the comments carry versions.
    changing = ("\\restrict", "\\unrestrict", "-- Dumped ")
    text = "\n".join(line for line in done.stdout.splitlines() if not line.startswith(changing))
    return without_notes(text)


def without_notes(dump: str) -> str:
    """A dump without what newer releases of servers note in the options of columns for themselves."""
    return NOTE_BESIDE_OPTIONS.sub("", NOTES_ALONE.sub("", dump))


def differences(source: SchemaState, target: SchemaState) -> list[str]:
    """One line for each thing that differs, as a person would say it; none if the two agree."""
    found = list(
        difflib.unified_diff(
            source.definition.splitlines(),
            target.definition.splitlines(),
            "definition on the source",
            "definition on the target",
            lineterm="",
            n=1,
        )
    )
    found += _differing("table", source.tables, target.tables)
    found += _differing("sequence", source.sequences, target.sequences)
    return found


def _differing(kind: str, source: dict[str, Any], target: dict[str, Any]) -> list[str]:
    absent = "absent"
    return [
        f"{kind} {name}: {source.get(name, absent)} on the source, {target.get(name, absent)} on the target"
        for name in sorted({*source, *target})
        if source.get(name) != target.get(name)
    ]


def _names(conn: psycopg.Connection[Any], query: str, schema: str) -> list[str]:
    quoted = sql.Identifier(schema).as_string(conn)
    return [name for (name,) in conn.execute(query.encode(), (quoted,))]


def _content(conn: psycopg.Connection[Any], schema: str, table: str) -> Content:
    row = conn.execute(sql.SQL(CONTENT).format(sql.Identifier(schema, table))).fetchone()
    assert row is not None, "an aggregate has one row"
    return Content(int(row[0]), int(row[1]))


def _position(conn: psycopg.Connection[Any], schema: str, sequence: str) -> tuple[int, bool]:
    query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, sequence))
    row = conn.execute(query).fetchone()
    assert row is not None, "a sequence has one row"
    return row[0], row[1]
