"""TLS to the target: what sslmode and its relatives come to, as the server sees the session.

The server is one that is built with TLS, as Debian's is.  Direct TLS, which needs PostgreSQL 17, meets a relay that
ends it in front of a server, as load balancers do.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from clone_engine.records.errors import PgError
from proxy.embedded import SUPERUSER, Server
from tests.harness.certificates import Authority, Issued, server_settings, with_tls
from tests.harness.commands import run
from tests.harness.network import Network, network_to
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Servers
from tests.harness.waiting import under_way, wait_until, wait_until_asleep
from tests.harness.wire import Client, query

HBA = """\
local all all trust
hostssl all only_tls 127.0.0.1/32 trust
hostnossl all only_plain 127.0.0.1/32 trust
hostssl all by_certificate 127.0.0.1/32 cert
host all postgres 127.0.0.1/32 trust
"""
ROLES = "CREATE ROLE only_tls LOGIN; CREATE ROLE only_plain LOGIN; CREATE ROLE by_certificate LOGIN"


class Certified:
    """A server with TLS, and the certificates around it."""

    def __init__(self, server: Server, authority: Authority, shown: Issued, other: Authority) -> None:
        self.server = server
        self.authority = authority
        self.shown = shown
        self.other = other

    def target(self, more: str, host: str = "localhost") -> str:
        """A conninfo; {root}, {other} and the like in `more` are files."""
        directory = self.authority.directory
        files = {"root": self.authority.certificate, "other": self.other.certificate, "dir": directory}
        return f"host={host} hostaddr=127.0.0.1 port={self.server.port} " + more.format_map(files)


@pytest.fixture(scope="module")
def certified(servers: Servers) -> Iterator[Certified]:
    built = with_tls(servers.installations)
    if not built:
        pytest.skip("no PostgreSQL here is built with TLS")
    directory = servers.directory / "certificates"
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    authority, other = Authority(directory), Authority(directory, "other")
    shown = authority.issue("server", ["localhost"])
    authority.issue("by_certificate")
    authority.issue("sealed", password="the key's own")
    authority.revoke(shown)
    authority.revoke()
    server = servers.get(built[-1], name="with TLS", settings=server_settings(shown, authority))
    (server.data / "pg_hba.conf").write_text(HBA)
    with psycopg.connect(server.conninfo(by_socket=True), autocommit=True) as connection:
        connection.execute(ROLES.encode())
        connection.execute("SELECT pg_reload_conf()")
    yield Certified(server, authority, shown, other)


ENCRYPTED = {
    "by default": ("", "TLSv1.3"),
    "disable": ("sslmode=disable", None),
    "allow": ("sslmode=allow", None),
    "prefer": ("sslmode=prefer", "TLSv1.3"),
    "prefer, with an authority that did not sign": ("sslmode=prefer sslrootcert={other}", None),
    "require": ("sslmode=require", "TLSv1.3"),
    "require, with the authority": ("sslmode=require sslrootcert={root}", "TLSv1.3"),
    "verify-ca": ("sslmode=verify-ca sslrootcert={root}", "TLSv1.3"),
    "verify-full": ("sslmode=verify-full sslrootcert={root}", "TLSv1.3"),
    "an older version": ("sslmode=require ssl_max_protocol_version=TLSv1.2", "TLSv1.2"),
    "without SNI": ("sslmode=verify-ca sslrootcert={root} sslsni=0", "TLSv1.3"),
    "nothing revoked": ("sslmode=verify-ca sslrootcert={root} sslcrl={dir}/revoked0.crl", "TLSv1.3"),
}


@pytest.mark.parametrize("case", ENCRYPTED)
def test_a_session_is_encrypted_as_the_target_says(proxies: Proxies, certified: Certified, case: str) -> None:
    more, version = ENCRYPTED[case]
    with connect(proxies.start(certified.target(more))) as connection:
        assert connection.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (
            version,
        )


def test_connections_that_nobody_takes_leave_no_complaint_in_the_server_s_log(
    proxies: Proxies, certified: Certified
) -> None:
    """Those that are opened ahead, while clients come in quick succession."""
    proxy = proxies.start(certified.target("sslmode=require"))
    before = len(certified.server.log())
    others = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND state IS NULL"
    for _ in range(10):
        connect(proxy).close()
    with connect(proxy) as connection:
        wait_until(lambda: connection.execute(others).fetchone() == (0,), 30, "them to be closed")
    proxy.stop()
    assert "could not receive data" not in certified.server.log()[before:]


REFUSED = {
    "another authority": (
        "sslmode=verify-ca sslrootcert={other}",
        "localhost",
        "the server's certificate: self",
    ),
    "require with another authority": (
        "sslmode=require sslrootcert={other}",
        "localhost",
        "the server's certificate: self",
    ),
    "another host": ("sslmode=verify-full sslrootcert={root}", "db.example", "Hostname mismatch"),
    "an address": ("sslmode=verify-full sslrootcert={root}", "127.0.0.1", "IP address mismatch"),
    "the system's authorities": ("sslrootcert=system", "localhost", "the server's certificate: self"),
    "revoked": ("sslmode=verify-ca sslrootcert={root} sslcrl={dir}/revoked1.crl", "localhost", "certificate revoked"),
    "a sealed key": ("sslcert={dir}/sealed.crt sslkey={dir}/sealed.key sslpassword=wrong", "localhost", "sslpassword"),
    "another's key": (
        "sslcert={dir}/sealed.crt sslkey={dir}/by_certificate.key",
        "localhost",
        "no private key (PEM) of",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_server_that_cannot_prove_what_is_asked_is_refused(short_tmp: Path, certified: Certified, case: str) -> None:
    more, host, words = REFUSED[case]
    done = run("serve", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET=certified.target(more, host))
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


ALL_BUT_OVER = (
    "SELECT repeat('x', 200), CASE WHEN i = 60000 THEN pg_terminate_backend(pg_backend_pid()) END"
    " FROM generate_series(1, 60000) i"
)


@pytest.mark.parametrize("sslmode", ["disable", "require"])
def test_what_a_server_says_last_arrives(proxies: Proxies, certified: Certified, sslmode: str) -> None:
    proxy = proxies.start(certified.target(f"sslmode={sslmode}"))
    for port in (certified.server.port, proxy.port):
        with Client("127.0.0.1", port, SUPERUSER, "postgres") as client:
            client.send(query(ALL_BUT_OVER))
            kinds, last = Counter[bytes](), b""
            while message := client.receive():
                kinds[message[0]] += 1
                last = message[1]
        assert kinds[b"D"] >= 59_999
        assert b"\0C57P01\0" in last


def test_a_unix_socket_is_never_encrypted(proxies: Proxies, certified: Certified) -> None:
    server = certified.server
    target = (
        f"host={server.directory} port={server.port} sslmode=verify-full sslrootcert={certified.authority.certificate}"
    )
    with connect(proxies.start(target)) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (False,)


@pytest.mark.parametrize(("mode", "role", "encrypted"), [("prefer", "only_plain", False), ("allow", "only_tls", True)])
def test_a_login_that_is_refused_one_way_goes_the_other(
    proxies: Proxies, certified: Certified, mode: str, role: str, encrypted: bool
) -> None:
    with connect(proxies.start(certified.target(f"sslmode={mode}")), user=role) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (encrypted,)


@pytest.mark.parametrize(("mode", "role"), [("require", "only_plain"), ("disable", "only_tls"), ("prefer", "nosuch")])
def test_the_client_gets_the_server_s_refusal_as_it_is(
    proxies: Proxies, certified: Certified, mode: str, role: str
) -> None:
    proxy = proxies.start(certified.target(f"sslmode={mode}"))
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry for host") as refused:
        connect(proxy, user=role)
    ending = "SSL encryption" if mode == "require" else "no encryption"
    assert str(refused.value).strip().endswith(ending)


def test_the_proxy_s_certificate_lets_a_session_and_its_jobs_in(proxies: Proxies, certified: Certified) -> None:
    own = "sslmode=verify-full sslrootcert={root} sslcert={dir}/by_certificate.crt sslkey={dir}/by_certificate.key"
    proxy = proxies.start(certified.target(own))
    with connect(proxy, user="by_certificate") as connection:
        shown = connection.execute("SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert shown == ("/CN=by_certificate",)
        with pytest.raises(psycopg.Error, match='schema "nosuch" does not exist'):  # it got as far as to look
            connection.execute("SELECT pgclone_schema('dbname=postgres user=postgres', 'nosuch', false)")


def test_a_server_without_tls_is_refused_where_it_must_have_it(short_tmp: Path, server: Server) -> None:
    target = f"host=127.0.0.1 port={server.port} sslmode=require"
    done = run("serve", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET=target)
    assert (done.returncode, "does not offer TLS" in done.stderr) == (2, True)


def test_what_comes_unencrypted_behind_the_answer_drops_the_connection(short_tmp: Path) -> None:
    """Somebody in the middle could have put it there, to be taken for the server's own words (CVE-2021-23222)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> bytes:
            peer = listening.accept()[0]
            with peer:
                peer.recv(8)
                peer.sendall(b"S" + b"E\0\0\0\x04")
                return peer.recv(1)

        target = f"host=127.0.0.1 port={listening.getsockname()[1]} sslmode=require"
        with under_way(answer) as answering:
            done = run("serve", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET=target)
        assert (done.returncode, "unencrypted data" in done.stderr) == (2, True)
        assert answering.result() == b""


