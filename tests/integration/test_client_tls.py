"""TLS towards clients: who gets it and how, and what is refused."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, running_proxies
from tests.harness.servers import PASSWORD, fresh_database
from tests.harness.waiting import wait_until_asleep
from tests.harness.wire import GSSENC_REQUEST, SSL_REQUEST, Client, cancel_request, query, startup
from tests.integration.tls_by_hand import SECONDS, negotiated, raw, root_of, unverified
from tests.transparency.test_same import CONVERSATIONS, talk

DIRECT = {"sslmode": "require", "sslnegotiation": "direct"}


@pytest.fixture(scope="module")
def tls(server: Server) -> Iterator[ProxyProcess]:
    """A proxy with what is set where nothing is."""
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as started:
        yield started.start(server.conninfo(), {"tls": {}})


@pytest.fixture(autouse=True)
def no_defect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that a client does makes the proxy fail."""
    yield
    if "tls" in request.fixturenames:
        assert "Traceback" not in request.getfixturevalue("tls").log()


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    try:
        while data := connection.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("more", [{"sslmode": "prefer"}, {"sslmode": "require"}, DIRECT], ids=str)
def test_libpq_has_tls(tls: ProxyProcess, more: dict[str, str]) -> None:
    with psycopg.connect(tls.conninfo(**more)) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT repeat('x', 5000000)").fetchone() == ("x" * 5_000_000,)


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_what_the_proxy_made_for_itself_can_be_verified(tls: ProxyProcess, negotiation: str) -> None:
    more = {"sslmode": "verify-full", "sslrootcert": root_of(tls), "sslnegotiation": negotiation}
    with psycopg.connect(tls.conninfo(**more)) as connection:
        assert connection.pgconn.ssl_in_use


def test_an_address_that_it_was_not_made_for_is_noticed(tls: ProxyProcess) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match"):
        psycopg.connect(
            host="db.example", hostaddr="127.0.0.1", port=tls.port, sslmode="verify-full", sslrootcert=root_of(tls)
        )


def test_without_tls_it_goes_on_as_before(tls: ProxyProcess) -> None:
    with psycopg.connect(tls.conninfo(sslmode="disable")) as connection:
        assert not connection.pgconn.ssl_in_use
    with psycopg.connect(tls.conninfo(by_socket=True)) as connection:
        assert not connection.pgconn.ssl_in_use


async def test_asyncpg_has_tls(tls: ProxyProcess) -> None:
    context = ssl.create_default_context(cafile=root_of(tls))
    connection = await asyncpg.connect(
        host="127.0.0.1", port=tls.port, user=SUPERUSER, database="postgres", ssl=context
    )
    assert await connection.fetchval("SELECT pgclone_version()")
    await connection.close()


def test_several_processes_have_it_too(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"tls": {}, "server": {"processes": 2}})
    for more in ({"sslmode": "verify-full", "sslrootcert": root_of(proxy)}, DIRECT) * 2:
        with psycopg.connect(proxy.conninfo(**more)) as connection:
            assert connection.execute("SELECT count(*) FROM pgclone_jobs_view").fetchone() == (0,)
    assert "Traceback" not in proxy.log()


