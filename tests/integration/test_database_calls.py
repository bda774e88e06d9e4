"""pgclone_functions, pgclone_database and pgclone_database_create, called through the proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clone_engine.records.names import quote_ident
from proxy.launch import ProxyProcess
from tests.clone.serial import all_contents, case, definitions
from tests.harness.clients import CLIENTS, SqlClient, SqlError
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import under_way, wait_until

NEW = 'a "new" one'
PARALLEL = '{"parallel": 1}'


@pytest.fixture
def client(proxy: ProxyProcess, target_database: Database) -> Iterator[SqlClient]:
    connected = CLIENTS["psycopg"](proxy, target_database)
    yield connected
    connected.close()


@pytest.fixture
def created(target_database: Database) -> Iterator[Database]:
    """The database that calls create; it does not exist yet."""
    yield Database(target_database.server, NEW)
    target_database.execute(f"DROP DATABASE IF EXISTS {quote_ident(NEW)} WITH (FORCE)")


def test_functions(client: SqlClient, source_database: Database, target_database: Database) -> None:
    source_database.execute("CREATE SCHEMA s; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    for call in ("pgclone_functions($1, 's')", "pgclone.functions($1, 's')"):
        assert client.rows(f"SELECT {call}", source_database.conninfo()) == [("OK",)]
    assert target_database.value("SELECT s.f()") == 1


@pytest.mark.parametrize("call", ["pgclone_database($1)", "pgclone.database($1, true, '{\"parallel\": 3}')"])
def test_database(client: SqlClient, source_database: Database, target_database: Database, call: str) -> None:
    source_database.execute(case("database")[0])
    assert client.rows(f"SELECT {call}", source_database.conninfo()) == [("OK",)]
    assert definitions(target_database) == definitions(source_database)
    assert all_contents(target_database) == all_contents(source_database)


def test_database_without_data(client: SqlClient, source_database: Database, target_database: Database) -> None:
    source_database.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1")
    assert client.rows("SELECT pgclone_database($1, false)", source_database.conninfo()) == [("OK",)]
    assert target_database.rows("SELECT * FROM s.t") == []


def test_options_of_tables_are_refused(client: SqlClient, source_database: Database) -> None:
    with pytest.raises(SqlError, match='option "where" must be an object of conditions by table'):
        client.rows('SELECT pgclone_database($1, true, \'{"where": "true"}\')', source_database.conninfo())


PROPERTIES = """
COMMENT ON DATABASE {0} IS 'it''s a comment';
ALTER DATABASE {0} SET search_path = 'App x', public; ALTER DATABASE {0} SET my.setting = 'it''s';
ALTER DATABASE {0} CONNECTION LIMIT 50; REVOKE CONNECT ON DATABASE {0} FROM PUBLIC; GRANT TEMP ON DATABASE {0} TO PUBLIC
"""
MADE = """
SELECT pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit, datacl::text,
       shobj_description(d.oid, 'pg_database'),
       (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE datname = current_database()
"""


def test_a_database_is_created_as_the_source_is(
    client: SqlClient, source_database: Database, created: Database
) -> None:
    server = source_database.server
    admin = Database(server, "postgres")
    admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    latin = Database(server, "latin")
    try:
        latin.execute("CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('é')")
        latin.execute(PROPERTIES.format("latin"))
        assert client.rows(f"SELECT pgclone_database_create($1, '{NEW}')", latin.conninfo()) == [("OK",)]
        assert created.rows(MADE) == latin.rows(MADE)
        assert created.rows("SELECT * FROM t") == latin.rows("SELECT * FROM t")
        assert definitions(created) == definitions(latin)
    finally:
        admin.execute("DROP DATABASE latin WITH (FORCE)")


def test_one_that_exists_is_refused_or_cloned_into(
    client: SqlClient, source_database: Database, created: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE one (id int); CREATE TABLE two AS SELECT 2 AS id")
    target_database.execute(f"CREATE DATABASE {quote_ident(NEW)}")
    created.execute("CREATE TABLE one (id int)")
    with pytest.raises(SqlError, match="already exists") as refused:
        client.rows(f"SELECT pgclone.database_create($1, '{NEW}', true)", source_database.conninfo())
    assert refused.value.sqlstate == "42P04"
    assert created.rows("SELECT relname FROM pg_class WHERE relname = 'two'") == []
    call = f"SELECT pgclone_database_create($1, '{NEW}', true, '{{\"conflict\": \"skip\"}}')"
    assert client.rows(call, source_database.conninfo()) == [("OK",)]
    assert created.rows("SELECT * FROM two") == [(2,)]


@pytest.mark.parametrize(("name", "sqlstate"), [("''", "22023"), ("NULL", "22004"), ("repeat('x', 64)", "42622")])
def test_names_that_no_database_can_have(
    client: SqlClient, source_database: Database, name: str, sqlstate: str
) -> None:
    with pytest.raises(SqlError) as refused:
        client.rows(f"SELECT pgclone_database_create($1, {name})", source_database.conninfo())
    assert refused.value.sqlstate == sqlstate


def test_a_database_in_which_nothing_is_complete_is_dropped_again(
    client: SqlClient, source_database: Database, created: Database, target_database: Database
) -> None:
    source_database.execute("CREATE FUNCTION f() RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'")
    source_database.execute("UPDATE pg_proc SET probin = '$libdir/nowhere' WHERE proname = 'f'")
    with pytest.raises(SqlError, match="nowhere"):
        client.rows(f"SELECT pgclone_database_create($1, '{NEW}')", source_database.conninfo())
    assert not target_database.rows(f"SELECT FROM pg_database WHERE datname = '{NEW}'")


CHECK = "CREATE OR REPLACE FUNCTION fine(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT {}'"


def test_one_that_holds_something_stays_and_is_gone_on_in(
    client: SqlClient, source_database: Database, created: Database
) -> None:
    source_database.execute(CHECK.format("true"))
    source_database.execute("CREATE TABLE good AS SELECT 1 AS id; CREATE TABLE bad (id int CHECK (fine(id)))")
    source_database.execute("INSERT INTO bad VALUES (2); " + CHECK.format("false"))
    with pytest.raises(SqlError, match="violates") as failed:
        client.rows(f"SELECT pgclone_database_create($1, '{NEW}', true, '{PARALLEL}')", source_database.conninfo())
    assert "stays with what is complete" in failed.value.detail
    created.execute(CHECK.format("true"))
    resumed = client.rows("SELECT pgclone_resume(max(job_id)) FROM pgclone_jobs_view")[0][0]
    state = f"SELECT status FROM pgclone_jobs_view WHERE job_id = {resumed} AND end_time IS NOT NULL"
    assert wait_until(lambda: client.rows(state)) == [("completed",)]
    assert created.rows("SELECT * FROM good, bad") == [(1, 2)]


def test_a_cancelled_call_drops_the_database_in_which_nothing_is_complete(
    client: SqlClient, source_database: Database, created: Database, target_database: Database, proxy: ProxyProcess
) -> None:
    source_database.execute("CREATE TABLE t AS SELECT 1 AS id")
    exists = f"SELECT count(*) FROM pg_database WHERE datname = '{NEW}'"
    newest = "SELECT max(job_id) FROM pgclone_jobs_view WHERE status = 'running'"
    with source_database.connect() as holder, connect(proxy, target_database.name) as other:
        holder.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with under_way(
            lambda: client.rows(f"SELECT pgclone_database_create($1, '{NEW}')", source_database.conninfo())
        ) as call:
            wait_until(lambda: target_database.value(exists), 20, "the new database")
            assert other.execute(f"SELECT pgclone_cancel(({newest})::int)").fetchall() == [("cancelled",)]
            with pytest.raises(SqlError, match="was cancelled"):
                call.result(20)
    assert not target_database.value(exists)
