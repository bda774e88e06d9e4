"""What every client is asked, and what must come back, as tables; who asks, and how, is tests/harness/clients.

Statements are written with $1, $2….  In the tables {job} stands for what only the run knows: the number of a completed
job that has cloned sales.customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import psycopg

from tests.harness.clients import Rows, SqlClient
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

JOB = "{job}"


class Read(NamedTuple):
    """A statement that only reads, with values for its parameters and the rows that it must give."""

    sql: str
    values: tuple[Any, ...]
    expected: Rows

    def about(self, job: int) -> Self:
        """The same for the job of that number."""
        expected = [tuple(str(job) if value == JOB else value for value in row) for row in self.expected]
        return self._replace(sql=self.sql.replace(JOB, str(job)), values=_about(self.values, job), expected=expected)


class Refusal(NamedTuple):
    """A statement that must fail, with which SQLSTATE, and with what in its message."""

    sql: str
    values: tuple[Any, ...]
    sqlstate: str
    words: str

    def about(self, job: int) -> Self:
        """The same for the job of that number."""
        return self._replace(values=_about(self.values, job))


def _about(values: tuple[Any, ...], job: int) -> tuple[Any, ...]:
    return tuple(job if value == JOB else value for value in values)


ONE = "FROM pgclone_jobs_view WHERE job_id = $1"
ONE_V = "FROM pgclone_jobs_view v WHERE v.job_id = $1"
CUSTOMERS = ("completed", "table", "sales", "customers", "1000")

READS: dict[str, Read] = {
    "the view": Read(f"SELECT status, op_type, schema_name, table_name, rows_copied {ONE}", (JOB,), [CUSTOMERS]),
    "the view by a constant": Read(
        "SELECT status, op_type, schema_name, table_name, rows_copied FROM pgclone.jobs_view WHERE job_id = {job}",
        (),
        [CUSTOMERS],
    ),
    "a column by a parameter": Read(f"SELECT $2::text || status {ONE}", (JOB, "is "), [("is completed",)]),
    "the text in the bar": Read(f"SELECT substr(progress_bar, 22, 20) {ONE}", (JOB,), [("] 100.0% | 1000 rows",)]),
    "a whole row": Read(f"SELECT (v).status FROM (SELECT v {ONE_V}) q", (JOB,), [("completed",)]),
    "json of a row": Read(f"SELECT row_to_json(v) ->> 'status' {ONE_V}", (JOB,), [("completed",)]),
    "an aggregate over a join": Read(
        "SELECT t.relname, count(*), sum(v.rows_copied) FROM pgclone_jobs_view v"
        " JOIN pg_class t ON t.relname = v.table_name WHERE v.job_id = $1"
        " AND t.relnamespace = 'sales'::regnamespace GROUP BY 1",
        (JOB,),
        [("customers", "1", "1000")],
    ),
    "several rows": Read(
        "SELECT job_id, g FROM pgclone_jobs_view, generate_series(1, $2::int) g WHERE job_id = $1 ORDER BY g",
        (JOB, 5),
        [(JOB, str(g)) for g in range(1, 6)],
    ),
    "no rows": Read(f"SELECT * {ONE}", (0,), []),
    "a call with a parameter": Read("SELECT pgclone_progress($1)::jsonb ->> 'status'", (JOB,), [("completed",)]),
    "a call with a constant": Read("SELECT pgclone_progress({job})::jsonb ->> 'job_id'", (), [(JOB,)]),
    "a call per row": Read(f"SELECT pgclone_progress(job_id)::jsonb ->> 'status' {ONE}", (JOB,), [("completed",)]),
    "a call of a call per element": Read(
        "SELECT pgclone_progress((e ->> 'job_id')::int)::json ->> 'phase'"
        " FROM json_array_elements(pgclone_jobs()::json) e WHERE (e ->> 'job_id')::int = $1",
        (JOB,),
        [("completed",)],
    ),
    "a function in FROM": Read(
        "WITH d AS (SELECT * FROM pgclone_progress_detail()) SELECT status FROM d WHERE job_id = $1",
        (JOB,),
        [("completed",)],
    ),
    "a null argument": Read("SELECT pgclone_progress(NULL), $1::int", (1,), [(None, "1")]),
    "our names as data": Read(
        "SELECT 'pgclone_jobs()', $1::text", ("pgclone_version()",), [("pgclone_jobs()", "pgclone_version()")]
    ),
}

REFUSALS: dict[str, Refusal] = {
    "unknown job": Refusal("SELECT pgclone_progress(999999)", (), "P0002", "job 999999 not found"),
    "unknown job by parameter": Refusal("SELECT pgclone_progress($1)", (999999,), "P0002", "job 999999 not found"),
    "unknown job per row": Refusal(
        "SELECT pgclone_progress(g + $1::int) FROM generate_series(1, 3) g", (999990,), "P0002", "job 999991 not found"
    ),
    "too few arguments": Refusal("SELECT pgclone_progress()", (), "42883", "pgclone_progress"),
    "too many arguments": Refusal("SELECT pgclone_progress($1::int, 2)", (1,), "42883", "pgclone_progress"),
    "a wrong type": Refusal("SELECT pgclone_progress('abc')", (), "22P02", "abc"),
    "an unknown column": Refusal(f"SELECT nosuch {ONE}", (1,), "42703", "nosuch"),
    "an error of PostgreSQL's per row": Refusal(
        f"SELECT 1 / (job_id - job_id) {ONE}", (JOB,), "22012", "division by zero"
    ),
    "a change of the view": Refusal("DELETE FROM pgclone_jobs_view", (), "55000", "cannot modify view"),
    "actions analyzed": Refusal("EXPLAIN ANALYZE SELECT pgclone_clear_jobs()", (), "0A000", "EXPLAIN ANALYZE"),
}

REFUSED_ACTIONS: dict[str, Refusal] = {
    "cancel of an unknown job": Refusal("SELECT pgclone_cancel($1)", (999999,), "P0002", "job 999999 not found"),
    "a completed job resumed": Refusal("SELECT pgclone_resume($1)", (JOB,), "55000", "not resumable"),
    "an unknown option": Refusal(
        "SELECT pgclone_schema_async($1, 's', true, '{\"paralel\": 4}')", ("host=h",), "22023", "paralel"
    ),
    "a conninfo of the proxy's own": Refusal(
        "SELECT pgclone_schema_async($1, 's')", ("host=h service=x",), "22023", "service"
    ),
    "no schema": Refusal("SELECT pgclone_schema_async($1, NULL)", ("host=h",), "22004", "schema_name"),
}

START = "SELECT pgclone_table_async($1, $2, $3, true, $4)"
PER_ROW = "SELECT pgclone_table_async($1, schemaname, tablename, true) FROM pg_tables WHERE schemaname = 'sales'"
STATUS = f"SELECT status, rows_copied {ONE}"
NOT_ENDED = ("pending", "running")


def ended(client: SqlClient, job: int) -> tuple[str | None, ...]:
    """Waits for a job; its status and how many rows it has copied."""

    def look() -> tuple[str | None, ...] | None:
        ((status, rows),) = client.rows(STATUS, job)
        return None if status in NOT_ENDED else (status, rows)

    return wait_until(look, 30, f"job {job} to end")


@contextmanager
def holding(source: Database) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Locks public.held on the source: jobs that clone it run, and wait, until this connection rolls back or ends."""
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.held IN ACCESS EXCLUSIVE MODE")
        yield holder
