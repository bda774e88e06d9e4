"""TLS towards clients: who gets it and how, which certificates, and what is refused."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import asyncpg
import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.certificates import Authority
from tests.harness.proxies import Proxies, running_proxies
from tests.harness.servers import PASSWORD, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import GSSENC_REQUEST, SSL_REQUEST, Client, query, startup
from tests.transparency.test_same import CONVERSATIONS, talk

SECONDS = 10.0
DIRECT = {"sslmode": "require", "sslnegotiation": "direct"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Proxies]:
    """Starts proxies that the tests of the module share."""
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as started:
        yield started


@pytest.fixture(scope="module")
def tls(server: Server, shared: Proxies) -> ProxyProcess:
    """A proxy with what is set where nothing is."""
    return shared.start(server.conninfo(), {"tls": {}})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def verifying(server: Server, shared: Proxies, authority: Authority) -> ProxyProcess:
    """A proxy with certificates of an authority, which asks for those of clients."""
    own = authority.issue("localhost", ["localhost"])
    sections = {
        "tls": {
            "mode": "require",
            "cert_file": str(own.certificate),
            "key_file": str(own.key),
            "client_cert": "require",
            "client_ca_file": str(authority.certificate),
        }
    }
    return shared.start(server.conninfo(), sections)


@pytest.fixture(autouse=True)
def no_defect(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that a client does makes the proxy fail."""
    yield
    for name in ("tls", "verifying"):
        if name in request.fixturenames:
            assert "Traceback" not in request.getfixturevalue(name).log()


def root_of(proxy: ProxyProcess) -> str:
    """The certificate that the proxy has made for itself."""
    return str(proxy.directory / "jobs.sqlite.tls.crt")


def raw(proxy: ProxyProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), SECONDS)


def unverified(alpn: list[str] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def negotiated(proxy: ProxyProcess, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection with TLS after SSLRequest."""
    connection = raw(proxy)
    connection.sendall(SSL_REQUEST)
    assert connection.recv(1) == b"S"
    return (context or unverified()).wrap_socket(connection)


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    try:
        while data := connection.recv(1 << 16):
            received += data
    except ConnectionResetError:
        pass
    return received


# --- who gets it ----------------------------------------------------------------------------------------------


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


# --- cancel requests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_tls", [True, False])
def test_a_cancel_request_may_come_before_and_after_tls(tls: ProxyProcess, by_tls: bool) -> None:
    with Client("127.0.0.1", tls.port, SUPERUSER, "postgres", context=unverified()) as client:
        key = next(body for kind, body in client.greeting if kind == b"K")
        client.send(query("SELECT pg_sleep(60)"))
        request = pack("!II", 12 + len(key) - 4, 80877102) + key
        with psycopg.connect(tls.conninfo(), autocommit=True) as other:
            asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
            wait_until(lambda: other.execute(asleep, (int.from_bytes(key[:4], "big"),)).fetchone())
        with negotiated(tls) if by_tls else raw(tls) as canceller:
            canceller.sendall(request)
            assert rest_of(canceller) == b""
        said = client.until_ready()
        assert [body for kind, body in said if kind == b"E" and b"C57014\0" in body]


# --- what is refused -------------------------------------------------------------------------------------------


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


def test_what_is_no_handshake_ends_the_connection(tls: ProxyProcess) -> None:
    for begin in (SSL_REQUEST, b"\x16\x03\x01"):
        with raw(tls) as connection:
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


# --- certificates of clients ---------------------------------------------------------------------------------


def test_clients_certificates_are_verified(verifying: ProxyProcess, authority: Authority, tmp_path: Path) -> None:
    known, stranger = authority.issue("app"), Authority(tmp_path, "unknown").issue("stranger")

    def connect(**theirs: str) -> psycopg.Connection:
        secure = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate)}
        return psycopg.connect(
            host="localhost", port=verifying.port, user=SUPERUSER, dbname="postgres", **secure, **theirs
        )

    with connect(sslcert=str(known.certificate), sslkey=str(known.key)) as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="certificate required"):
        connect(sslcertmode="disable")
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in verifying.log()
    with pytest.raises(psycopg.OperationalError, match="unknown ca"):
        connect(sslcert=str(stranger.certificate), sslkey=str(stranger.key))
    assert "CERTIFICATE_VERIFY_FAILED" in verifying.log()


# --- the proxy's own -------------------------------------------------------------------------------------------


def test_the_certificate_is_private_and_stays(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"tls": {}})
    files = [Path(root_of(proxy)), Path(root_of(proxy)).with_suffix(".key")]
    before = [file.read_bytes() for file in files]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    proxy.stop()
    proxy.start()
    assert [file.read_bytes() for file in files] == before


def reload(proxy: ProxyProcess) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proxy", "reload", "-c", str(proxy.config_path)]
    return subprocess.run(command, env=proxy.environment, capture_output=True, text=True, check=False)


def test_rotated_certificates_count_from_a_reload(server: Server, proxies: Proxies, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("localhost", ["localhost"])
    files = {"cert_file": str(own.certificate), "key_file": str(own.key)}
    proxy = proxies.start(server.conninfo(), {"tls": files})

    def shown() -> bytes:
        with negotiated(proxy) as connection:
            return connection.getpeercert(binary_form=True) or b""

    first = shown()
    with psycopg.connect(proxy.conninfo(sslmode="require"), autocommit=True) as open_session:
        authority.issue("localhost", ["localhost"])
        assert shown() == first
        assert reload(proxy).returncode == 0
        second = shown()
        assert second != first
        own.key.write_text("no key")
        failed = reload(proxy)
        assert failed.returncode != 0
        assert "tls.key_file" in failed.stderr
        assert shown() == second
        assert open_session.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cert_file": "{cert}"}, "go together"),
        ({"cert_file": "{cert}", "key_file": "{other}"}, "another certificate's"),
        ({"cert_file": "{cert}", "key_file": "{open}"}, "chmod 600"),
        ({"cert_file": "/nowhere", "key_file": "{key}"}, "cannot read tls.cert_file"),
        ({"cert_file": "{cert}", "key_file": "/nowhere"}, "cannot read tls.key_file"),
        ({"client_cert": "require", "mode": "require"}, "needs tls.client_ca_file"),
        ({"client_cert": "require", "client_ca_file": "{cert}"}, 'needs tls.mode = "require"'),
        ({"client_ca_file": "{cert}"}, "is for tls.client_cert"),
        ({"client_cert": "optional", "client_ca_file": "{key}"}, "no certificates"),
        ({"mode": "sometimes"}, "tls.mode"),
    ],
)
def test_settings_that_do_not_go_together_are_said(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    authority = Authority(tmp_path)
    own, other = authority.issue("localhost", ["localhost"]), authority.issue("other")
    opened = tmp_path / "open.key"
    opened.write_bytes(own.key.read_bytes())
    opened.chmod(0o644)
    names = {"cert": own.certificate, "key": own.key, "other": other.key, "open": opened}
    config = tmp_path / "proxy.toml"
    lines = [f'{key} = "{value.format(**names)}"' for key, value in settings.items()]
    config.write_text("\n".join(['[server]\ntarget = "host=127.0.0.1"\nunix_socket_dir = ""\n[tls]', *lines]))
    command = [sys.executable, "-m", "proxy", "check-config", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
