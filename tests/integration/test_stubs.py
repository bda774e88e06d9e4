"""Stubs: put into a database and taken out again, and what schema browsers see of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

from clone_engine.records.errors import PgError
from proxy.calls.signatures import VIEW_COLUMNS
from proxy.embedded import Server
from proxy.launch import ProxyProcess
from proxy.stubs.definitions import stubs
from proxy.stubs.installing import install, remove, transaction
from tests.harness.commands import run
from tests.harness.proxies import connect
from tests.harness.servers import PASSWORD, Database, fresh_database
from tests.integration.with_stubs import database_with_stubs, login

MARKED = """SELECT count(*) FROM (
    SELECT obj_description(oid, 'pg_proc') FROM pg_proc UNION ALL SELECT obj_description(oid, 'pg_class') FROM pg_class
    UNION ALL SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace) o(comment)
WHERE comment LIKE 'pgclone-proxy stub: %'"""


@pytest.fixture
def stubbed(server: Server) -> Iterator[Database]:
    with database_with_stubs(server) as database:
        yield database


def installed(database: Database) -> None:
    with transaction(login(database)) as connection:
        install(connection)


def test_they_are_put_in_and_taken_out_of_every_version(all_servers: list[Server]) -> None:
    for server in all_servers:
        with fresh_database(server) as database:
            for _ in range(2):
                installed(database)
                assert database.value(MARKED) == len(stubs())
            with transaction(login(database)) as connection:
                assert len(remove(connection)) == len(stubs())
                assert remove(connection) == []
            assert database.value(MARKED) == 0
            assert database.value("SELECT to_regnamespace('pgclone') IS NULL")


OTHERS = {
    "CREATE FUNCTION pgclone_version(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'": "function public.pgclone_version(",
    "CREATE TABLE pgclone_jobs_view (a int)": "table public.pgclone_jobs_view",
    "CREATE VIEW pgclone_jobs_view AS SELECT 1": "view public.pgclone_jobs_view",
    "CREATE SCHEMA pgclone": "schema pgclone",
}


@pytest.mark.parametrize("theirs", OTHERS)
def test_what_is_somebody_else_s_is_named_and_nothing_is_changed(database: Database, theirs: str) -> None:
    database.execute(theirs)
    with pytest.raises(PgError) as refused:
        installed(database)
    assert refused.value.sqlstate == "42710"
    assert OTHERS[theirs] in refused.value.message
    assert database.value(MARKED) == 0
    with transaction(login(database)) as connection:
        assert remove(connection) == []


def test_those_of_another_version_are_replaced_and_what_depends_on_them_is_kept(stubbed: Database) -> None:
    stubbed.execute(
        "CREATE VIEW v AS SELECT job_id FROM pgclone_jobs_view; CREATE VIEW w AS SELECT pgclone_version();"
        "DROP FUNCTION pgclone.jobs(); CREATE FUNCTION pgclone.jobs() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION pgclone.gone() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "COMMENT ON FUNCTION pgclone.jobs() IS 'pgclone-proxy stub';"
        "COMMENT ON FUNCTION pgclone.gone() IS 'pgclone-proxy stub'"
    )
    installed(stubbed)
    assert stubbed.value("SELECT pg_get_function_result('pgclone.jobs()'::regprocedure)") == "text"
    assert stubbed.value("SELECT to_regprocedure('pgclone.gone()') IS NULL")
    assert stubbed.value("SELECT count(*) FROM pg_views WHERE viewname IN ('v', 'w')") == 2
    assert stubbed.value(MARKED) == len(stubs())


def test_who_may_use_them_stays_as_it_was_decided(stubbed: Database) -> None:
    stubbed.execute("REVOKE ALL ON pgclone_jobs_view FROM PUBLIC; REVOKE ALL ON FUNCTION pgclone.version() FROM PUBLIC")
    installed(stubbed)
    assert stubbed.rows(
        "SELECT has_table_privilege('pg_monitor', 'pgclone_jobs_view', 'SELECT'),"
        " has_function_privilege('pg_monitor', 'pgclone.version()', 'EXECUTE'),"
        " has_table_privilege('pg_monitor', 'pgclone.jobs_view', 'SELECT'),"
        " has_function_privilege('pg_monitor', 'pgclone_version()', 'EXECUTE')"
    ) == [(False, False, True, True)]


def test_what_depends_on_them_is_named_and_dropped_only_with_cascade(stubbed: Database) -> None:
    stubbed.execute(
        "CREATE VIEW theirs AS TABLE pgclone_jobs_view; CREATE TABLE d (a text DEFAULT pgclone_version());"
        "CREATE FUNCTION pgclone.theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    with pytest.raises(PgError) as refused, transaction(login(stubbed)) as connection:
        remove(connection)
    assert "view public.theirs" in refused.value.message
    assert "--cascade" in refused.value.hint
    assert stubbed.value(MARKED) == len(stubs())
    with transaction(login(stubbed)) as connection:
        remove(connection, cascade=True)
    assert stubbed.rows("SELECT to_regclass('theirs'), to_regclass('d') IS NOT NULL") == [(None, True)]
    # Nobody else's function goes with the schema.
    assert stubbed.value("SELECT pgclone.theirs()") == 1


# --- the commands ---------------------------------------------------------------------------------------------


def command(name: str, place: Path, database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(name, "--dbname", database.name, *arguments, directory=place, DATABASE_URL=database.server.conninfo())


def test_the_commands(short_tmp: Path, database: Database) -> None:
    done = command("install-stubs", short_tmp, database)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"database {database.name}" in done.stdout
    database.execute("CREATE VIEW theirs AS TABLE pgclone_jobs_view")
    refused = command("remove-stubs", short_tmp, database)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "theirs" in refused.stderr and "--cascade" in refused.stderr
    done = command("remove-stubs", short_tmp, database, "--cascade")
    assert (done.returncode, done.stderr) == (0, "")
    assert database.value(MARKED) == 0


def test_the_commands_refuse_in_one_line(short_tmp: Path, database: Database) -> None:
    database.execute("CREATE TABLE pgclone_jobs_view ()")
    for arguments, words in (((), "pgclone_jobs_view"), (("--user", "nobody_at_all"), "nobody_at_all")):
        done = command("install-stubs", short_tmp, database, *arguments)
        assert (done.returncode, len(done.stderr.splitlines()), done.stdout) == (2, 1, "")
        assert words in done.stderr
    assert run("install-stubs", directory=short_tmp).returncode == 2


def test_the_commands_say_whose_rights_they_need(short_tmp: Path, database: Database) -> None:
    database.execute("CREATE ROLE stubs_nobody LOGIN")
    try:
        done = command("install-stubs", short_tmp, database, "--user", "stubs_nobody")
        assert "permission denied for database" in done.stderr
        assert "owner of the database" in done.stderr and "clone" not in done.stderr.removeprefix("pgclone-proxy")
    finally:
        database.execute("DROP ROLE stubs_nobody")


def test_sentences_of_an_error_end_once(short_tmp: Path) -> None:
    done = run("install-stubs", directory=short_tmp, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert "TCP/IP connections? Check the target's host" in done.stderr


def test_the_owner_of_a_database_installs_with_a_password_from_the_passfile(
    short_tmp: Path, scram_server: Server
) -> None:
    with fresh_database(scram_server) as database:
        database.execute("CREATE ROLE stubs_owner LOGIN PASSWORD 'canary-41'")
        database.execute(f"ALTER DATABASE {database.name} OWNER TO stubs_owner")
        (short_tmp / "pass").write_text("*:*:*:stubs_owner:canary-41\n")
        (short_tmp / "pass").chmod(0o600)
        target = scram_server.conninfo(password=PASSWORD)
        environment = {"DATABASE_URL": target, "PGCLONE_PROXY_JOBS_PASSFILE": "pass"}
        arguments = ["install-stubs", "--dbname", database.name, "--user", "stubs_owner"]
        done = run(*arguments, directory=short_tmp, **environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert database.value("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'pgclone'") == (
            "stubs_owner"
        )
        (short_tmp / "pass").write_text("*:*:*:stubs_owner:wrong-41\n")
        refused = run(*arguments, directory=short_tmp, **environment)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert not any(secret in refused.stderr for secret in ("canary-41", "wrong-41", PASSWORD))
        database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres; REASSIGN OWNED BY stubs_owner TO postgres")
        database.execute("DROP ROLE stubs_owner")


# --- what browsers see ----------------------------------------------------------------------------------------


def psql(proxy: ProxyProcess, database: Database, command: str) -> str:
    done = database.program("psql", "-X", "-d", proxy.conninfo(database.name), "-c", command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_psql_describes_them(proxy: ProxyProcess, stubbed: Database) -> None:
    for spelled in ("pgclone_jobs_view", "pgclone.jobs_view"):
        described = psql(proxy, stubbed, f"\\d {spelled}")
        for name, type_ in VIEW_COLUMNS:
            assert [name, type_] in [[cell.strip() for cell in line.split("|")[:2]] for line in described.splitlines()]
    flat, short = psql(proxy, stubbed, "\\df pgclone*"), psql(proxy, stubbed, "\\df pgclone.*")
    assert (
        "source_conninfo text, schema_name text, include_data boolean DEFAULT true, options text DEFAULT NULL" in flat
    )
    assert "pgclone_schema_async" in flat and " schema_async " in short


LISTED = {
    "tables": "tables WHERE table_name LIKE '%jobs_view'",
    "columns": "columns WHERE column_name = 'pct_complete'",
}


@pytest.mark.parametrize("what", LISTED)
def test_the_information_schema_lists_them_for_everybody(proxy: ProxyProcess, stubbed: Database, what: str) -> None:
    with connect(proxy, stubbed.name) as connection:
        connection.execute("SET ROLE pg_monitor")
        query = f"SELECT table_schema || '.' || table_name FROM information_schema.{LISTED[what]}"
        found = {name for (name,) in connection.execute(query.encode())}
    assert found == {"pgclone.jobs_view", "public.pgclone_jobs_view"}


DEFINITIONS = {
    "view": "CREATE VIEW d AS SELECT job_id FROM pgclone_jobs_view",
    "materialized view": "CREATE MATERIALIZED VIEW d AS SELECT job_id FROM pgclone.jobs_view",
    "function": "CREATE FUNCTION d() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT pgclone_version(); END",
    "default": "CREATE TABLE d (a text DEFAULT pgclone.version())",
    "rule": "CREATE RULE r AS ON INSERT TO t DO SELECT pgclone_jobs()",
    "both spellings": "CREATE VIEW d AS SELECT pgclone_version(), pgclone.version()",
}


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_definitions_can_be_stored_with_stubs_only(
    proxy: ProxyProcess, stubbed: Database, database: Database, name: str, prepare: bool
) -> None:
    def define(place: Database) -> None:
        with psycopg.connect(proxy.conninfo(place.name), autocommit=True) as connection:
            connection.execute("CREATE TABLE t ()")
            connection.execute(DEFINITIONS[name].encode(), prepare=prepare)

    define(stubbed)
    with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
        define(database)
    assert "install-stubs" in (refused.value.diag.message_hint or "")


def test_statements_about_them_are_the_server_s(proxy: ProxyProcess, stubbed: Database) -> None:
    with connect(proxy, stubbed.name) as connection:
        for statement in (
            "GRANT SELECT ON pgclone_jobs_view TO pg_monitor",
            "COMMENT ON FUNCTION pgclone_version() IS 'mine now'",
            "COMMENT ON FUNCTION pgclone_version() IS 'pgclone-proxy stub'",
            "ALTER FUNCTION pgclone_version() COST 5",
        ):
            connection.execute(statement)
    dumped: Any = stubbed.program("pg_dump", "-d", proxy.conninfo(stubbed.name))
    assert (dumped.returncode, "CREATE VIEW public.pgclone_jobs_view" in dumped.stdout) == (0, True)


def test_they_are_not_cloned_with_a_schema(proxy: ProxyProcess, stubbed: Database, server: Server) -> None:
    """Those of the source were in the way of the target's own."""
    with database_with_stubs(server) as source, connect(proxy, stubbed.name) as connection:
        source.execute("CREATE TABLE t AS SELECT 1 AS a; CREATE VIEW v AS SELECT a, job_id FROM t, pgclone_jobs_view")
        connection.execute("SELECT pgclone_schema(%s, 'public', true)", [source.conninfo()])
    assert stubbed.rows("SELECT a FROM t") == [(1,)]
    assert stubbed.value("SELECT to_regclass('v') IS NOT NULL")
    assert stubbed.value(MARKED) == len(stubs())


def test_sqlalchemy_reflects_them(proxy: ProxyProcess, stubbed: Database) -> None:
    url = f"postgresql+psycopg://postgres@127.0.0.1:{proxy.port}/{stubbed.name}"
    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    assert "pgclone_jobs_view" in inspector.get_view_names()
    assert "jobs_view" in inspector.get_view_names("pgclone")
    view = sqlalchemy.Table("jobs_view", sqlalchemy.MetaData(), schema="pgclone", autoload_with=engine)
    assert [column.name for column in view.columns] == [name for name, _ in VIEW_COLUMNS]
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.select(view.c.job_id)).fetchall() is not None
    engine.dispose()
