"""What no honest client sends, with a name of ours in it: the same complaint as the server's, and the session goes on.

Bytes are sent twice: to the server, with a function of its own, and through the proxy, with one of ours.
"""

from __future__ import annotations

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.wire import Client, bind, execute, message, parse, query
from tests.integration.test_conversations import SYNC, step, told

PREPARED = parse("SELECT OURS", "s") + SYNC


def raw(kind: bytes, sql: bytes) -> bytes:
    """A Query or an unnamed Parse of any bytes."""
    return message(kind, sql + b"\0") if kind == b"Q" else message(b"P", b"\0" + sql + b"\0\0\0")


TEXTS: dict[str, bytes] = {
    "not UTF-8": b"SELECT '\xff\xfe', OURS",
    "UTF-8 that is cut": b"SELECT OURS, '\xe6\x97",
    "a surrogate": b"SELECT '\xed\xa0\x80', OURS",
    "UTF-8 that is too long": b"SELECT '\xc0\x80', OURS",
    "not UTF-8 in a comment": b"SELECT OURS /* \xff */",
    "not UTF-8 in a name": b'SELECT OURS AS "\xff"',
    "nothing but a name": b"OURS",
    "nothing": b"",
    "blanks and a comment": b" \n /* OURS */ ; ; ",
    "an open quote": b"SELECT 'OURS",
    "an open dollar quote": b"SELECT $x$OURS",
    "an escape that is none": b"SELECT U&'\\OURS'",
    "a number with junk": b"SELECT 1OURS",
    "a parameter beyond all": b"SELECT OURS, $99999999999",
    "parameter 0": b"SELECT OURS, $0",
    "the last parameter there can be": b"SELECT OURS, $65535::text",
    "nested parentheses": b"SELECT " + b"(" * 5000 + b"OURS" + b")" * 5000,
    "a chain of UNION": b"SELECT OURS" + b" UNION ALL SELECT ''" * 3000,
    "nested CASE": b"SELECT " + b"CASE WHEN true THEN " * 2000 + b"OURS" + b" END" * 2000,
    "a megabyte of text": b"SELECT length('" + b"x" * (1 << 20) + b"'), OURS IS NULL",
    "a megabyte of comment": b"SELECT OURS IS NULL --" + b"x" * (1 << 20),
    "more values than a row can have": b"SELECT OURS IS NULL FROM (VALUES (" + b"1," * (1 << 14) + b"1)) x",
    "many statements": b"SELECT OURS IS NULL;" * 300,
    "many columns": b"SELECT " + b",".join([b"OURS IS NULL"] * 1600),
    "more columns than there can be": b"SELECT " + b",".join([b"OURS IS NULL"] * 1700),
}
UNREAD: dict[str, bytes] = {
    "nested comments": b"SELECT OURS " + b"/*" * 3000 + b"*/" * 3000,
    "nested queries": b"SELECT " + b"(SELECT " * 3000 + b"OURS" + b")" * 3000,
    "a chain of operators": b"SELECT OURS" + b" || ''" * 10_000,
    "a chain of NOT": b"SELECT " + b"NOT " * 9000 + b"OURS IS NULL",
}
"""So deep that the proxy does not look at them."""
MESSAGES: dict[str, list[bytes]] = {
    "a NUL in a Query": [message(b"Q", b"SELECT OURS\0, 1\0")],
    "a Query without an end": [message(b"Q", b"SELECT OURS")],
    "a Parse without an end": [message(b"P", b"\0SELECT OURS") + SYNC],
    "a Parse without types": [message(b"P", b"\0SELECT OURS\0") + SYNC],
    "a Parse with too few types": [message(b"P", b"\0SELECT OURS\0\0\5\0\0\0\x17") + SYNC],
    "a Parse with more than types": [message(b"P", b"\0SELECT OURS\0\0\0more") + SYNC],
    "a Parse with a type that is none": [parse("SELECT OURS, $1", "", (4_000_000_000,)) + SYNC],
    "a Bind without a statement's name": [PREPARED, message(b"B", b"\0") + SYNC],
    "a Bind with too few values": [PREPARED, message(b"B", b"\0s\0\0\0\0\3\0\0\0\1x") + SYNC],
    "a Bind with a value that is too long": [PREPARED, message(b"B", b"\0s\0\0\0\0\1\x7f\0\0\0") + SYNC],
    "a Bind with a negative length": [PREPARED, message(b"B", b"\0s\0\0\0\0\1\xff\xff\xff\xfe\0\0") + SYNC],
    "a Bind with too many formats": [PREPARED, message(b"B", b"\0s\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0") + SYNC],
    "a Bind with a format that is none": [PREPARED, message(b"B", b"\0s\0\0\1\0\7\0\0\0\0") + SYNC],
    "a Bind with too many values": [PREPARED, bind("", "s", b"1", b"2") + SYNC],
    "a Bind with as many values as there can be": [PREPARED, bind("", "s", *[b"1"] * 65_535) + SYNC],
    "a Bind of a statement with parameters, with as many values as there can be": [
        parse("SELECT OURS IS NULL, $1::text, $2::text", "s") + SYNC,
        bind("", "s", *[b"1"] * 65_535) + SYNC,
    ],
    "a Bind with more formats than columns": [PREPARED, message(b"B", b"\0s\0\0\0\0\0\0\3\0\0\0\1\0\0") + SYNC],
    "a Bind with formats of results that are none": [PREPARED, message(b"B", b"\0s\0\0\0\0\0\0\1\0\7") + SYNC],
    "rows in portions": [
        parse("SELECT OURS IS NULL FROM generate_series(1, 5)", "r")
        + bind("p", "r")
        + execute("p", 2)
        + execute("p", 2)
        + execute("p", 2)
        + execute("p", 2)
        + SYNC
    ],
    "a Bind of another name": [PREPARED, bind("", "t") + SYNC],
    "a Describe of nothing": [PREPARED, message(b"D") + SYNC],
    "a Describe of another kind": [PREPARED, message(b"D", b"Xs\0") + SYNC],
    "a Close of another kind": [PREPARED, message(b"C", b"Xs\0") + SYNC, bind("", "s") + execute() + SYNC],
    "a Close without an end": [PREPARED, message(b"C", b"Ss") + SYNC, bind("", "s") + execute() + SYNC],
    "an Execute without a count": [PREPARED, bind("", "s") + message(b"E", b"\0") + SYNC],
    "an Execute with a negative count": [PREPARED, bind("", "s") + message(b"E", b"\0\xff\xff\xff\xff") + SYNC],
    "an Execute of another portal": [PREPARED, bind("", "s") + execute("p") + SYNC],
    "an Execute twice": [PREPARED, bind("", "s") + execute() + execute() + SYNC],
    "a portal that is there": [PREPARED, bind("p", "s") + bind("p", "s") + SYNC],
    "a Sync with a body": [step("SELECT OURS") + message(b"S", b"x"), SYNC],
    "a Query in the middle of a pipeline": [parse("SELECT 1") + query("SELECT OURS"), query("SELECT OURS")],
    "COPY data out of place": [message(b"d", b"x") + message(b"c") + query("SELECT OURS")],
    "a message that is none": [PREPARED + message(b"y", b"OURS")],
}
CASES: dict[str, list[bytes]] = {
    **{f"{name}, {how}": [raw(kind, text) + end, query("SELECT OURS")]
       for name, text in TEXTS.items()
       for how, kind, end in (("simple", b"Q", b""), ("extended", b"P", bind() + execute() + SYNC))},
    **MESSAGES,
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_the_server_s_own_complaint(server: Server, proxy: ProxyProcess, name: str) -> None:
    with Client("127.0.0.1", server.port, SUPERUSER, "postgres") as direct:
        expected = told(direct, CASES[name], "version()")
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        assert told(client, CASES[name], "pgclone_version()") == expected
        assert client.closed == direct.closed
    assert "session failed" not in proxy.log()


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_looked_at_is_the_server_s(proxy: ProxyProcess, name: str) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        for sent in (raw(b"Q", UNREAD[name]), raw(b"P", UNREAD[name]) + SYNC):
            assert told(client, [sent], "pgclone_version()") == [[(b"E", b"C42883"), (b"Z", b"I")]]
        assert told(client, [query("SELECT OURS")], "pgclone_version()") == [
            [(b"T", b""), (b"C", b"SELECT 1\0"), (b"Z", b"I")]
        ]


@pytest.mark.parametrize("sent", [b"Q\0\0\0\3", b"P\x7f\xff\xff\xff\0SELECT", b"Q\xff\xff\xff\xff"])
def test_a_length_that_no_message_has_ends_the_session_as_the_server_does(
    server: Server, proxy: ProxyProcess, sent: bytes
) -> None:
    answers = []
    for port in (server.port, proxy.port):
        with Client("127.0.0.1", port, SUPERUSER, "postgres") as client:
            client.send(parse("SELECT version() /* pgclone_version() */", "s") + SYNC)
            client.until_ready()
            client.send(sent)
            answers.append([(kind, body.partition(b"L")[0]) for kind, body in client.until_ready()])
            assert client.closed
    assert answers[0] == answers[1]
