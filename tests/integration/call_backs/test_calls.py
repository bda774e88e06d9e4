"""Calls from SQL on the server, where the proxy sees no statement: DO blocks, functions, views, dynamic SQL."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from proxy.stubs.installing import install, transaction
from tests.harness.proxies import connect
from tests.harness.servers import Database, fresh_database
from tests.harness.wire import Client, query
from tests.integration.call_backs.calling import SOURCE, Connection, schemas, value
from tests.integration.with_stubs import login

STARTING = {
    "a function of the user's own": ("SELECT started('a')", ["a"]),
    "a function, for each row": ("SELECT started(n) FROM unnest(ARRAY['a', 'b', 'c']) n", ["a", "b", "c"]),
    "a DO block": (f"DO $$ BEGIN PERFORM pgclone.schema_async('{SOURCE}', 'a'); END $$", ["a"]),
    "dynamic SQL": (f"SELECT answers($$SELECT pgclone_schema_async('{SOURCE}', 'a', options => '{{}}')$$)", ["a"]),
    "as pgTAP runs statements": (f"SELECT runs($$SELECT pgclone_schema_async('{SOURCE}', 'a')$$)", ["a"]),
    "a default": ("INSERT INTO wanted (name) VALUES ('x') RETURNING job", ["by_default"]),
    "a trigger": ("INSERT INTO triggering VALUES ('a'), ('b') RETURNING job", ["a", "b"]),
    "an exception that is caught": (f"""DO $$ BEGIN
        BEGIN PERFORM pgclone_progress(0); EXCEPTION WHEN no_data_found THEN
        PERFORM pgclone_schema_async('{SOURCE}', 'caught'); END; END $$""", ["caught"]),
    "EXPLAIN": ("EXPLAIN SELECT started('a')", []),
    "a row that is not there": ("SELECT started('a') WHERE false", []),
    "a NULL that the function does not take": ("DO $$ BEGIN PERFORM pgclone_cancel(NULL); END $$", []),
}  # fmt: skip


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", STARTING)
def test_actions_are_done_once_for_each_call(session: Connection, name: str, prepare: bool) -> None:
    sql, expected = STARTING[name]
    before = len(schemas(session))
    session.execute(sql.encode(), prepare=prepare)
    assert schemas(session)[before:] == expected


READING = {
    "a view over the view": "SELECT count(*) > 0 FROM their_jobs WHERE schema_name = 'read'",
    "dynamic SQL over the view": "SELECT answers($$SELECT count(*) FROM pgclone.jobs_view"
    " WHERE schema_name = 'read'$$) <> '0'",
    "the set-returning function": "SELECT answers($$SELECT count(*) FROM pgclone_progress_detail() p"
    " WHERE p.schema_name = 'read'$$) <> '0'",
    "progress": "SELECT answers('SELECT pgclone_progress(' || max(job_id) || ')')::json ->> 'job_id'"
    " = max(job_id)::text FROM pgclone_jobs_view",
    "a function that is called stable": "SELECT stable() = pgclone_version()",
    "version": "SELECT answers('SELECT pgclone_version()') = pgclone_version()",
    "jobs": "SELECT json_typeof(answers('SELECT pgclone.jobs()')::json) = 'array'",
}
MODES = [
    "ISOLATION LEVEL READ COMMITTED",
    "READ ONLY",
    "ISOLATION LEVEL REPEATABLE READ",
    "ISOLATION LEVEL SERIALIZABLE",
]


@pytest.mark.parametrize("mode", MODES)
def test_reads_in_every_kind_of_transaction(session: Connection, mode: str) -> None:
    session.execute("SELECT started('read')")
    session.commit()
    session.execute(f"SET TRANSACTION {mode}".encode())
    assert {name: value(session, sql) for name, sql in READING.items()} == dict.fromkeys(READING, True)


def test_copy_in_both_directions(session: Connection) -> None:
    before = schemas(session)
    with session.cursor().copy("COPY triggering (name) FROM STDIN") as into:
        for name in ("one", "two"):
            into.write_row((name,))
    assert schemas(session)[len(before) :] == ["one", "two"]
    with session.cursor().copy("COPY (SELECT schema_name FROM their_jobs ORDER BY job_id) TO STDOUT") as out:
        copied = [name for (name,) in out.rows()]
    assert copied == schemas(session)


def test_cursors_over_views(session: Connection) -> None:
    session.execute("SELECT started('seen')")
    session.execute("DECLARE c CURSOR FOR SELECT schema_name, pgclone.version() FROM their_jobs ORDER BY job_id DESC")
    session.execute("DECLARE d CURSOR FOR SELECT schema_name, answers('SELECT pgclone.version()') FROM their_jobs")
    assert session.execute("FETCH 1 FROM c").fetchone() == ("seen", value(session, "SELECT pgclone_version()"))
    assert len(session.execute("FETCH ALL FROM d").fetchall()) == len(schemas(session))


def test_the_rows_of_an_action(place: tuple[ProxyProcess, Database], session: Connection) -> None:
    asked = f"SELECT match FROM pgclone_verify('{place[1].conninfo()}', 'public') WHERE table_name = 'wanted'"
    assert value(session, f"SELECT answers($${asked}$$)") == "✓"


def test_a_read_only_transaction_starts_nothing(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    with connect(proxy, database.name) as connection:
        before = schemas(connection)
        connection.execute("SET default_transaction_read_only = on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match=r"cannot execute pgclone_schema_async\(\)"):
            connection.execute(f"DO $$ BEGIN PERFORM pgclone_schema_async('{SOURCE}', 'a'); END $$")
        assert schemas(connection) == before


def test_the_one_kind_of_transaction_in_which_no_reply_is_seen_says_so(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    with psycopg.connect(proxy.conninfo(database.name)) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        block = "DO $$ BEGIN PERFORM pgclone_version(); END $$"
        if database.server.installation.major < 16:
            connection.execute(block)
            return
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            connection.execute(block)
        assert "READ COMMITTED" in (refused.value.diag.message_hint or "")


def test_errors_are_the_proxy_s_own(session: Connection) -> None:
    with pytest.raises(psycopg.errors.NoDataFound) as refused:
        session.execute("DO $$ BEGIN PERFORM pgclone_progress(123456); END $$")
    assert refused.value.diag.message_primary == "pgclone: job 123456 not found"
    assert "pgclone_jobs_view" in (refused.value.diag.message_hint or "")
    session.rollback()
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        session.execute("DO $$ BEGIN PERFORM pgclone_schema_async('colour=red', 's'); END $$")
    assert refused.value.diag.message_detail and refused.value.diag.message_hint


def test_the_client_gets_the_notices_of_calls_and_no_others(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    with Client("127.0.0.1", proxy.port, "postgres", database.name) as client:
        client.send(query("DO $$ BEGIN RAISE INFO 'mine'; PERFORM pgclone_clear_jobs(); RAISE NOTICE 'too'; END $$"))
        said = client.until_ready()
    assert [kind for kind, _ in said] == [b"N", b"N", b"N", b"C", b"Z"]
    for (_, body), words in zip(said, (b"mine", b"cleared", b"too"), strict=False):
        assert words in body


def test_a_function_in_a_statement_with_an_action_may_read_and_not_act(session: Connection) -> None:
    before = schemas(session)
    session.execute("SAVEPOINT s")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="in a statement that calls a pgclone action itself"):
        session.execute(f"SELECT started('twice'), pgclone_schema_async('{SOURCE}', 'b')")
    session.execute("ROLLBACK TO SAVEPOINT s")
    assert schemas(session) == before
    session.execute(f"SELECT answers('SELECT pgclone_version()'), pgclone_schema_async('{SOURCE}', 'b')")
    assert schemas(session)[len(before) :] == ["b"]


def test_a_call_waits_until_the_clone_is_there(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    with fresh_database(database.server) as source, connect(proxy, database.name) as connection:
        source.execute("CREATE TABLE cloned AS SELECT generate_series(1, 10) AS id")
        call = f"pgclone_table('{source.conninfo()}', 'public', 'cloned', true, 'by_call')"
        connection.execute(f"DO $$ BEGIN ASSERT {call} = 'OK'; END $$".encode())
    assert database.value("SELECT count(*) FROM by_call") == 10
    database.execute("DROP TABLE by_call")


def test_a_database_without_the_characters_of_the_bar(server: Server, proxy: ProxyProcess) -> None:
    admin = Database(server, "postgres")
    admin.execute("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    latin = Database(server, "latin")
    with transaction(login(latin)) as direct:
        install(direct)
    with connect(proxy, "latin") as connection:
        block = f"DO $$ BEGIN PERFORM pgclone_schema_async('{SOURCE}', 'Grün'); END $$"
        connection.execute(block)
        connection.execute("CREATE VIEW bars AS SELECT progress_bar, schema_name FROM pgclone_jobs_view")
        rows = connection.execute("SELECT left(progress_bar, 2), schema_name FROM bars").fetchall()
    assert rows[-1] in [("[.", "Grün"), ("[#", "Grün")]
    admin.execute("DROP DATABASE latin WITH (FORCE)")


TAP = (
    f"lives_ok('SELECT pgclone_schema_async(''{SOURCE}'', ''tap'')')",
    "throws_ok('SELECT pgclone_progress(0)', 'P0002', 'pgclone: job 0 not found')",
    "results_eq('SELECT pgclone.version()', ARRAY[pgclone_version()])",
    "has_view('pgclone_jobs_view')",
    "function_returns('pgclone_progress', ARRAY['integer'], 'text')",
)


def test_pgtap(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    if not database.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'pgtap'"):
        pytest.skip(f"PostgreSQL {database.server.installation.major} has no pgTAP here")
    with psycopg.connect(proxy.conninfo(database.name)) as connection:
        connection.execute("CREATE EXTENSION pgtap")
        connection.execute("SELECT plan(5)")
        assert [value(connection, f"SELECT {check}")[:2] for check in TAP] == ["ok"] * 5
        connection.rollback()
