"""Logging in through the proxy: each mode, with servers that ask for each thing, and two clients."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect, running_proxies
from tests.harness.servers import Servers
from tests.harness.waiting import wait_until
from tests.harness.wire import message, startup
from tests.integration.login_roles import ASKED, CLIENTS, LOGINS, PASSWORD, Refused, verifier, with_roles

MODES = ("password", "relay", "terminate")


@pytest.fixture(scope="module")
def logins(servers: Servers) -> Server:
    return with_roles(servers)


@pytest.fixture(scope="module")
def started() -> Iterator[Proxies]:
    """Starts proxies that are shared by the tests of this module."""
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        yield proxies


@pytest.fixture(scope="module")
def by_mode(started: Proxies, logins: Server) -> dict[str, ProxyProcess]:
    """A proxy in each mode, with passwords in the auth file."""
    file = auth_file(started.directory, dict.fromkeys((*LOGINS, "lg_rejected", "lg_nologin", "lg_expired"), PASSWORD))
    return {mode: started.start(logins.conninfo(), {"auth": {"mode": mode, "file": file}}) for mode in MODES}


def auth_file(directory: Path, secrets: dict[str, str], name: str = "auth") -> str:
    path = directory / name
    path.touch(mode=0o600)
    path.write_text("".join(f'"{role}" "{secret}"\n' for role, secret in secrets.items()))
    return str(path)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("role", LOGINS)
@pytest.mark.parametrize("mode", MODES)
def test_who_gets_in_directly_gets_in(by_mode: dict[str, ProxyProcess], mode: str, role: str, client: str) -> None:
    conninfo = by_mode[mode].conninfo(user=role, password=PASSWORD)
    assert CLIENTS[client](conninfo) == role


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("role", ASKED)
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_password_is_refused_in_the_same_words(
    by_mode: dict[str, ProxyProcess], logins: Server, mode: str, role: str, client: str
) -> None:
    refusal = CLIENTS[client](logins.conninfo(user=role, password="wrong"))
    assert isinstance(refusal, Refused)
    assert CLIENTS[client](by_mode[mode].conninfo(user=role, password="wrong")) == refusal


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("role", "dbname"),
    [
        ("lg_rejected", "postgres"),
        ("lg_nologin", "postgres"),
        ("lg_expired", "postgres"),
        ("lg_nobody", "postgres"),
        ("lg_scram", "no such database"),
        ("lg_trusted", "no such database"),
    ],
)
def test_who_is_refused_directly_is_refused_in_the_same_words(
    by_mode: dict[str, ProxyProcess], logins: Server, mode: str, role: str, dbname: str
) -> None:
    refusal = CLIENTS["asyncpg"](logins.conninfo(dbname, user=role, password=PASSWORD))
    assert isinstance(refusal, Refused)
    # The addresses in pg_hba.conf's errors are those of whoever connects to the server, here both this machine.
    assert CLIENTS["asyncpg"](by_mode[mode].conninfo(dbname, user=role, password=PASSWORD)) == refusal


def test_password_asks_for_none_where_the_server_asks_for_none(by_mode: dict[str, ProxyProcess]) -> None:
    with psycopg.connect(by_mode["password"].conninfo(user="lg_trusted")) as connection:
        assert not connection.pgconn.used_password


def test_password_tells_a_client_without_one_that_one_is_needed(by_mode: dict[str, ProxyProcess]) -> None:
    # This is how psql knows that it has to prompt.
    with pytest.raises(psycopg.OperationalError, match="no password supplied") as refused:
        psycopg.connect(by_mode["password"].conninfo(user="lg_scram"))
    assert refused.value.pgconn is not None
    assert refused.value.pgconn.needs_password


def test_a_client_that_insists_on_scram_gives_password_no_password(by_mode: dict[str, ProxyProcess]) -> None:
    with pytest.raises(psycopg.OperationalError, match="authentication method requirement"):
        psycopg.connect(by_mode["password"].conninfo(user="lg_scram", password=PASSWORD, require_auth="scram-sha-256"))
    for mode in ("relay", "terminate"):
        conninfo = by_mode[mode].conninfo(user="lg_scram", password=PASSWORD, require_auth="scram-sha-256")
        assert CLIENTS["libpq"](conninfo) == "lg_scram"


@pytest.mark.parametrize("mode", MODES)
def test_the_proxy_s_unix_socket(by_mode: dict[str, ProxyProcess], mode: str) -> None:
    conninfo = by_mode[mode].conninfo(user="lg_scram", password=PASSWORD, by_socket=True)
    assert CLIENTS["libpq"](conninfo) == "lg_scram"


@pytest.mark.parametrize("mode", ["password", "relay"])
def test_peer_names_the_proxy_s_account(started: Proxies, logins: Server, mode: str) -> None:
    proxy = started.start(logins.conninfo(by_socket=True), {"auth": {"mode": mode}})
    assert CLIENTS["libpq"](proxy.conninfo(user="lg_peer")) == "lg_peer"
    assert CLIENTS["libpq"](proxy.conninfo(user="lg_scram", password=PASSWORD)) == "lg_scram"


@pytest.mark.parametrize("mode", MODES)
def test_replication_connections_log_in_alike(by_mode: dict[str, ProxyProcess], mode: str) -> None:
    conninfo = by_mode[mode].conninfo(user="lg_scram", password=PASSWORD, replication="database")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        assert connection.execute("IDENTIFY_SYSTEM").fetchone() is not None


def test_terminate_with_the_server_s_own_verifier(started: Proxies, logins: Server) -> None:
    file = auth_file(
        started.directory,
        {role: verifier(logins, "lg_scram") for role in ("lg_scram", "lg_clear", "lg_md5", "lg_trusted")},
        "verifiers",
    )
    proxy = started.start(logins.conninfo(), {"auth": {"mode": "terminate", "file": file}})
    asyncpg = CLIENTS["asyncpg"]
    assert asyncpg(proxy.conninfo(user="lg_scram", password=PASSWORD)) == "lg_scram"
    assert asyncpg(proxy.conninfo(user="lg_trusted", password=PASSWORD)) == "lg_trusted"
    # A verifier is no password, and what was proven with it proves nothing elsewhere.
    for role, method in (("lg_clear", "password"), ("lg_md5", "md5")):
        refusal = asyncpg(proxy.conninfo(user=role, password=PASSWORD))
        assert isinstance(refusal, Refused)
        assert refusal.sqlstate == "28000"
        assert f"asks for method {method}" in refusal.message


def test_terminate_with_another_verifier_says_so(started: Proxies, logins: Server) -> None:
    file = auth_file(started.directory, {"lg_scram": verifier(logins, "lg_clear")}, "another")
    proxy = started.start(logins.conninfo(), {"auth": {"mode": "terminate", "file": file}})
    refusal = CLIENTS["asyncpg"](proxy.conninfo(user="lg_scram", password=PASSWORD))
    assert isinstance(refusal, Refused)
    assert refusal.sqlstate == "28000"
    assert "another verifier" in refusal.message


def test_terminate_checks_also_where_the_server_does_not(by_mode: dict[str, ProxyProcess]) -> None:
    refusal = CLIENTS["asyncpg"](by_mode["terminate"].conninfo(user="lg_trusted", password="wrong"))
    assert refusal == Refused("28P01", 'password authentication failed for user "lg_trusted"')


@pytest.mark.parametrize(
    ("requirement", "role", "works"),
    [
        ("require_auth=scram-sha-256", "lg_scram", True),
        ("require_auth=scram-sha-256", "lg_md5", False),
        ("require_auth=scram-sha-256", "lg_trusted", False),
        ("require_auth=!password,!md5", "lg_clear", False),
        ("require_auth=!password,!md5", "lg_trusted", True),
        ("channel_binding=require", "lg_scram", False),  # no TLS: nothing to bind to
        ("channel_binding=require", "lg_trusted", False),
    ],
)
def test_the_target_s_requirements_hold(
    proxies: Proxies, logins: Server, requirement: str, role: str, works: bool
) -> None:
    proxy = proxies.start(f"{logins.conninfo()} {requirement}")
    found = CLIENTS["asyncpg"](proxy.conninfo(user=role, password=PASSWORD))
    assert (found == role) if works else (isinstance(found, Refused) and found.sqlstate == "28000")


@pytest.mark.parametrize("mode", MODES)
def test_nothing_secret_is_logged(by_mode: dict[str, ProxyProcess], logins: Server, mode: str) -> None:
    proxy = by_mode[mode]
    for role in ASKED:
        with connect(proxy, user=role, password=PASSWORD) as connection:
            connection.execute("SELECT count(*) FROM pgclone_jobs_view")
    log = proxy.log()
    assert "lg_scram" in log
    for secret in ("canary", verifier(logins, "lg_scram").rpartition("$")[2].partition(":")[0]):
        assert secret not in log


def test_who_is_not_in_the_auth_file_has_one_salt_for_ever(server: Server, proxies: Proxies) -> None:
    """In each process, after each reload and each start, also where no key was kept for anything else."""
    file = proxies.directory / "auth"
    file.touch(mode=0o600)
    file.write_text('"somebody" "a password"\n')
    sections = {
        "auth": {"mode": "terminate", "file": str(file)},
        "server": {"processes": 2},
        "jobs": {"keep_credentials": False},
    }
    proxy = proxies.start(server.conninfo(), sections)

    def salt() -> bytes:
        """Of the server's first message to a role that there is not."""
        with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection, connection.makefile("rb") as said:
            connection.sendall(startup("nobody_at_all", "postgres"))
            assert said.read(1) == b"R"
            said.read(int.from_bytes(said.read(4), "big") - 4)
            first = b"n,,n=,r=abcdefghijklmnopqrstuvwx"
            connection.sendall(message(b"p", b"SCRAM-SHA-256\0" + pack("!I", len(first)) + first))
            assert said.read(1) == b"R"
            answer = said.read(int.from_bytes(said.read(4), "big") - 4)
            return answer.partition(b",s=")[2].partition(b",")[0]

    salts = {salt() for _ in range(4)}
    assert proxy.process is not None
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration is reloaded" in proxy.log())
    salts |= {salt() for _ in range(4)}
    proxy.stop()
    proxy.start()
    salts.add(salt())
    assert len(salts) == 1
    assert len(salts.pop()) > 10


