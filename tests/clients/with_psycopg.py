"""What the tests of psycopg share: connecting to a place, statements, and what it says of their results and errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.clients.peers import Place

VIEW = "SELECT * FROM pgclone_jobs_view ORDER BY job_id"
BY_JOB = "SELECT status FROM pgclone_jobs_view WHERE job_id = %s"
MANY = "SELECT job_id, g FROM pgclone_jobs_view, generate_series(1, %s) g ORDER BY 1, 2"
START = "SELECT pgclone_table_async(%s, %s, %s)"
PER_ROW = "SELECT tablename, pgclone_table_async(%s, schemaname, tablename) FROM pg_tables WHERE schemaname = 'sales'"
UNKNOWN = "SELECT pgclone_progress(%s)"
PREPARED = "SELECT count(*) FROM pg_prepared_statements"

Told = dict[str, Any]


@contextmanager
def connected(place: Place, *, autocommit: bool = True, **more: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(place.conninfo(), autocommit=autocommit, **more) as connection:
        yield connection


def value(cursor: psycopg.Cursor[Any]) -> Any:
    """The first column of the first row."""
    row = cursor.fetchone()
    assert row is not None
    return row[0]


def told(cursor: psycopg.Cursor[Any]) -> Told:
    """All that a result says."""
    columns = [(c.name, c.type_code, c.internal_size, c.precision) for c in cursor.description or ()]
    rows = cursor.fetchall() if columns else []
    return {"columns": columns, "rows": rows, "status": cursor.statusmessage, "count": cursor.rowcount}


def refused(connection: psycopg.Connection[Any], sql: str, *values: Any) -> tuple[str, str | None, str | None, str]:
    """The class of an error, its words, its position, and the state of the transaction behind it."""
    with pytest.raises(psycopg.Error) as error:
        connection.execute(sql.encode(), values)
    said = error.value.diag
    return (
        type(error.value).__name__,
        said.message_primary,
        said.statement_position,
        connection.info.transaction_status.name,
    )


STATEMENTS: list[tuple[str, tuple[Any, ...]]] = [
    (VIEW, ()),
    (BY_JOB, (7,)),
    ("SELECT pgclone_progress(%s), pgclone_version() AS v", (8,)),
    ("SELECT v FROM (SELECT job_id, status FROM pgclone_jobs_view ORDER BY 1) v", ()),
    ("SELECT array_agg(v.status ORDER BY job_id), %s::float8 FROM pgclone_jobs_view v", (1.5,)),
    ("SELECT start_time, end_time, pct_complete, rows_copied FROM pgclone_progress_detail() WHERE job_id = %s", (8,)),
    (START, ("c", "s", "t")),
    (PER_ROW, ("c",)),
    ("INSERT INTO started SELECT pgclone_schema_async(%s, 's') RETURNING job_id > 0", ("c",)),
]

COPIED = "COPY (SELECT job_id, status, pct_complete FROM pgclone_jobs_view ORDER BY 1) TO STDOUT"
