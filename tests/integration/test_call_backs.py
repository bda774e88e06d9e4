"""Calls from SQL on the server, where the proxy sees no statement: DO blocks, functions, views, dynamic SQL."""

from __future__ import annotations

import contextlib
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.embedded import Server
from proxy.installations import installations
from proxy.launch import ProxyProcess
from proxy.stubs.installing import install, transaction
from tests.harness.proxies import Proxies, connect, running_proxies
from tests.harness.servers import PASSWORD, Database, Servers, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, query
from tests.integration.with_stubs import database_with_stubs, login

Connection = psycopg.Connection[tuple[Any, ...]]

SOURCE = "host=127.0.0.1 port=1"
DEFINITIONS = f"""
CREATE FUNCTION started(name text) RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN RETURN pgclone_schema_async('{SOURCE}', name); END $$;
CREATE FUNCTION answers(sql text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE answer text; BEGIN EXECUTE sql INTO answer; RETURN answer; END $$;
CREATE FUNCTION runs(sql text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN EXECUTE sql; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
CREATE FUNCTION stable() RETURNS text STABLE LANGUAGE sql BEGIN ATOMIC SELECT pgclone_version(); END;
CREATE VIEW their_jobs AS SELECT v.job_id, v.schema_name FROM pgclone_jobs_view v;
CREATE TABLE wanted (name text, job integer DEFAULT pgclone.schema_async('{SOURCE}', 'by_default'));
CREATE FUNCTION start_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.job := pgclone_schema_async('{SOURCE}', NEW.name); RETURN NEW; END $$;
CREATE TABLE triggering (name text, job integer);
CREATE TRIGGER t BEFORE INSERT ON triggering FOR EACH ROW EXECUTE FUNCTION start_it();
"""


@pytest.fixture(scope="module", params=installations(), ids=lambda each: str(each.major))
def place(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[ProxyProcess, Database]]:
    """A proxy, and a database with stubs and definitions that use them, for each version of the server."""
    server = servers.get(request.param)
    with (
        database_with_stubs(server) as database,
        tempfile.TemporaryDirectory(prefix="pgclone-") as directory,
        running_proxies(Path(directory)) as proxies,
    ):
        proxy = proxies.start(server.conninfo())
        with connect(proxy, database.name) as connection:
            connection.execute(DEFINITIONS.encode())
        yield proxy, database


@pytest.fixture
def session(place: tuple[ProxyProcess, Database]) -> Iterator[Connection]:
    """A session in a transaction that is rolled back."""
    proxy, database = place
    with psycopg.connect(proxy.conninfo(database.name)) as connection:
        yield connection
        connection.rollback()


def value(connection: Connection, sql: str) -> Any:
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return row[0]


def schemas(connection: Connection) -> list[str]:
    """The schemas of all jobs, in order, as the proxy knows them."""
    return [name for (name,) in connection.execute("SELECT schema_name FROM pgclone_jobs_view ORDER BY job_id")]


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


def test_sessions_of_a_role_share_the_connection_for_replies(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgclone-proxy: replies to stubs'"
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(connect(proxy, database.name)) for _ in range(8)]
        calls = "DO $$ BEGIN PERFORM pgclone_version(); PERFORM pgclone_clear_jobs(); END $$"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda session: session.execute(calls), sessions))
        assert database.value(own) == 1
        for session in sessions[1:]:
            session.close()
        sessions[0].execute(calls)
        assert database.value(own) == 1
    wait_until(lambda: database.value(own) == 0, what="the connection for replies to be closed")


def test_nothing_is_left_behind(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    objects = "SELECT count(*) FROM pg_largeobject_metadata"
    keep = database.value("SELECT lo_create(0)")
    # As a connection that was cut leaves it: nobody has this process id.
    old = database.value("SELECT lo_create(0)")
    database.execute(f"COMMENT ON LARGE OBJECT {old} IS 'pgclone-proxy reply by 0'")
    with connect(proxy, database.name) as connection:
        connection.execute("DO $$ BEGIN PERFORM pgclone_version(); PERFORM pgclone_clear_jobs(); END $$")
        wait_until(lambda: database.value(objects) == 1, what="the replies to be removed")
    database.execute(f"SELECT lo_unlink({keep})")
    own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgclone-proxy: replies to stubs'"
    wait_until(lambda: database.value(own) == 0, what="the connection for replies to be closed")


def test_a_function_in_a_statement_with_an_action_may_read_and_not_act(session: Connection) -> None:
    before = schemas(session)
    session.execute("SAVEPOINT s")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="in a statement that calls a pgclone action itself"):
        session.execute(f"SELECT started('twice'), pgclone_schema_async('{SOURCE}', 'b')")
    session.execute("ROLLBACK TO SAVEPOINT s")
    assert schemas(session) == before
    session.execute(f"SELECT answers('SELECT pgclone_version()'), pgclone_schema_async('{SOURCE}', 'b')")
    assert schemas(session)[len(before) :] == ["b"]