class TestDirect:
    """TLS from the first byte on."""

    @pytest.fixture
    def front(self, certified: Certified) -> Iterator[Network]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certified.shown)
        context.set_alpn_protocols(["postgresql"])
        with network_to(certified.server.port, context) as network:
            yield network

    def target(self, certified: Certified, front: Network) -> str:
        files = f"sslmode=verify-full sslrootcert={certified.authority.certificate}"
        return f"host=localhost hostaddr=127.0.0.1 port={front.port} sslnegotiation=direct {files}"

    def test_a_session_begins_with_tls(self, proxies: Proxies, certified: Certified, front: Network) -> None:
        with connect(proxies.start(self.target(certified, front))) as connection:
            assert connection.execute("SELECT repeat('x', 3000000)").fetchone() == ("x" * 3_000_000,)

    def test_so_does_a_cancel_request(self, proxies: Proxies, certified: Certified, front: Network) -> None:
        proxy = proxies.start(self.target(certified, front))
        with connect(proxy) as connection:
            pid = connection.info.backend_pid
            with under_way(lambda: connection.execute("SELECT pg_sleep(60)")) as sleeping:
                wait_until_asleep(proxy.conninfo(), pid)
                connection.cancel_safe()
                assert isinstance(sleeping.exception(), psycopg.errors.QueryCanceled)

    def test_a_server_that_speaks_something_else_in_it_is_refused(self, proxies: Proxies, certified: Certified) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certified.shown)
        with network_to(certified.server.port, context) as front, pytest.raises(PgError) as refused:
            proxies.start(self.target(certified, front))
        assert "ALPN" in refused.value.detail
