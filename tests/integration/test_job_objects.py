"""pgclone_job_objects: what became of each object of a job, with each client, while it runs and afterwards."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients import Rows, SqlClient, SqlError
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

SOURCE = """
CREATE SCHEMA s;
CREATE TABLE s.a (id int PRIMARY KEY, v text);
CREATE TABLE s.b (id int REFERENCES s.a);
CREATE TABLE s."c.d" ();
CREATE INDEX a_v ON s.a (v);
CREATE VIEW s.w AS SELECT id FROM s.a;
INSERT INTO s.a SELECT g, 'v' || g FROM generate_series(1, 100) g;
INSERT INTO s.b VALUES (1), (2);
"""
MADE = [
    ("constraint", "s", "a_pkey on a", "done", "", ""),
    ("foreign key", "s", "b_id_fkey on b", "done", "", ""),
    ("index", "s", "a_v", "done", "", ""),
    ("schema", "", "s", "done", "", ""),
    ("table", "s", "a", "done", "", "100 rows"),
    ("table", "s", "b", "done", "", "2 rows"),
    ("table", "s", "c.d", "done", "", "0 rows"),
    ("view", "s", "w", "done", "", ""),
]
MADE_BY_THE_JOB = "SELECT * FROM pgclone_job_objects($1) WHERE object_kind NOT IN ('owner', 'statistics') ORDER BY 1, 3"
SLOW = """
CREATE FUNCTION public.slow() RETURNS boolean LANGUAGE sql AS
'SELECT pg_advisory_xact_lock_shared(1); SELECT true';
"""
NEWEST = "SELECT max(job_id) FROM pgclone_jobs_view"


@pytest.fixture
def conninfo(source_database: Database) -> str:
    source_database.execute(SOURCE)
    return source_database.conninfo()


def newest(client: SqlClient) -> int:
    ((job,),) = client.rows(NEWEST)
    return int(job or 0)


def test_each_object_is_a_row(client: SqlClient, conninfo: str) -> None:
    assert client.rows("SELECT pgclone_schema($1, 's')", conninfo) == [("OK",)]
    assert client.rows(MADE_BY_THE_JOB.replace("pgclone_job", "pgclone.job"), newest(client)) == MADE


def test_in_the_same_order_each_time_and_once_prepared(client: SqlClient, conninfo: str) -> None:
    client.rows("SELECT pgclone_schema($1, 's')", conninfo)
    first = newest(client)
    report = client.prepare("SELECT object_kind, object_name FROM pgclone_job_objects($1::int)")
    rows = report(first)
    assert len(rows) > len(MADE) and report(first) == rows
    client.rows("SELECT pgclone_functions($1, 's')", conninfo)
    assert report(newest(client)) != rows


def test_of_several_jobs(client: SqlClient, conninfo: str) -> None:
    client.rows("SELECT pgclone_schema($1, 's')", conninfo)
    sql = "SELECT o.state, count(*) FROM pgclone_jobs_view j, pgclone_job_objects(j.job_id) o WHERE j.job_id = $1"
    ((state, _),) = client.rows(f"{sql} GROUP BY 1", newest(client))
    assert state == "done"


def test_an_unknown_job_is_the_error_of_progress(client: SqlClient) -> None:
    def refusal(call: str) -> tuple[str, str, str]:
        with pytest.raises(SqlError) as refused:
            client.rows(call)
        return refused.value.sqlstate, refused.value.message, refused.value.hint

    assert refusal("SELECT * FROM pgclone_job_objects(99999)") == refusal("SELECT pgclone_progress(99999)")
    assert client.rows("SELECT * FROM pgclone_job_objects(NULL)") == []


def test_what_is_left_out_is_skipped_with_the_reason(client: SqlClient, conninfo: str) -> None:
    columns = '{"columns": ["id"]}'
    client.rows("SELECT pgclone_table($1, 's', 'a', true, 'few', $2)", conninfo, columns)
    rows = client.rows("SELECT * FROM pgclone_job_objects($1) WHERE state <> 'done'", newest(client))
    assert rows == [("index", "s", "a_v", "skipped", "", "uses a column that is left out")]


@pytest.mark.parametrize("conflict", ["error", "replace"])
def test_a_job_that_fails(client: SqlClient, source_database: Database, conninfo: str, conflict: str) -> None:
    """With replace all of it is undone; otherwise what is complete stays."""
    source_database.execute("ALTER TABLE s.b DROP CONSTRAINT b_id_fkey; INSERT INTO s.b VALUES (1000)")
    source_database.execute("ALTER TABLE s.b ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES s.a NOT VALID")
    source_database.execute("UPDATE pg_constraint SET convalidated = true WHERE conname = 'f'")
    if conflict == "replace":
        client.rows("CREATE SCHEMA s CREATE TABLE a ()")
    # Foreign keys are checked behind rows that are of no snapshot.
    options = f'{{"conflict": "{conflict}", "consistent": false}}'
    with pytest.raises(SqlError):
        client.rows("SELECT pgclone_schema($1, 's', true, $2)", conninfo, options)
    rows = client.rows("SELECT * FROM pgclone_job_objects($1)", newest(client))
    found = {row[:3]: row[3:] for row in rows}
    assert found["foreign key", "s", "f on b"][:2] == ("failed", "23503")
    assert rows[-1][:5] == ("job", "", str(newest(client)), "failed", "23503")
    state, _, message = found["table", "s", "a"]
    made = ("done", "100 rows") if conflict == "error" else ("failed", "not made: the job ended before")
    assert (state, message) == made


def test_a_job_that_is_refused_while_it_is_planned(client: SqlClient, conninfo: str) -> None:
    client.rows("CREATE SCHEMA s CREATE TABLE a ()")
    with pytest.raises(SqlError) as failed:
        client.rows("SELECT pgclone_table($1, 's', 'a')", conninfo)
    assert client.rows("SELECT * FROM pgclone_job_objects($1)", newest(client)) == [
        ("job", "", str(newest(client)), "failed", "42P07", failed.value.message)
    ]


def test_while_it_runs_and_when_it_was_cancelled(client: SqlClient, source_database: Database, conninfo: str) -> None:
    tables = "SELECT object_name, state, message FROM pgclone_job_objects($1) WHERE object_kind = 'table' ORDER BY 1"
    # The job's pg_dump takes its lock before; what is held up are the rows of b.
    source_database.execute(SLOW)
    with source_database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        options = '{"parallel": 1, "where": {"b": "public.slow()"}}'
        client.rows("SELECT pgclone_schema_async($1, 's', true, $2)", conninfo, options)
        job = newest(client)
        done = wait_until(lambda: client.rows(tables, job), 20, "a table that is done")
        assert ("a", "done", "100 rows") in done and "b" not in [name for name, _, _ in done]
        client.rows("SELECT pgclone_cancel($1)", job)
    rows = client.rows(tables, job)
    assert ("a", "done", "100 rows") in rows and ("b", "failed", "not copied: the job ended before") in rows
    last = client.rows("SELECT * FROM pgclone_job_objects($1)", job)[-1]
    assert last == ("job", "", str(job), "failed", "57014", "the job was cancelled")


def rows_of(connection: psycopg.Connection[tuple[str, ...]], job: int) -> Rows:
    return connection.execute("SELECT * FROM pgclone_job_objects(%s) ORDER BY 1, 2, 3", [job]).fetchall()


def test_only_for_those_who_see_the_job_and_also_after_a_restart(
    proxies: Proxies, target_database: Database, conninfo: str
) -> None:
    target_database.execute("CREATE ROLE of_another LOGIN")
    try:
        started = proxies.start(target_database.server.conninfo())
        with connect(started, target_database.name) as connection:
            connection.execute("SELECT pgclone_schema(%s, 's')", [conninfo])
            before = rows_of(connection, 1)
            assert before
            with connect(started, target_database.name, user="of_another") as other:
                with pytest.raises(psycopg.Error, match="job 1 not found") as refused:
                    rows_of(other, 1)
                assert refused.value.sqlstate == "P0002"
        started.stop()
        started.start()
        with connect(started, target_database.name, user=SUPERUSER) as connection:
            assert rows_of(connection, 1) == before
    finally:
        target_database.execute("DROP ROLE of_another")


def test_in_a_read_only_transaction(proxy: ProxyProcess, target_database: Database, conninfo: str) -> None:
    with connect(proxy, target_database.name) as connection:
        connection.execute("SELECT pgclone_schema(%s, 's')", [conninfo])
        (job,) = connection.execute(NEWEST).fetchone() or (0,)
        connection.execute("BEGIN READ ONLY")
        assert rows_of(connection, job)