ROLES = """
CREATE ROLE stubs_low; CREATE ROLE stubs_high LOGIN; GRANT stubs_low TO stubs_high;
CREATE FUNCTION smuggled(sql text) RETURNS text SECURITY DEFINER LANGUAGE plpgsql AS $$
    DECLARE answer text; BEGIN EXECUTE sql INTO answer; RETURN answer; END $$;
ALTER FUNCTION smuggled OWNER TO stubs_low;
CREATE FUNCTION forged(message text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE INFO USING ERRCODE = 'PGCAL', MESSAGE = 'x', DATATYPE = encode(message::bytea, 'base64'); END $$;
"""
WITHOUT_ROLES = "DROP FUNCTION smuggled, forged; DROP ROLE stubs_high, stubs_low"
FORGED = '{"number": %d, "secret": "%s", "function": "schema_async", "arguments": {"source_conninfo": "host=127.0.0.1' \
    ' port=1", "schema_name": "forged", "include_data": true, "options": null}}'  # fmt: skip


@pytest.fixture
def roles(place: tuple[ProxyProcess, Database]) -> Iterator[tuple[ProxyProcess, Database]]:
    place[1].execute(ROLES)
    yield place
    place[1].execute(WITHOUT_ROLES)


def test_other_roles_in_a_session(roles: tuple[ProxyProcess, Database]) -> None:
    proxy, database = roles
    with connect(proxy, database.name, user="stubs_high") as connection:
        connection.execute("SET ROLE stubs_low")
        block = f"DO $$ BEGIN PERFORM pgclone_schema_async('{SOURCE}', 'as_low'); END $$"
        connection.execute(block)
        assert value(connection, "SELECT current_user") == "stubs_low"
        assert schemas(connection) == ["as_low"]
        connection.execute("RESET ROLE")
        # Code of another role, which cannot shed it: as in a refresh or an index, it must not act for the session's.
        for sql in (f"SELECT pgclone_schema_async(''{SOURCE}'', ''smuggled'')", "SELECT pgclone_version()"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="another role"):
                connection.execute(f"SELECT smuggled('{sql}')")
        assert schemas(connection) == ["as_low"]


@pytest.mark.parametrize("secret", ["", "00" * 16, "é"])
def test_a_forged_call_does_nothing(roles: tuple[ProxyProcess, Database], secret: str) -> None:
    proxy, database = roles
    mine = database.value("SELECT lo_from_bytea(0, 'mine')")
    with connect(proxy, database.name) as connection:
        before = schemas(connection)
        for number in (70007, mine):
            wish, call = FORGED % (number, ""), FORGED % (number, secret)
            connection.execute(f"SELECT forged('{wish}'), pg_sleep(0.2), forged('{call}'), pg_sleep(0.2)".encode())
        connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
        assert schemas(connection) == before
    # Nor is what somebody else keeps under the number touched.
    assert bytes(database.value(f"SELECT lo_get({mine})")) == b"mine"
    database.execute(f"SELECT lo_unlink({mine})")


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


def waiting(database: Database) -> str:
    """A call that waits for a table that somebody has locked."""
    return f"pgclone_table('{database.conninfo()}', 'public', 'locked', true, 'copy')"


def test_a_session_whose_proxy_was_killed_ends(proxies: Proxies, server: Server) -> None:
    with database_with_stubs(server) as database, database.connect() as locker:
        database.execute("CREATE TABLE locked ()")
        locker.execute("BEGIN; LOCK TABLE locked")
        proxy = proxies.start(server.conninfo())
        with Client("127.0.0.1", proxy.port, "postgres", database.name) as client:
            client.send(query(f"DO $$ BEGIN PERFORM {waiting(database)}; END $$"))
            backends = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$%'"
            wait_until(lambda: database.value("SELECT count(*) FROM pg_largeobject_metadata") == 1)
            assert database.value(backends) == 1
            proxy.kill()
        wait_until(lambda: database.value(backends) == 0, what="the session to end")


