"""How many clients there may be, and for how long they may be idle or silent."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.commands import run
from tests.harness.proxies import Proxies, connect, open_files
from tests.harness.waiting import wait_until, wait_until_asleep
from tests.harness.wire import Client, cancel, parse, query, startup

SILENT = 1000


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(10_000, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def refused(proxy: ProxyProcess, **more: str) -> str:
    with pytest.raises(psycopg.OperationalError) as caught, psycopg.connect(proxy.conninfo(**more)):
        pass
    return str(caught.value)


@pytest.mark.parametrize("processes", [1, 2])
def test_more_clients_than_allowed_are_refused(server: Server, proxies: Proxies, processes: int) -> None:
    sections = {"limits": {"max_clients": 3}, "server": {"processes": processes}}
    proxy = proxies.start(server.conninfo(), sections)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(proxy))
        assert "FATAL:  sorry, too many clients already" in refused(proxy)
        assert "limits.max_clients" in refused(proxy, by_socket=True)
    with wait_until(lambda: let_in(proxy)):
        pass


def let_in(proxy: ProxyProcess, **more: str) -> psycopg.Connection[tuple[object, ...]] | None:
    try:
        return connect(proxy, **more)
    except psycopg.OperationalError as error:
        assert "too many" in str(error)
        return None


@pytest.mark.parametrize("processes", [1, 2])
def test_roles_have_a_limit_each(server: Server, proxies: Proxies, processes: int) -> None:
    sections = {"limits": {"max_clients_per_user": 2}, "server": {"processes": processes}}
    proxy = proxies.start(server.conninfo(), sections)
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS another_guest; CREATE ROLE another_guest LOGIN")
    with connect(proxy), connect(proxy):
        assert f'FATAL:  too many connections for role "{SUPERUSER}"' in refused(proxy)
        with connect(proxy, user="another_guest"):
            pass


def test_who_is_refused_by_the_server_is_counted_no_more(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients": 2}})
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError, match=r"does not exist|too many") as caught:
            psycopg.connect(proxy.conninfo("nowhere"))
        if "too many" in str(caught.value):  # the one before has not been seen to leave yet
            continue
    with wait_until(lambda: let_in(proxy)), wait_until(lambda: let_in(proxy)):
        pass


def test_addresses_have_a_limit_each(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients_per_address": 1}})
    with connect(proxy):
        assert 'FATAL:  too many connections from address "127.0.0.1"' in refused(proxy)
        with connect(proxy, by_socket=True), connect(proxy, by_socket=True):
            pass


def test_where_no_client_is_let_in_cancel_requests_are(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients": 1}})
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        refused(proxy)
        key = next(body for kind, body in client.greeting if kind == b"K")
        client.send(query("SELECT pg_sleep(60)"))
        wait_until_asleep(server.conninfo(), int.from_bytes(key[:4], "big"))
        cancel(proxy.port, key)
        assert [body for kind, body in client.until_ready() if kind == b"E" and b"C57014\0" in body]


def test_who_is_idle_is_disconnected_in_the_end(server: Server, proxies: Proxies) -> None:
    """But not who is in a transaction, or waits for a statement."""
    proxy = proxies.start(server.conninfo(), {"limits": {"client_idle_timeout": 0.3}})

    def client() -> Client:
        return Client("127.0.0.1", proxy.port, SUPERUSER, "postgres")

    with client() as idle, client() as within, client() as waiting:
        within.send(query("BEGIN"))
        within.until_ready()
        waiting.send(query("SELECT pg_sleep(1.5)"))
        said = idle.receive()
        assert said is not None
        assert said[0] == b"E"
        assert b"C57P05\0Mterminating connection due to idle-session timeout\0" in said[1]
        assert idle.receive() is None
        assert waiting.until_ready()[-1] == (b"Z", b"I")
        within.send(query("SELECT 1"))
        assert within.until_ready()[-1] == (b"Z", b"T")
    assert "Traceback" not in proxy.log()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_limit_that_more_have_passed_already_refuses_the_next(
    server: Server, proxies: Proxies, processes: int
) -> None:
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients": 10}, "server": {"processes": processes}})
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(connect(proxy))
        proxy.config_path.write_text(proxy.config_path.read_text().replace("max_clients = 10", "max_clients = 2"))
        assert run("reload", "-c", str(proxy.config_path), directory=proxy.directory).returncode == 0
        for _ in range(3):
            with pytest.raises(psycopg.OperationalError, match="too many clients"):
                connect(proxy)
    assert "Traceback" not in proxy.log()


def test_limits_count_from_a_reload(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients": 1}})
    with connect(proxy):
        refused(proxy)
        text = proxy.config_path.read_text()
        proxy.config_path.write_text(text.replace("max_clients = 1", "max_clients = 2"))
        assert proxy.process is not None
        proxy.process.send_signal(1)
        with wait_until(lambda: let_in(proxy)):
            refused(proxy)


@pytest.mark.parametrize("tls", ["disable", "allow"])
def test_silent_and_slow_clients_do_not_hurt_others(server: Server, proxies: Proxies, tls: str) -> None:
    """Half of a thousand say nothing, half begin and go no further; they are gone at the time-out."""
    proxy = proxies.start(server.conninfo(), {"server": {"startup_timeout": 5}, "tls": {"mode": tls}})
    before = open_files(proxy)
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 20)) for _ in range(SILENT)]
        for number, each in enumerate(silent):
            each.sendall(startup(SUPERUSER, "postgres")[: number % 2 * (number % 30)])
        with connect(proxy) as connection:
            for _ in range(100):
                assert connection.execute("SELECT 1").fetchone() == (1,)
        for each in silent:
            assert each.recv(1) == b""
        wait_until(lambda: open_files(proxy) <= before)
    assert "Traceback" not in proxy.log()


def test_a_client_that_sends_before_it_is_let_in_is_held_back(server: Server, proxies: Proxies) -> None:
    """What it may send until then is bounded, and nothing of it is lost."""
    proxy = proxies.start(server.conninfo())
    statements = [parse("SELECT 1", f"s{number}") for number in range(20_000)]
    with Client.__new__(Client) as client:
        client.socket = socket.create_connection(("127.0.0.1", proxy.port), 20)
        client._buffer, client.closed = b"", False
        client.send(startup(SUPERUSER, "postgres") + b"".join(statements) + query("SELECT 2"))
        greeting = client.until_ready()
        assert greeting[-1] == (b"Z", b"I")
        answers = client.until_ready()
        assert sum(kind == b"1" for kind, _ in answers) == len(statements)
        assert answers[-1] == (b"Z", b"I")


@pytest.mark.parametrize("processes", [1, 2])
def test_who_only_says_that_it_is_a_role_takes_none_of_its_places(
    server: Server, proxies: Proxies, processes: int
) -> None:
    file = proxies.directory / "auth"
    file.touch(mode=0o600)
    file.write_text(f'"{SUPERUSER}" "secret"\n')
    sections = {
        "limits": {"max_clients_per_user": 1},
        "auth": {"mode": "terminate", "file": str(file)},
        "server": {"processes": processes},
    }
    proxy = proxies.start(server.conninfo(), sections)
    with ExitStack() as stack:
        for _ in range(3):
            claiming = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 20))
            claiming.sendall(startup(SUPERUSER, "postgres"))
            assert claiming.recv(1) == b"R"
        with connect(proxy, password="secret"):
            assert "too many connections for role" in refused(proxy, password="secret")


@pytest.mark.parametrize("first", [b"", b"\0", b"\x16"], ids=["silent", "a packet", "TLS"])
def test_no_more_than_twice_as_many_wait_at_the_door(server: Server, proxies: Proxies, first: bytes) -> None:
    """Whatever they wait for."""
    proxy = proxies.start(server.conninfo(), {"limits": {"max_clients": 3}, "tls": {"mode": "allow"}})
    with ExitStack() as stack:
        for _ in range(30):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 20))
            with suppress(ConnectionResetError):
                waiting.sendall(first)
        wait_until(lambda: proxy.log().count("more than twice limits.max_clients") >= 24)
        with connect(proxy), connect(proxy, by_socket=True):
            pass  # who waits keeps nobody out
