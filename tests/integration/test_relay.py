"""Relaying with real clients and servers: cancels, large results, and either end vanishing at any moment."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, cancel, message, query, startup

GIGABYTE = 1 << 30
MEMORY_LIMIT = 100 << 20


def backends(database: Database) -> int:
    """Client connections to the database other than the one that asks."""
    found: int = database.value(
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}' AND pid <> pg_backend_pid()"
    )
    return found


def peak_memory(proxy: ProxyProcess) -> int:
    """The largest resident size that the proxy has had, in bytes."""
    for line in Path(f"/proc/{proxy.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_a_cancel_request_reaches_the_server(proxy: ProxyProcess) -> None:
    with connect(proxy) as connection:
        timer = threading.Timer(0.2, connection.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cancel_request_with_a_wrong_key_does_nothing(proxy: ProxyProcess) -> None:
    with connect(proxy) as connection:
        cancel(proxy.port, connection.info.backend_pid.to_bytes(4, "big") + b"nope")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_unix_socket_serves_as_well(proxy: ProxyProcess) -> None:
    with psycopg.connect(proxy.conninfo(by_socket=True)) as connection:
        assert connection.execute("SELECT 41 + 1").fetchone() == (42,)


@pytest.mark.parametrize("code", [80877103, 80877104], ids=["SSLRequest", "GSSENCRequest"])
def test_encryption_is_declined_and_the_session_goes_on(proxy: ProxyProcess, code: int) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.sendall((8).to_bytes(4, "big") + code.to_bytes(4, "big"))
        assert raw.recv(1) == b"N"
        raw.sendall(startup(SUPERUSER, "postgres"))
        assert raw.recv(1) == b"R"


def test_bytes_glued_behind_an_ssl_request_end_the_connection(proxy: ProxyProcess) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big") + startup(SUPERUSER, "postgres"))
        assert raw.recv(1) == b""


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\0\0\0\3", b"\x7f\xff\xff\xff" + b"x" * 100, b"\x16\3\1\2\0"]
)
def test_what_is_no_startup_packet_is_hung_up_on(proxy: ProxyProcess, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.sendall(data)
        raw.settimeout(10)
        assert raw.recv(1) == b""
    with connect(proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_result_of_a_gigabyte_needs_little_memory(proxy: ProxyProcess, database: Database) -> None:
    rows = GIGABYTE // 1024
    received = 0
    with connect(proxy, database.name) as connection, connection.cursor() as cursor:
        statement = f"COPY (SELECT repeat('x', 1023) FROM generate_series(1, {rows})) TO STDOUT"
        with cursor.copy(statement.encode()) as copy:
            for data in copy:
                received += len(data)
    assert received == GIGABYTE
    assert peak_memory(proxy) < MEMORY_LIMIT


def test_a_client_that_stops_reading_stops_the_server_too(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        client.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 500000)"))
        postgres = Database(server, "postgres")
        wait_until(
            lambda: postgres.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"),
            20,
            "back-pressure",
        )
        assert peak_memory(proxy) < MEMORY_LIMIT
        assert sum(1 for kind, _ in client.until_ready() if kind == b"D") == 500000


def test_a_server_that_stops_reading_stops_the_client_too(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        # The server reads nothing more while it sleeps; far more than any buffer is sent meanwhile.
        client.send(query("SELECT pg_sleep(2)"))
        sent = threading.Thread(target=client.send, args=(query("SELECT 'x'::text /*" + "y" * 1000 + "*/") * 100_000,))
        sent.start()
        assert client.until_ready()[-1] == (b"Z", b"I")
        for _ in range(100_000):
            client.until_ready()
        sent.join()
    assert peak_memory(proxy) < MEMORY_LIMIT


def test_a_vanished_client_takes_its_backend_along(proxy: ProxyProcess, database: Database) -> None:
    client = Client("127.0.0.1", proxy.port, SUPERUSER, database.name)
    client.send(query("BEGIN"))
    client.until_ready()
    assert backends(database) == 1
    client.socket.close()
    wait_until(lambda: backends(database) == 0, 10, "the backend to end")


def test_a_client_that_vanishes_in_a_result_takes_its_backend_along(proxy: ProxyProcess, database: Database) -> None:
    client = Client("127.0.0.1", proxy.port, SUPERUSER, database.name)
    client.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 5000000)"))
    client.receive()
    client.socket.close()
    wait_until(lambda: backends(database) == 0, 10, "the backend to end")


def test_a_terminated_backend_ends_the_client_s_connection_with_the_server_s_words(
    proxy: ProxyProcess, database: Database
) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, database.name) as client:
        client.send(query("SELECT pg_terminate_backend(pg_backend_pid())"))
        said = client.until_ready()
        assert any(kind == b"E" and b"C57P01\0" in body for kind, body in said)
        assert client.closed


def test_a_server_that_is_killed_ends_the_connections_and_the_proxy_goes_on(servers: Servers, proxies: Proxies) -> None:
    server = servers.get(name="to be killed")
    proxy = proxies.start(server.conninfo())
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        server.stop()
        assert client.until_ready()[-1][0] == b"E"
        assert client.closed
    with pytest.raises(psycopg.OperationalError, match="could not connect to the target server"):
        connect(proxy)
    server.start()
    with connect(proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_start_up_error_of_the_server_reaches_the_client(proxy: ProxyProcess) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nosuch" does not exist'):
        connect(proxy, "nosuch")


def test_passwords_are_relayed(proxies: Proxies, scram_server: Server) -> None:
    proxy = proxies.start(scram_server.conninfo())
    with connect(proxy, password=scram_server.password) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(proxy, password="wrong")


def test_a_silent_client_is_hung_up_on(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), {"server": {"startup_timeout": 0.5}})
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as raw:
        raw.settimeout(10)
        assert raw.recv(1) == b""


def test_notifications_arrive_while_the_client_is_idle(proxy: ProxyProcess) -> None:
    with connect(proxy) as listener, connect(proxy) as sender:
        listener.execute("LISTEN news")
        sender.execute("NOTIFY news, 'hello'")
        found = next(iter(listener.notifies(timeout=10, stop_after=1)))
        assert (found.channel, found.payload) == ("news", "hello")


def test_replication_connections_are_left_alone(proxy: ProxyProcess) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres", replication="database") as client:
        client.send(query("IDENTIFY_SYSTEM"))
        assert client.until_ready()[-1] == (b"Z", b"I")


def test_a_message_after_terminate_is_not_waited_for(proxy: ProxyProcess, database: Database) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, database.name) as client:
        client.send(message(b"X"))
        assert client.receive() is None
    wait_until(lambda: backends(database) == 0, 10, "the backend to end")
