"""What a session hears while it waits for a clone: warnings, notices and debug messages, in their place."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.clients.psql import PsqlProcess
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import under_way, wait_until
from tests.harness.wire import Client, bind, execute, message, parse, query
from tests.integration.with_stubs import database_with_stubs

SOURCE = """
CREATE SCHEMA s;
CREATE TABLE s.a (id int PRIMARY KEY, v text);
CREATE INDEX a_v ON s.a (v);
INSERT INTO s.a SELECT g, 'v' || g FROM generate_series(1, 100) g;
"""
SYNC = message(b"S")
LEFT_OUT = ("WARNING", "01000", "pgclone: index s.a_v: uses a column that is left out")
Said = list[tuple[str, str, str]]


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute(SOURCE)
    return source_database


@pytest.fixture
def call(source: Database) -> str:
    """Of a clone that leaves out an index."""
    options = '{"columns": ["id"]}'
    return f"SELECT pgclone_table('{source.conninfo()}', 's', 'a', true, NULL, '{options}')"


def listening(connection: psycopg.Connection[tuple[object, ...]]) -> Said:
    """Severity, SQLSTATE and message of what the connection is told from now on."""
    said: Said = []
    connection.add_notice_handler(
        lambda each: said.append((each.severity_nonlocalized or "", each.sqlstate or "", each.message_primary or ""))
    )
    return said


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("in_block", [False, True], ids=["alone", "in a block"])
@pytest.mark.parametrize("least", ["debug1", "notice", "warning", "error"])
def test_the_session_says_what_it_wants_to_hear(
    proxy: ProxyProcess, target_database: Database, call: str, least: str, in_block: bool, prepare: bool
) -> None:
    with connect(proxy, target_database.name) as connection:
        if in_block:
            connection.execute("BEGIN")
        connection.execute(f"SET {'LOCAL ' if in_block else ''}client_min_messages = {least}".encode())
        said = listening(connection)
        assert connection.execute(call.encode(), prepare=prepare).fetchall() == [("OK",)]
        about = [each for each in said if each[2].startswith("pgclone: ")]
        assert (LEFT_OUT in about) == (least != "error")
        assert (("DEBUG", "00000", "pgclone: table s.a: 100 rows") in about) == (least == "debug1")
        assert connection.execute("SHOW client_min_messages").fetchone() == (least,)


def test_a_pipeline_has_them_in_their_place(proxy: ProxyProcess, target_database: Database, call: str) -> None:
    before, behind = (f"DO $$ BEGIN RAISE NOTICE '{word}'; END $$" for word in ("before", "behind"))
    with Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        for sent in (
            query(f"{before}; {call}; {behind}"),
            b"".join(parse(sql) + bind() + execute() for sql in (before, call.replace("NULL", "'b'"), behind)) + SYNC,
        ):
            client.send(sent)
            got = client.until_ready()
            heard = [(kind, body) for kind, body in got if kind in (b"N", b"D", b"E")]
            heard = [each for each in heard if b"pgclone: job " not in each[1]]  # progress, on a slow machine
            assert [kind for kind, _ in heard] == [b"N", b"N", b"D", b"N"], heard
            for word, (_, body) in zip((b"before", b"left out", b"OK", b"behind"), heard, strict=True):
                assert word in body


def test_psql_shows_them(proxy: ProxyProcess, target_database: Database, call: str) -> None:
    psql = PsqlProcess(target_database, proxy.conninfo(target_database.name), "-XAtq")
    output, errors = psql.run(f"{call};")
    psql.close()
    assert output == "OK\n"
    assert "WARNING:  pgclone: index s.a_v: uses a column that is left out" in errors
    assert "HINT:  SELECT * FROM pgclone_job_objects(" in errors


def test_progress_comes_while_the_clone_runs(proxy: ProxyProcess, source: Database, target_database: Database) -> None:
    with source.connect() as holder, connect(proxy, target_database.name) as connection:
        holder.execute("BEGIN; LOCK TABLE s.a IN ACCESS EXCLUSIVE MODE")
        said = listening(connection)
        with under_way(
            lambda: connection.execute("SELECT pgclone_schema(%s, 's')", [source.conninfo()]).fetchall()
        ) as answer:
            wait_until(lambda: any("pgclone: job " in text for _, _, text in said), 30, "a notice of progress")
            holder.execute("ROLLBACK")
            assert answer.result(30) == [("OK",)]
    assert {severity for severity, _, _ in said} == {"NOTICE"}


def test_a_new_database(proxy: ProxyProcess, source: Database, target_database: Database) -> None:
    name = f"{target_database.name}_new"
    with connect(proxy, target_database.name) as connection:
        said = listening(connection)
        try:
            connection.execute("SELECT pgclone_database_create(%s, %s)", [source.conninfo(), name])
        finally:
            target_database.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    texts = [text for _, _, text in said if "job" not in text]
    assert texts == [
        f"pgclone: created database {name}",
        f"pgclone: starting database clone from source into {name} ...",
        f"pgclone: database clone complete — target database {name} ready",
    ]


def test_notices_of_other_calls_respect_the_setting(proxy: ProxyProcess, target_database: Database) -> None:
    with connect(proxy, target_database.name) as connection:
        said = listening(connection)
        connection.execute("SELECT pgclone_clear_jobs()")
        assert len(said) == 1
        connection.execute("SET client_min_messages = warning")
        connection.execute("SELECT pgclone_clear_jobs()")
        assert len(said) == 1


def test_a_stub_raises_the_warnings(proxy: ProxyProcess, server: Server, call: str) -> None:
    with database_with_stubs(server) as database, connect(proxy, database.name) as connection:
        said = listening(connection)
        connection.execute(f"DO $do$ BEGIN PERFORM {call.removeprefix('SELECT ')}; END $do$".encode())
        assert LEFT_OUT in said