def test_a_job_runs_with_a_password_that_came_by_tls(scram_server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(scram_server.conninfo(), {"tls": {}})
    with fresh_database(scram_server) as database:
        more = {"sslmode": "require", "password": PASSWORD}
        with psycopg.connect(proxy.conninfo(database.name, **more), autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT g FROM generate_series(1, 10) AS g")
            clone = "SELECT pgclone_table(%s, 'public', 't', true, 'u')"
            assert connection.execute(clone, (database.conninfo(),)).fetchone() == ("OK",)
            assert connection.execute("SELECT count(*) FROM u").fetchone() == (10,)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversations_are_the_same_by_tls(server: Server, tls: ProxyProcess, name: str) -> None:
    expected = talk("127.0.0.1", server.port, "postgres", CONVERSATIONS[name], 1 << 20)
    context = unverified()
    said = talk("127.0.0.1", tls.port, "postgres", CONVERSATIONS[name], 1 << 20, context)
    assert said == expected


@pytest.mark.parametrize("by_tls", [True, False])
def test_a_cancel_request_may_come_before_and_after_tls(tls: ProxyProcess, by_tls: bool) -> None:
    with Client("127.0.0.1", tls.port, SUPERUSER, "postgres", context=unverified()) as client:
        key = next(body for kind, body in client.greeting if kind == b"K")
        client.send(query("SELECT pg_sleep(60)"))
        wait_until_asleep(tls.conninfo(), int.from_bytes(key[:4], "big"))
        with negotiated(tls) if by_tls else raw(tls) as canceller:
            canceller.sendall(cancel_request(key))
            assert rest_of(canceller) == b""
        said = client.until_ready()
        assert [body for kind, body in said if kind == b"E" and b"C57014\0" in body]


def test_bytes_behind_the_request_end_the_connection(tls: ProxyProcess) -> None:
    for asked in (SSL_REQUEST, GSSENC_REQUEST):
        with raw(tls) as connection:
            connection.sendall(asked + startup(SUPERUSER, "postgres"))
            assert rest_of(connection) == b""


def test_gssenc_is_answered_and_ssl_may_follow(tls: ProxyProcess) -> None:
    with raw(tls) as connection:
        connection.sendall(GSSENC_REQUEST)
        assert connection.recv(1) == b"N"
        connection.sendall(SSL_REQUEST)
        assert connection.recv(1) == b"S"
        with unverified().wrap_socket(connection) as encrypted:
            encrypted.sendall(startup(SUPERUSER, "postgres"))
            assert encrypted.recv(1) == b"R"


@pytest.mark.parametrize("again", [SSL_REQUEST, GSSENC_REQUEST], ids=["SSLRequest", "GSSENCRequest"])
def test_a_request_within_tls_is_no_start(tls: ProxyProcess, again: bytes) -> None:
    with negotiated(tls) as connection:
        connection.sendall(again)
        assert b"C0A000\0" in rest_of(connection)


@pytest.mark.parametrize(
    "requests",
    [(SSL_REQUEST, SSL_REQUEST), (GSSENC_REQUEST, GSSENC_REQUEST), (GSSENC_REQUEST, SSL_REQUEST, GSSENC_REQUEST)],
)
def test_a_request_is_answered_once_as_by_the_server(
    server: Server, proxy: ProxyProcess, requests: tuple[bytes, ...]
) -> None:
    """Where neither has TLS."""
    said = []
    for port in (server.port, proxy.port):
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            answers = b""
            for request in requests[:-1]:
                connection.sendall(request)
                answers += connection.recv(1)
            connection.sendall(requests[-1])
            answer = rest_of(connection)
            said.append((answers, b"SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 1234." in answer))
    assert said[0] == said[1]
    assert said[0][1]


@pytest.mark.parametrize("alpn", [None, ["http/1.1"]], ids=["nothing", "another"])
def test_tls_at_once_must_ask_for_our_protocol(tls: ProxyProcess, alpn: list[str] | None) -> None:
    with raw(tls) as connection, unverified(alpn).wrap_socket(connection) as encrypted:
        encrypted.sendall(startup(SUPERUSER, "postgres"))
        assert rest_of(encrypted) == b""


def test_tls_at_once_where_there_is_none_is_no_start(proxy: ProxyProcess) -> None:
    with raw(proxy) as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        unverified(["postgresql"]).wrap_socket(connection)


def test_what_is_no_handshake_ends_the_connection(server: Server, proxies: Proxies) -> None:
    """At the latest after the time-out, if the client does not leave."""
    proxy = proxies.start(server.conninfo(), {"tls": {"mode": "allow", "handshake_timeout": 0.5}})
    for begin in (SSL_REQUEST, b"\x16\x03\x01"):
        with raw(proxy) as connection:
            connection.sendall(begin)
            if begin == SSL_REQUEST:
                assert connection.recv(1) == b"S"
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 3)
            assert b"R" not in rest_of(connection)[:1]


def test_who_does_not_go_on_is_left_in_the_end(server: Server, proxies: Proxies) -> None:
    sections = {"tls": {"handshake_timeout": 0.2}, "server": {"startup_timeout": 0.2}}
    proxy = proxies.start(server.conninfo(), sections)
    with raw(proxy) as silent, raw(proxy) as asking:
        asking.sendall(SSL_REQUEST)
        assert asking.recv(1) == b"S"
        assert rest_of(asking) == b""
        assert rest_of(silent) == b""
    assert "Traceback" not in proxy.log()


def test_tls_can_be_required(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"tls": {"mode": "require", "min_version": "TLSv1.3"}})
    with pytest.raises(psycopg.OperationalError, match="sslmode=require"):
        psycopg.connect(proxy.conninfo(sslmode="disable"))
    with psycopg.connect(proxy.conninfo(by_socket=True)), psycopg.connect(proxy.conninfo(sslmode="require")):
        pass
    with pytest.raises(psycopg.OperationalError, match="alert protocol version"):
        psycopg.connect(proxy.conninfo(sslmode="require", ssl_max_protocol_version="TLSv1.2"))
    assert "UNSUPPORTED_PROTOCOL" in proxy.log()
