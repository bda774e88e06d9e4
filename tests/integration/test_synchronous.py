"""The functions that answer when the clone is there: psql, psycopg and asyncpg, with real clones behind them."""

from __future__ import annotations

import pytest

from tests.harness.clients import SqlClient, SqlError
from tests.harness.compare import assert_same_schema
from tests.harness.servers import Database

SOURCE = """
CREATE SCHEMA s;
CREATE TABLE s.a (id int PRIMARY KEY, v text CHECK (v <> ''));
CREATE INDEX a_v ON s.a (v);
CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON s.a FOR EACH ROW EXECUTE FUNCTION s.f();
INSERT INTO s.a SELECT g, 'v' || g FROM generate_series(1, 1000) g;
"""
INDEXES = "SELECT count(*) FROM pg_index WHERE indrelid = 's.a'::regclass"
CHECKS = "SELECT count(*) FROM pg_constraint WHERE conrelid = 's.a'::regclass AND contype = 'c'"
TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 's.a'::regclass"


@pytest.fixture
def conninfo(source_database: Database) -> str:
    source_database.execute(SOURCE)
    return source_database.conninfo()


CALLS = {
    "table, 3 arguments": ("pgclone_table($1, 's', 'a')", "s.a", 1000),
    "table, 4 arguments": ("pgclone.table($1, 's', 'a', false)", "s.a", 0),
    "table, 5 arguments": ("pgclone_table($1, 's', 'a', true, 'b')", "s.b", 1000),
    "table, 6 arguments": ("public.pgclone_table($1, 's', 'a', true, NULL, '{\"where\": \"id < 11\"}')", "s.a", 10),
    "table_ex": ("pgclone_table_ex($1, 's', 'a', true, NULL)", "s.a", 1000),
    "schema, 2 arguments": ("pgclone_schema($1, 's')", "s.a", 1000),
    "schema, 4 arguments": ("pgclone.schema($1, 's', false, '{\"parallel\": 1}')", "s.a", 0),
    "schema_ex": ("pgclone.schema_ex($1, 's', true)", "s.a", 1000),
}


@pytest.mark.parametrize(
    "call",
    [
        "pgclone_table($1, 's', 't')",
        "pgclone_table_ex($1, 's', 't', true, NULL, include_triggers => false)",
        "pgclone_schema($1, 's')",
    ],
)
def test_what_a_clone_needs_of_other_schemas_comes_with_it(
    client: SqlClient, source_database: Database, target_database: Database, call: str
) -> None:
    source_database.execute(
        "CREATE SCHEMA s; CREATE SCHEMA lib; CREATE TYPE lib.color AS ENUM ('red'); CREATE SEQUENCE lib.numbers;"
        "CREATE FUNCTION lib.good(lib.color) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';"
        "CREATE TABLE s.t (id int DEFAULT nextval('lib.numbers'), c lib.color CHECK (lib.good(c)));"
        "INSERT INTO s.t (c) VALUES ('red'), (NULL)"
    )
    assert client.rows(f"SELECT {call}", source_database.conninfo()) == [("OK",)]
    for schema in ("s", "lib"):
        assert_same_schema(source_database, target_database, schema)


@pytest.mark.parametrize("name", CALLS)
def test_the_answer_is_ok_when_the_clone_is_there(
    client: SqlClient, conninfo: str, target_database: Database, name: str
) -> None:
    target_database.execute("CREATE SCHEMA IF NOT EXISTS other")
    call, table, rows = CALLS[name]
    assert client.rows(f"SELECT {call}", conninfo) == [("OK",)]
    assert target_database.value(f"SELECT count(*) FROM {table}") == rows


def test_a_schema_is_the_same(
    client: SqlClient, conninfo: str, source_database: Database, target_database: Database
) -> None:
    assert client.rows("SELECT pgclone_schema($1, 's', true, NULL)", conninfo) == [("OK",)]
    assert_same_schema(source_database, target_database, "s")


@pytest.mark.parametrize(
    ("flags", "left"),
    [("", (2, 1, 1)), (", false", (1, 1, 1)), (", NULL, false", (1, 0, 1)), (", true, true, false", (2, 1, 0))],
)
def test_flags(client: SqlClient, conninfo: str, target_database: Database, flags: str, left: tuple[int, ...]) -> None:
    assert client.rows(f"SELECT pgclone_schema_ex($1, 's', true{flags})", conninfo) == [("OK",)]
    assert tuple(target_database.value(count) for count in (INDEXES, CHECKS, TRIGGERS)) == left


def test_the_job_is_in_the_view_and_the_column_has_the_name_as_called(
    client: SqlClient, conninfo: str, target_database: Database
) -> None:
    assert client.rows("SELECT q.pgclone_table FROM (SELECT pgclone_table($1, 's', 'a')) q", conninfo) == [("OK",)]
    assert client.rows("SELECT status, op_type, rows_copied FROM pgclone_jobs_view ORDER BY job_id DESC LIMIT 1") == [
        ("completed", "table", "1000")
    ]


def test_a_null_argument_of_a_strict_one_is_null_and_starts_nothing(client: SqlClient, conninfo: str) -> None:
    before = client.rows("SELECT count(*) FROM pgclone_jobs_view")
    assert client.rows("SELECT pgclone_table($1, NULL, 'a'), pgclone_schema($1, 's', NULL)", conninfo) == [(None, None)]
    assert client.rows("SELECT count(*) FROM pgclone_jobs_view") == before


def test_a_null_name_of_the_others_is_refused(client: SqlClient, conninfo: str) -> None:
    with pytest.raises(SqlError) as refused:
        client.rows("SELECT pgclone_table($1, 's', NULL, true, NULL)", conninfo)
    assert refused.value.sqlstate == "22004"


def test_a_job_that_fails_is_the_error_of_the_call(client: SqlClient, conninfo: str, target_database: Database) -> None:
    target_database.execute("CREATE SCHEMA s; CREATE TABLE s.a (x int)")
    with pytest.raises(SqlError) as failed:
        client.rows("SELECT pgclone_table($1, 's', 'a')", conninfo)
    ((job, error),) = client.rows("SELECT job_id, error_message FROM pgclone_jobs_view ORDER BY job_id DESC LIMIT 1")
    assert (error or "").startswith(f"{failed.value.message}\n")
    assert "conflict" in failed.value.hint
    assert failed.value.sqlstate == "42P07"
    assert f"Job {job} has failed" in failed.value.detail
    assert f"pgclone_resume({job})" in failed.value.hint and "pgclone_jobs_view" in failed.value.hint


def test_several_calls_run_in_order(client: SqlClient, conninfo: str, target_database: Database) -> None:
    names = "(VALUES ('one'), ('two')) v(name)"
    sql = f"SELECT name, pgclone_table($1, 's', 'a', true, name) FROM {names} ORDER BY name"
    assert client.rows(sql, conninfo) == [("one", "OK"), ("two", "OK")]
    assert target_database.value("SELECT count(*) FROM s.one NATURAL JOIN s.two") == 1000


def test_arguments_that_fit_none(client: SqlClient) -> None:
    with pytest.raises(SqlError) as refused:
        client.rows("SELECT pgclone_schema('c')")
    assert refused.value.sqlstate == "42883"
    assert refused.value.hint.count("pgclone_schema(source_conninfo text") == 2
