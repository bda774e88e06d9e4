"""The protocol around a session's statements: versions and options, cancel keys, long start-ups, sockets of both kinds.

Each is laid beside what the server itself says, on every version that is installed here where that matters.
"""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.installations import newest
from proxy.launch import ProxyProcess, clean_environment
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until, wait_until_asleep
from tests.harness.wire import Client, cancel, query, startup

LONGEST_STARTUP = 4 + 10_000
"""MAX_STARTUP_PACKET_LENGTH, and the length itself."""
ROUNDS, AT_ONCE = 60, 4

STARTUPS = {
    "3.0": ((3, 0), {}),
    "3.1": ((3, 1), {}),
    "3.2": ((3, 2), {}),
    "a minor version of the future": ((3, 9999), {}),
    "options that nobody knows": ((3, 0), {"_pq_.x": "1", "_pq_.test_protocol_negotiation": ""}),
    "both": ((3, 9999), {"_pq_.x": "1"}),
    "4.0": ((4, 0), {}),
    "a setting that is none": ((3, 0), {"nosuch.setting": "1", "nosuch": "1"}),
    "options": ((3, 0), {"options": "-c work_mem=123kB -c search_path=pg_temp,\\ x", "application_name": "pgclone"}),
    "options that are none": ((3, 0), {"options": "--nosuch"}),
}


def greeting(port: int, name: str) -> list[tuple[bytes, bytes]]:
    """What a server says up to its first ReadyForQuery, without the values of its key."""
    protocol, more = STARTUPS[name]
    with Client("127.0.0.1", port, SUPERUSER, "postgres", protocol=protocol, **more) as client:
        return [(kind, bytes(len(body)) if kind == b"K" else body) for kind, body in client.greeting]


def test_every_version_and_option_is_negotiated_by_the_server(all_servers: list[Server], proxies: Proxies) -> None:
    for server in all_servers:
        proxy = proxies.start(server.conninfo())
        for name in STARTUPS:
            assert greeting(proxy.port, name) == greeting(server.port, name), (server, name)


@pytest.mark.parametrize(
    ("size", "piece"), [(9_999, 1), (LONGEST_STARTUP, 7), (LONGEST_STARTUP, 1 << 20), (LONGEST_STARTUP + 1, 1 << 20)]
)
def test_a_start_up_packet_may_be_as_long_as_for_the_server(
    server: Server, proxy: ProxyProcess, size: int, piece: int
) -> None:
    """And may come byte by byte."""
    short = startup(SUPERUSER, "postgres", options="-c application_name=")
    packet = startup(SUPERUSER, "postgres", options="-c application_name=" + "x" * (size - len(short)))

    def answered(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, size, piece):
                raw.sendall(packet[start : start + piece])
            try:
                return raw.recv(9)
            except ConnectionResetError:  # closed with bytes unread
                return b""

    assert len(packet) == size
    assert answered(proxy.port) == answered(server.port)


@pytest.mark.parametrize(("version", "size"), [("3.0", 4), ("3.2", 32)])
def test_keys_of_both_lengths_cancel(server: Server, proxy: ProxyProcess, version: str, size: int) -> None:
    if server.installation.major < 18 and version != "3.0":
        pytest.skip("the server knows protocol 3.0 only")
    protocol = (3, int(version[-1]))
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres", protocol=protocol) as client:
        key = dict(client.greeting)[b"K"]
        assert len(key) == 4 + size
        client.send(query("SELECT pg_sleep(20)"))
        wait_until_asleep(server.conninfo(), int.from_bytes(key[:4], "big"))
        cancel(proxy.port, key[:-1] + bytes([key[-1] ^ 1]))  # of another session, as far as anybody can tell
        cancel(proxy.port, key)
        assert b"C57014\0" in dict(client.until_ready())[b"E"]


