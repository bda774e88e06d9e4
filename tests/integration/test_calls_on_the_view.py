"""Actions that are called for rows of the view: a statement sees the jobs as they were when it began, and new ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.clients import SqlClient
from tests.harness.servers import Database
from tests.harness.waiting import wait_until


@pytest.fixture
def running(client: SqlClient, source_database: Database) -> Iterator[int]:
    """The number of a job that runs until it is cancelled."""
    source_database.execute("CREATE TABLE public.t AS SELECT 1 AS id")
    with source_database.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        (started,) = client.rows("SELECT pgclone_table_async($1, 'public', 't')", source_database.conninfo())
        wait_until(
            lambda: client.rows(f"SELECT status FROM pgclone_jobs_view WHERE job_id = {started[0]}")[0][0] == "running"
        )
        yield int(started[0])
        client.rows(f"SELECT pgclone_cancel({started[0]})")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT job_id, pgclone_cancel(job_id) FROM pgclone_jobs_view WHERE status = 'running' AND job_id = {}",
        "SELECT j, pgclone_cancel(j) FROM (SELECT max(job_id) AS j FROM pgclone.jobs_view WHERE status = 'running') x",
        "SELECT {0}, pgclone_cancel({0}) WHERE pgclone_progress({0}) LIKE '%\"running\"%'",
        "SELECT {0}, pgclone_cancel({0}) FROM pgclone_progress_detail() WHERE job_id = {0} AND status = 'running'",
    ],
)
def test_what_an_action_changes_does_not_change_the_rows_it_is_called_for(
    client: SqlClient, running: int, query: str
) -> None:
    assert [tuple(map(str, row)) for row in client.rows(query.format(running))] == [(str(running), "cancelled")]
    assert client.rows(f"SELECT status FROM pgclone_jobs_view WHERE job_id = {running}") == [("cancelled",)]


def test_a_statement_sees_the_job_that_it_starts(client: SqlClient, source_database: Database) -> None:
    query = (
        "WITH started AS MATERIALIZED (SELECT pgclone_table_async($1, 'public', 'nowhere') AS id)"
        " SELECT v.job_id - started.id, op_type FROM started JOIN pgclone_jobs_view v ON v.job_id = started.id"
    )
    assert [tuple(map(str, row)) for row in client.rows(query, source_database.conninfo())] == [("0", "table")]
