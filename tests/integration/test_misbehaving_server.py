"""A target server that does not keep to the protocol: the client gets what it says, or one clear error, and an end.

The proxy serves others meanwhile and afterwards.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.processes import resident_bytes
from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.proxies import open_files, running_proxies
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, bind, execute, message, parse, query, startup
from tests.integration.misbehaving import GREETING, LET_IN, READY, Misbehaving, saying

SECONDS = 20.0
MEGABYTE = 1 << 20
PASSWORD_PLEASE = message(b"R", b"\0\0\0\3")
GIVEN_UP = message(b"E", b"SFATAL\0VFATAL\0C57014\0Mcanceling authentication due to timeout\0\0")

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"E",
    "half a header": b"E\0\0",
    "half a message": message(b"N", b"SNOTICE\0M" + b"x" * 100)[:-50],
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "a length of 3": b"R\0\0\0\3",
    "a negative length": b"R\xff\xff\xff\xff",
    "a gigabyte that does not come": b"D\x3f\xff\xff\xff" + b"x" * 100,
    "an error without fields": message(b"E", b"\0"),
    "an error without anything": message(b"E"),
    "an error without SQLSTATE": message(b"E", b"SFATAL\0VFATAL\0Mgo away\0\0"),
    "an error whose text has no end": message(b"E", b"SFATAL\0VFATAL\0Mgo away"),
    "a notice without anything": message(b"N"),
    "a setting without a value": message(b"S", b"client_encoding\0"),
    "a setting without anything": message(b"S"),
    "a setting that no client has": message(b"S", b"client_encoding\0nosuch\0"),
    "an authentication without a code": message(b"R"),
    "an authentication that nobody knows": message(b"R", b"\0\0\0\x63"),
    "SASL without a mechanism": message(b"R", b"\0\0\0\x0a"),
    "SASL without an end": message(b"R", b"\0\0\0\x0aSCRAM-SHA-256"),
    "the end of SASL before its beginning": message(b"R", b"\0\0\0\x0cv=x"),
    "md5 without salt": message(b"R", b"\0\0\0\5"),
    "a key that is too short": LET_IN + message(b"K", b"x") + READY,
    "no key": LET_IN + READY,
    "a readiness without a state": LET_IN + message(b"Z"),
    "a readiness with another state": LET_IN + message(b"Z", b"?"),
    "replies to nothing": message(b"1") + message(b"C", b"SELECT 1\0") + message(b"D", b"\0\1") + READY * 3,
    "a tag without an end": message(b"C", b"SELECT 1"),
    "a tag without anything": message(b"C"),
    "a row without anything": message(b"D"),
    "a COPY that nobody asked for": message(b"G") + message(b"W") + message(b"H") + message(b"c"),
    "parameters without a number": message(b"t"),
    "columns without a number": message(b"T") + message(b"T", b"\0\7"),
    "a type that is none": message(b"\x80", b"x"),
}
STAGES: dict[str, tuple[bytes, ...]] = {
    "at first": (b"",),
    "when it has a password": (PASSWORD_PLEASE, b""),
    "behind AuthenticationOk": (LET_IN + message(b"N", b"SNOTICE\0\0"),),
    "to a statement": (GREETING, b""),
    "in the middle of replies": (GREETING, message(b"1") + message(b"2")),
}
"""What it says before, each to what it is sent; the last right before."""
STATEMENTS: dict[str, bytes] = {
    "another's": query("SELECT 1"),
    "ours": query("SELECT pgclone_version()"),
    "ours, prepared": parse("SELECT pgclone_version()", "s") + bind("", "s") + execute() + message(b"S"),
    "the view": query("SELECT * FROM pgclone_jobs_view"),
    "a clone": query("SELECT pgclone_table('host=127.0.0.1', 'public', 't')"),
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        yield server


@pytest.fixture(scope="module", params=["relay", "password"])
def proxy(behind: Misbehaving, request: pytest.FixtureRequest) -> Iterator[ProxyProcess]:
    # A connection that was opened ahead would be served as the test before wanted.
    settings = {"auth": {"mode": request.param}, "server": {"connect_ahead": False}}
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        yield proxies.start(f"host=127.0.0.1 port={behind.port} sslmode=disable", settings)


def what_is_said(proxy: ProxyProcess, statement: bytes) -> bytes:
    """To a client that gives any password it is asked for; all up to the end of the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client, suppress(OSError):
        client.sendall(startup(SUPERUSER, "postgres"))
        asked = said = False
        while data := client.recv(1 << 16):
            received += data
            if not asked and PASSWORD_PLEASE in received:
                asked = True
                client.sendall(message(b"p", b"secret\0"))
            if not said and READY in received:
                said = True
                client.sendall(statement)
    return received


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", BROKEN)
def test_whatever_it_says_the_connection_ends_and_others_go_on(
    behind: Misbehaving, proxy: ProxyProcess, stage: str, name: str
) -> None:
    files, log = open_files(proxy), len(proxy.log())
    for statement in STATEMENTS.values() if STAGES[stage][:1] == (GREETING,) else [query("SELECT 1")]:
        *before, last = STAGES[stage]
        behind.part = saying(*before, last + BROKEN[name])
        said = what_is_said(proxy, statement)
        if b"pgclone: " in said:
            assert b"\0VFATAL\0C" in said
    behind.part = saying(GREETING, message(b"I") + READY)
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query(""))
        assert client.until_ready() == [(b"I", b""), (b"Z", b"I")]
    assert "Traceback" not in proxy.log()[log:]
    wait_until(lambda: open_files(proxy) <= files, what="all sockets to be closed")


def test_a_server_that_gives_up_on_a_client_is_heard_at_once(behind: Misbehaving, proxy: ProxyProcess) -> None:
    """Such as at authentication_timeout, while the client still looks for its password."""
    behind.part = saying(PASSWORD_PLEASE + GIVEN_UP)
    with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client:
        client.sendall(startup(SUPERUSER, "postgres"))
        assert received_by(client) == PASSWORD_PLEASE + GIVEN_UP


@pytest.mark.parametrize("word", [b"Nnotice", b"Sname\0value", b"Achannel", b"Drow"])
@pytest.mark.parametrize("before", [LET_IN, GREETING], ids=["before it is ready", "then"])
def test_what_has_no_end_is_passed_on_and_not_kept(
    behind: Misbehaving, proxy: ProxyProcess, word: bytes, before: bytes
) -> None:
    endless = message(word[:1], word[1:] + b"x" * 8000) * 100

    def part(client: socket.socket) -> None:
        client.sendall(before)
        while True:
            client.sendall(endless)

    behind.part = part
    memory = resident_bytes(proxy.pid)
    with socket.create_connection(("127.0.0.1", proxy.port), SECONDS) as client:
        client.sendall(startup(SUPERUSER, "postgres"))
        received = 0
        while received < 64 * MEGABYTE:
            received += len(client.recv(MEGABYTE))
        assert resident_bytes(proxy.pid) - memory < 16 * MEGABYTE


def received_by(client: socket.socket) -> bytes:
    """All up to the end of the connection."""
    received = b""
    while data := client.recv(1 << 16):
        received += data
    return received
