"""The same conversation, direct and through the proxy: every message but the ones that name processes is equal."""

from __future__ import annotations

import ssl
from struct import pack

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.wire import Client, bind, execute, message, parse, query
from tests.transparency.conversations import COPY, FUNCTIONS, PIPELINES

SYNC, FLUSH = message(b"S"), message(b"H")

CONVERSATIONS = {
    "select": [query("SELECT 1 AS a, 'x' AS b")],
    "several statements": [query("SELECT 1; SELECT 2; SELECT 3")],
    "empty query": [query("")],
    "syntax error": [query("SELEC 1")],
    "error in a block": [query("BEGIN"), query("SELECT 1/0"), query("SELECT 1"), query("ROLLBACK")],
    "notice": [query("DO $$BEGIN RAISE NOTICE 'hello'; END$$")],
    "parameter status": [query("SET application_name = 'x'"), query("SET client_encoding = 'LATIN1'")],
    "notify": [query("LISTEN c"), query("NOTIFY c, 'payload'"), query("SELECT 1")],
    "copy out": [query("COPY (SELECT g, repeat('x', 50) FROM generate_series(1, 5000) g) TO STDOUT")],
    "copy in": [
        query("CREATE TEMP TABLE t (a text)"),
        query("COPY t FROM STDIN") + message(b"d", b"pgclone_progress(1)\n") * 3 + message(b"c"),
        query("SELECT count(*) FROM t"),
    ],
    "copy in, failed by the client": [
        query("CREATE TEMP TABLE t (a text)"),
        query("COPY t FROM STDIN") + message(b"d", b"x\n") + message(b"f", b"enough\0"),
        query("SELECT count(*) FROM t"),
    ],
    "copy in, refused by the server": [
        query("CREATE TEMP TABLE t (a int)"),
        query("COPY t FROM STDIN") + message(b"d", b"no number\n") + message(b"c"),
    ],
    "copy in, extended, sync behind execute": [
        query("CREATE TEMP TABLE t (a text)"),
        parse("COPY t FROM STDIN") + bind() + execute() + SYNC + message(b"d", b"x\n") + message(b"c") + SYNC,
        query("SELECT count(*) FROM t"),
    ],
    "extended": [parse("SELECT $1::int + 1", "s") + bind("", "s", b"41") + message(b"D", b"P\0") + execute() + SYNC],
    "describe a statement": [parse("SELECT $1::int, $2::text", "s") + message(b"D", b"Ss\0") + SYNC],
    "pipeline with an error": [
        parse("SELECT 1") + bind() + execute() + parse("SELECT 1/0") + bind() + execute() + parse("SELECT 2") + SYNC,
        query("SELECT 3"),
    ],
    "row limit": [
        parse("SELECT generate_series(1, 5)") + bind() + execute(rows=2) + execute(rows=2) + execute(rows=2) + SYNC
    ],
    "bad bind": [parse("SELECT $1::int", "s") + bind("", "s", b"x") + SYNC, query("SELECT 1")],
    "missing statement": [bind("", "nosuch") + SYNC],
    "function call": [message(b"F", pack("!IHHH", 177, 0, 2, 4) + b"0041" + pack("!I", 1) + b"1" + b"\0\0")],
    "our names where they mean nothing": [
        query("SELECT 'pgclone_progress(1)', $$pgclone_jobs_view$$ /* pgclone_jobs() */"),
        query("SELECT 1 AS pgclone_progress"),
        query("SELECT pgclone_nosuch(1)"),
        query('SELECT "PgClone_Progress"(7)'),
        query("DROP VIEW pgclone_jobs_view"),
        parse("SELECT $1::text") + bind("", "", b"pgclone_jobs()") + execute() + SYNC,
    ],
    "unknown message": [message(b"y", b"what")],
}


MORE = {
    f"{about}: {name}": said
    for about, table in {"COPY": COPY, "FunctionCall": FUNCTIONS, "pipeline": PIPELINES}.items()
    for name, said in table.items()
}


def talk(
    host: str, port: int, database: str, conversation: list[bytes], piece: int, context: ssl.SSLContext | None = None
) -> list[tuple[bytes, bytes]]:
    with Client(host, port, SUPERUSER, database, context=context) as client:
        greeting = [(k, b) for k, b in client.greeting if k != b"K"]
        said = []
        for request in conversation:
            client.send(request, piece)
            said += client.until_ready()
        return greeting + [(k, b[4:] if k == b"A" else b) for k, b in said]


@pytest.mark.parametrize("piece", [1 << 20, 5], ids=["whole", "by five"])
@pytest.mark.parametrize("name", MORE)
def test_the_proxy_changes_nothing_of_more(server: Server, proxy: ProxyProcess, name: str, piece: int) -> None:
    size = piece if sum(map(len, MORE[name])) < 100_000 else 1 << 20
    direct = talk("127.0.0.1", server.port, "postgres", MORE[name], size)
    assert talk("127.0.0.1", proxy.port, "postgres", MORE[name], size) == direct


@pytest.mark.parametrize("piece", [1, 7, 1 << 20], ids=["byte by byte", "by seven", "whole"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_proxy_changes_nothing(server: Server, proxy: ProxyProcess, name: str, piece: int) -> None:
    direct = talk("127.0.0.1", server.port, "postgres", CONVERSATIONS[name], piece)
    through = talk("127.0.0.1", proxy.port, "postgres", CONVERSATIONS[name], piece)
    assert through == direct