def test_a_call_waits_until_the_clone_is_there(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    with fresh_database(database.server) as source, connect(proxy, database.name) as connection:
        source.execute("CREATE TABLE cloned AS SELECT generate_series(1, 10) AS id")
        call = f"pgclone_table('{source.conninfo()}', 'public', 'cloned', true, 'by_call')"
        connection.execute(f"DO $$ BEGIN ASSERT {call} = 'OK'; END $$".encode())
    assert database.value("SELECT count(*) FROM by_call") == 10
    database.execute("DROP TABLE by_call")


ENDS: dict[str, Callable[[Connection, Database], object]] = {
    "a timeout": lambda session, database: session.pgconn.get_result(),
    "a cancel request": lambda session, database: session.cancel_safe(),
    "the client leaves": lambda session, database: session.close(),
    "the server ends the session": lambda session, database: database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO $$%'"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_clone_that_nobody_waits_for_any_more_is_cancelled(proxies: Proxies, server: Server, end: str) -> None:
    proxy = proxies.start(server.conninfo())
    with database_with_stubs(server) as database, database.connect() as locker, connect(proxy) as watcher:
        database.execute("CREATE TABLE locked ()")
        locker.execute("BEGIN; LOCK TABLE locked")
        session = connect(proxy, database.name)
        if end == "a timeout":
            session.execute("SET statement_timeout = '2s'")
        session.pgconn.send_query(f"DO $$ BEGIN PERFORM {waiting(database)}; END $$".encode())
        jobs = "SELECT string_agg(status, ' ') FROM pgclone_jobs_view"
        wait_until(lambda: value(watcher, jobs) == "running", what="the job to run")
        ENDS[end](session, database)
        wait_until(lambda: value(watcher, jobs) == "cancelled", what="the job to be cancelled")
        wait_until(lambda: database.value("SELECT count(*) FROM pg_largeobject_metadata") == 0, what="no leftovers")
        running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO $$%'"
        wait_until(lambda: database.value(running) == 0, what="the statement to end")
        session.close()


CANARY = "canary-93b7"


def test_a_password_that_an_expression_makes_is_nowhere(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    said: list[str] = []
    made = f"'{SOURCE} password=' || reverse('{CANARY[::-1]}')"
    block = f"DO $$ BEGIN PERFORM pgclone_schema_async({made}, 'canary'); END $$"
    with connect(proxy, database.name) as connection:
        connection.add_notice_handler(
            lambda notice: said.append(str(notice.message_primary) + str(notice.message_detail))
        )
        connection.execute(block)
        connection.execute(
            "DO $$ BEGIN PERFORM pgclone_progress(0); EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'x'; END $$"
        )
        assert schemas(connection)[-1] == "canary"
        # Nor in the log when it has all messages that the server sends.
        connection.execute("SET log_min_messages = debug1; SET log_error_verbosity = verbose")
        connection.execute(block)
    assert "'canary'" in wait_until(database.server.log)
    log = database.server.log()
    assert "asking pgclone-proxy" in log
    assert "eyJ" not in log, "the beginning of JSON in base64"
    for text in (log, proxy.log(), "".join(said)):
        assert CANARY not in text


def test_without_the_proxy_there_is_one_clear_error_and_no_argument_is_shown(server: Server) -> None:
    said: list[str] = []
    with database_with_stubs(server) as database, database.connect() as direct:
        direct.add_notice_handler(lambda notice: said.append(b64decode(notice.datatype_name or "").decode()))
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            direct.execute(f"SELECT pgclone_schema_async('{SOURCE} password={CANARY}', 's')")
        assert "answered by pgclone-proxy" in (refused.value.diag.message_primary or "")
        assert "port of pgclone-proxy" in (refused.value.diag.message_hint or "")
    assert said and "number" in said[0]
    assert CANARY not in "".join([*said, str(refused.value)])


def test_a_role_for_which_the_proxy_has_no_credential_is_told_why(proxies: Proxies, scram_server: Server) -> None:
    said: list[tuple[str | None, str | None]] = []
    with database_with_stubs(scram_server) as database:
        proxy = proxies.start(scram_server.conninfo(), {"auth": {"mode": "relay"}})
        with connect(proxy, database.name, password=PASSWORD) as connection:
            connection.add_notice_handler(lambda notice: said.append((notice.severity, notice.sqlstate)))
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="answered by pgclone-proxy"):
                connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
        assert said == [("WARNING", "28000")]
        known = proxies.start(scram_server.conninfo())  # which has the session's own
        with connect(known, database.name, password=PASSWORD) as connection:
            connection.execute("DO $$ BEGIN PERFORM pgclone_version(); END $$")