def test_a_key_of_a_session_that_has_ended_does_nothing(proxy: ProxyProcess) -> None:
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        key = dict(client.greeting)[b"K"]
    cancel(proxy.port, key)
    with connect(proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cancel_never_hits_the_next_statement(proxy: ProxyProcess) -> None:
    """pgbouncer's test_cancel_race: when PQcancel has returned, whatever it could hit has been."""

    def cancel_and_go_on(_: int) -> None:
        with connect(proxy) as connection, ThreadPoolExecutor(1) as beside:
            for number in range(ROUNDS):
                cancelled = beside.submit(connection.cancel_safe)
                with suppress(psycopg.errors.QueryCanceled):
                    connection.execute(f"SELECT pg_sleep({number % 5} / 1000.0)")
                cancelled.result()
                assert connection.execute("SELECT 1").fetchone() == (1,)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(cancel_and_go_on, range(AT_ONCE)))


@pytest.mark.parametrize("version", ["3.0", "3.2"])
def test_psql_speaks_the_version_that_it_is_told_to(server: Server, proxy: ProxyProcess, version: str) -> None:
    """An independent witness: psql 18 says which version the session has."""
    psql = newest()
    if min(psql.major, server.installation.major) < 18:
        pytest.skip("versions can be chosen since PostgreSQL 18")
    connection = proxy.conninfo(min_protocol_version=version, max_protocol_version=version)
    done = subprocess.run(
        [psql.program("psql"), "-X", "-d", connection, "-c", "\\conninfo"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"Protocol Version     | {version}" in done.stdout


def test_unix_sockets_on_both_sides(proxies: Proxies, server: Server) -> None:
    """COPY, notifications and cancels."""
    proxy = proxies.start(server.conninfo(by_socket=True))
    with psycopg.connect(proxy.conninfo(by_socket=True), autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE t (a text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write_row(("x" * 1_000_000,))
        assert connection.execute("SELECT length(a) FROM t").fetchone() == (1_000_000,)
        connection.execute("LISTEN news")
        connection.execute("NOTIFY news, 'hello'")
        assert [found.payload for found in connection.notifies(timeout=10, stop_after=1)] == ["hello"]
        with ThreadPoolExecutor(1) as beside, pytest.raises(psycopg.errors.QueryCanceled):
            beside.submit(_cancel_sleep, server, connection)
            connection.execute("SELECT pg_sleep(20)")


def _cancel_sleep(server: Server, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    wait_until_asleep(server.conninfo(), connection.info.backend_pid)
    connection.cancel_safe()


def test_a_notification_comes_while_a_copy_waits_for_the_client(proxy: ProxyProcess) -> None:
    """It is the server's to decide when: here, behind the COPY."""
    with connect(proxy) as listener, connect(proxy) as sender:
        listener.execute("CREATE TEMP TABLE t (a text)")
        listener.execute("LISTEN news")
        with listener.cursor().copy("COPY t FROM STDIN") as copy:
            copy.write_row(("a",))
            sender.execute("NOTIFY news, 'meanwhile'")
            copy.write_row(("b",))
        assert [found.payload for found in listener.notifies(timeout=10, stop_after=1)] == ["meanwhile"]
        assert listener.execute("SELECT count(*) FROM t").fetchone() == (2,)


def test_a_client_that_vanishes_in_a_copy_leaves_no_row_and_no_backend(proxy: ProxyProcess, database: Database) -> None:
    database.execute("CREATE TABLE t (a text)")
    client = Client("127.0.0.1", proxy.port, SUPERUSER, database.name)
    client.send(query("COPY t FROM STDIN"))
    assert client.receive() == (b"G", b"\0\0\1\0\0")
    client.send(b"d\0\0\0\6x\n")
    client.socket.close()
    here = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND pid <> pg_backend_pid()"
    wait_until(lambda: not database.rows(here), what="the backend to end")
    assert database.value("SELECT count(*) FROM t") == 0


def test_a_copy_out_is_cancelled_and_the_session_goes_on(proxy: ProxyProcess) -> None:
    with connect(proxy) as connection, connection.cursor() as cursor:
        with (
            pytest.raises(psycopg.errors.QueryCanceled),
            cursor.copy("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 10000000)) TO STDOUT") as copy,
        ):
            copy.read()
            connection.cancel_safe()
            while copy.read():
                pass
        assert cursor.execute("SELECT 1").fetchone() == (1,)
