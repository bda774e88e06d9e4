"""Logging in where the target speaks TLS, so that its SCRAM may be bound to its certificate."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest
import uvloop
from psycopg.conninfo import conninfo_to_dict

from proxy.config import AuthSettings, LogSettings, ServerSettings
from proxy.embedded import Server
from proxy.login.modes import login_method
from proxy.server import ForSessions
from proxy.server import Server as Proxy
from proxy.tls.binding import certificate_hash
from proxy.upstream import parse_target
from tests.harness.certificates import Authority, Issued, server_settings, with_tls
from tests.harness.corpus.recorder import Recorder
from tests.harness.proxies import Proxies
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.waiting import wait_until
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


class Front:
    """The proxy, whose clients speak TLS from the first byte, in a thread of its own."""

    def __init__(self, target: str, auth: AuthSettings, shown: Issued) -> None:
        self.port = 0
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._auth = auth
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(shown.certificate, shown.key)
        self._context.set_alpn_protocols(["postgresql"])
        der = ssl.PEM_cert_to_DER_cert(shown.certificate.read_text())
        self._context.binding = certificate_hash(der)  # type: ignore[attr-defined]

    async def serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        target = parse_target(self._target, 10)
        login = login_method(self._auth, target.conninfo.parameters, b"")
        proxy = Proxy(
            ForSessions(ServerSettings(unix_socket_dir=""), LogSettings(), target, login, Recorder(0).intercept)
        )
        listener = await self._loop.create_server(lambda: proxy.admission(1), "127.0.0.1", 0, ssl=self._context)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
        await proxy.stop()

    @contextmanager
    def serving(self) -> Iterator[Front]:
        thread = threading.Thread(target=lambda: uvloop.run(self.serve()))
        thread.start()
        assert self._ready.wait(10)
        try:
            yield self
            # A loop that is closed while TLS says goodbye complains.
            wait_until(lambda: not self._connections(), 20, "the connections to be closed")
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()

    def _connections(self) -> list[object]:
        """Those of this process to the proxy, and of the proxy to the target."""
        ports = {self.port, int(conninfo_to_dict(self._target)["port"] or 0)}
        found = psutil.Process().net_connections("tcp")
        return [each for each in found if each.raddr and ports & {each.laddr.port, each.raddr.port}]

    def login(self, client: str) -> str:
        """'works', or what the client is told; `client` is asyncpg, or libpq's channel_binding."""
        place = {"host": "127.0.0.1", "port": self.port, "user": "lg_scram", "password": PASSWORD}
        try:
            if client == "asyncpg":
                asyncio.run(_by_asyncpg(**place))
            else:
                more = {"sslmode": "require", "sslnegotiation": "direct", "channel_binding": client}
                psycopg.connect(dbname="postgres", **place, **more).close()  # type: ignore[arg-type]
        except (psycopg.Error, asyncpg.PostgresError) as error:
            return str(error)
        return "works"


async def _by_asyncpg(**place: object) -> None:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    unverified.set_alpn_protocols(["postgresql"])
    await (await asyncpg.connect(**place, database="postgres", ssl=unverified, direct_tls=True)).close()


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
    logins: Server, certificates: tuple[Authority, Issued], tmp_path: Path, mode: str, sslmode: str, shown: str,
    client: str, comes: str,
) -> None:  # fmt: skip
    authority, own = certificates
    theirs = Issued(authority.directory / "server.crt", authority.directory / "server.key")
    file = settings_of(tmp_path, mode, verifier(logins, "lg_scram"))["auth"]["file"]
    auth = AuthSettings(mode, file)  # type: ignore[arg-type]
    front = Front(f"{logins.conninfo()} sslmode={sslmode}", auth, own if shown == "its own" else theirs)
    with front.serving():
        assert comes in front.login(client)
