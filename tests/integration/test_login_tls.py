"""Logging in where the target speaks TLS, so that its SCRAM may be bound to its certificate."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.certificates import Authority, Issued, server_settings, with_tls
from tests.harness.proxies import Proxies
from tests.harness.servers import Database, Servers, fresh_database
from tests.integration.login_roles import CLIENTS, PASSWORD, Refused, verifier, with_roles

MODES = ("password", "relay", "terminate")


@pytest.fixture(scope="module")
def certificates(servers: Servers) -> tuple[Authority, Issued]:
    """An authority, and the proxy's own certificate."""
    directory = servers.directory / "login-certificates"
    directory.mkdir(exist_ok=True)
    authority = Authority(directory)
    return authority, authority.issue("proxy", ["localhost"])


@pytest.fixture(scope="module")
def logins(servers: Servers, certificates: tuple[Authority, Issued]) -> Server:
    """A server with TLS whose roles log in in different ways."""
    found = with_tls(servers.installations)
    if not found:
        pytest.skip("no PostgreSQL here is built with TLS")
    return with_roles(
        servers, found[-1], server_settings(certificates[0].issue("server", ["localhost"]), certificates[0])
    )


@pytest.fixture
def target(logins: Server) -> Iterator[Database]:
    with fresh_database(logins) as fresh:
        fresh.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        yield fresh


def settings_of(directory: Path, mode: str, secret: str) -> dict[str, dict[str, str]]:
    path = directory / "auth"
    path.touch(mode=0o600)
    path.write_text(f'"lg_scram" "{secret}"\n')
    return {"auth": {"mode": mode, "file": str(path)}}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_client_without_tls_gets_in_to_a_target_with_it(
    proxies: Proxies, logins: Server, mode: str, client: str
) -> None:
    proxy = proxies.start(f"{logins.conninfo()} sslmode=require", settings_of(proxies.directory, mode, PASSWORD))
    conninfo = proxy.conninfo(user="lg_scram", password=PASSWORD)
    assert CLIENTS[client](conninfo) == "lg_scram"
    refused = CLIENTS[client](proxy.conninfo(user="lg_scram", password="wrong"))
    assert isinstance(refused, Refused)
    assert refused.message.endswith('password authentication failed for user "lg_scram"')
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
    assert row == (True,)


@pytest.mark.parametrize("secret", ["password", "verifier"])
@pytest.mark.parametrize("mode", ["password", "terminate"])
def test_the_proxy_and_its_jobs_bind_to_the_target_s_certificate(
    proxies: Proxies, logins: Server, target: Database, source_database: Database, mode: str, secret: str
) -> None:
    kept = verifier(logins, "lg_scram") if secret == "verifier" else PASSWORD
    conninfo = f"{logins.conninfo()} sslmode=require channel_binding=require"
    proxy = proxies.start(conninfo, settings_of(proxies.directory, mode, kept))
    source_database.execute("CREATE TABLE public.t (id int)")
    with psycopg.connect(proxy.conninfo(target.name, user="lg_scram", password=PASSWORD), autocommit=True) as client:
        cloned = client.execute("SELECT pgclone_table(%s, 'public', 't')", [source_database.conninfo()]).fetchone()
    assert cloned == ("OK",)
    # A server that asks for less than what binds is refused, though the password would be right.
    refused = CLIENTS["asyncpg"](proxy.conninfo(user="lg_clear", password=PASSWORD))
    assert isinstance(refused, Refused)
    if mode == "password":
        assert refused.sqlstate == "28000"
        assert "does not authenticate as the proxy requires" in refused.message


def test_relay_cannot_bind(proxies: Proxies, logins: Server) -> None:
    with pytest.raises(Exception, match="did not start"):
        proxies.start(f"{logins.conninfo()} sslmode=require channel_binding=require", {"auth": {"mode": "relay"}})
    assert "channel_binding=require" in (proxies.directory / "p1" / "proxy.log").read_text()


def login(proxy: ProxyProcess, client: str) -> str:
    """'works', or what the client is told; `client` is asyncpg, or libpq's channel_binding."""
    place = {"host": "127.0.0.1", "port": proxy.port, "user": "lg_scram", "password": PASSWORD}
    try:
        if client == "asyncpg":
            asyncio.run(_by_asyncpg(**place))
        else:
            more = {"sslmode": "require", "channel_binding": client}
            psycopg.connect(dbname="postgres", **place, **more).close()  # type: ignore[arg-type]
    except (psycopg.Error, asyncpg.PostgresError) as error:
        return str(error)
    return "works"


async def _by_asyncpg(**place: object) -> None:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    await (await asyncpg.connect(**place, database="postgres", ssl=unverified)).close()


BOUND_ELSEWHERE = "bound to the proxy's certificate"
TABLE = [
    # auth.mode, sslmode of the target, whose certificate the proxy shows, client, what comes of it
    ("relay", "require", "its own", "prefer", BOUND_ELSEWHERE),
    ("relay", "require", "its own", "require", BOUND_ELSEWHERE),
    ("relay", "require", "its own", "disable", "works"),
    ("relay", "require", "its own", "asyncpg", "works"),
    ("relay", "require", "the target's", "require", "works"),
    ("relay", "require", "the target's", "prefer", "works"),
    ("relay", "disable", "its own", "prefer", "works"),
    ("relay", "disable", "its own", "require", "channel binding is required"),
    ("relay", "disable", "its own", "asyncpg", "works"),
    *(
        ("terminate", sslmode, "its own", client, "works")
        for sslmode in ("require", "disable")
        for client in ("prefer", "require", "disable", "asyncpg")
    ),
    ("password", "require", "its own", "prefer", "works"),
    ("password", "require", "its own", "asyncpg", "works"),
    ("password", "disable", "its own", "prefer", "works"),
    ("password", "require", "its own", "require", "channel binding required"),
]


@pytest.mark.parametrize(("mode", "sslmode", "shown", "client", "comes"), TABLE)
def test_clients_with_tls(
    proxies: Proxies, logins: Server, certificates: tuple[Authority, Issued], mode: str, sslmode: str, shown: str,
    client: str, comes: str,
) -> None:  # fmt: skip
    authority, own = certificates
    settings = settings_of(proxies.directory, mode, verifier(logins, "lg_scram"))
    name = own.certificate.stem if shown == "its own" else "server"
    key = proxies.directory / "shown.key"  # a copy: the target's is the target's account's
    key.touch(mode=0o600)
    key.write_bytes((authority.directory / f"{name}.key").read_bytes())
    tls = {"cert_file": str(authority.directory / f"{name}.crt"), "key_file": str(key)}
    proxy = proxies.start(f"{logins.conninfo()} sslmode={sslmode}", {**settings, "tls": tls})
    assert comes in login(proxy, client)
    assert "Traceback" not in proxy.log()