@pytest.mark.parametrize("more", [{"database": "postgres"}, {"database": "nowhere"}], ids=str)
def test_terminate_opens_no_session_for_who_has_proven_nothing(
    server: Server, proxies: Proxies, more: dict[str, str]
) -> None:
    """Not even at a server that asks for nothing: and so nobody learns which roles and databases there are."""
    file = proxies.directory / "auth"
    file.touch(mode=0o600)
    file.write_text('"postgres" "a password"\n')
    proxy = proxies.start(server.conninfo(), {"auth": {"mode": "terminate", "file": str(file)}})
    said = []
    for role in ("postgres", "nobody_at_all"):
        with socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
            connection.sendall(startup(role, more["database"], application_name="unproven"))
            offer = connection.recv(100)
            with psycopg.connect(server.conninfo()) as admin:
                there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'unproven'"
                assert admin.execute(there).fetchone() == (0,)
            connection.sendall(message(b"p", b"SCRAM-SHA-256\0" + pack("!I", 32) + b"n,,n=,r=abcdefghijklmnopqrstuvwx"))
            connection.recv(200)
            proof = b"c=biws,r=x,p=" + b"A" * 43 + b"="
            connection.sendall(message(b"p", proof))
            said.append((offer, connection.recv(1000).replace(role.encode(), b"ROLE")))
    assert said[0] == said[1]
    assert b"C28P01" in said[0][1] or b"C08P01" in said[0][1]
