"""Statements that wait for their clone, cancelled by every way that clients have."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import under_way
from tests.harness.wire import Client, bind, cancel, execute, parse, query, startup
from tests.integration.while_waiting.watching import SYNC, Connection, Watch, held, step
from tests.integration.with_stubs import database_with_stubs

PROTOCOL_3_2 = 196610


def simple(connection: Connection, sql: str) -> Any:
    return connection.execute(sql.encode())


def extended(connection: Connection, sql: str) -> Any:
    return connection.execute(sql.encode(), prepare=True)


ACTION = "SELECT pgclone_clear_jobs()"


@pytest.mark.parametrize(
    "sent",
    [
        query(ACTION),
        query(f"SELECT 1; {ACTION}; SELECT 2"),
        parse(ACTION) + bind() + execute() + SYNC,
    ],
    ids=["simple", "a string", "extended"],
)
def test_a_cancel_request_may_strike_at_any_moment(proxy: ProxyProcess, sent: bytes) -> None:
    rounds, done = 200, threading.Event()
    with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
        (key,) = (body for kind, body in client.greeting if kind == b"K")

        def cancel_again_and_again() -> None:
            while not done.is_set():
                cancel(proxy.port, key)

        with under_way(cancel_again_and_again):
            try:
                for _ in range(rounds):
                    client.send(sent)
                    assert client.until_ready()[-1:] == [(b"Z", b"I")]
            finally:
                done.set()
    assert "session failed" not in proxy.log()


@pytest.mark.parametrize("run", [simple, extended])
@pytest.mark.parametrize("in_block", [False, True], ids=["alone", "in a block"])
def test_a_cancel_request_cancels_the_job(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch,
    run: Callable[[Connection, str], Any], in_block: bool,
) -> None:  # fmt: skip
    with held(source), connect(proxy, target_database.name) as connection:
        if in_block:
            connection.execute("BEGIN")
        with under_way(lambda: run(connection, call)) as answer:
            watch.wait_running()
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled, match="canceling statement due to user request"):
                answer.result(20)
        assert watch.wait("cancelled")
        if in_block:
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                connection.execute("SELECT 1")
            connection.execute("ROLLBACK")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_string_of_statements_ends_where_it_was_cancelled(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    with held(source), connect(proxy, target_database.name) as connection:
        statements = f"CREATE TABLE gone (); {call}; CREATE TABLE never ()"
        with under_way(lambda: simple(connection, statements)) as answer:
            watch.wait_running()
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                answer.result(20)
        assert connection.execute("SELECT to_regclass('gone'), to_regclass('never')").fetchone() == (None, None)


@pytest.mark.parametrize("protocol", [3 << 16, PROTOCOL_3_2], ids=["3.0", "3.2"])
def test_a_pipeline_goes_on_behind_its_sync(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch, protocol: int
) -> None:
    with held(source), Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        key = reconnected(client, proxy, target_database.name, protocol)
        both = step("SELECT 1") + step(call) + step("SELECT 2") + SYNC
        client.send(both + step("SELECT 3") + SYNC)
        watch.wait_running()
        cancel(proxy.port, key)
        first = client.until_ready()
        assert [kind for kind, _ in first] == [b"1", b"2", b"D", b"C", b"1", b"2", b"E", b"Z"]
        assert b"C57014\0" in first[-2][1]
        assert first[-1] == (b"Z", b"I")
        assert [kind for kind, _ in client.until_ready()] == [b"1", b"2", b"D", b"C", b"Z"]
        assert watch.wait("cancelled")


def reconnected(client: Client, proxy: ProxyProcess, database: str, protocol: int) -> bytes:
    """Logs `client` in again with a version of the protocol; the key of its BackendKeyData."""
    client.socket.close()
    client.socket = socket.create_connection(("127.0.0.1", proxy.port), 20)
    packet = startup(SUPERUSER, database)
    client.send(packet[:4] + protocol.to_bytes(4, "big") + packet[8:])
    said = client.until_ready()
    ((_, key),) = [each for each in said if each[0] == b"K"]
    # A server before 18 says, in NegotiateProtocolVersion, that it goes on with 3.0.
    assert (len(key) > 8) == (protocol == PROTOCOL_3_2 and b"v" not in dict(said))
    return key


def test_a_cancel_request_cancels_the_job_that_a_block_on_the_server_waits_for(
    proxy: ProxyProcess, server: Server, source: Database, call: str
) -> None:
    with database_with_stubs(server) as database, held(source), connect(proxy, database.name) as connection:
        block = f"DO $$ BEGIN PERFORM {call.removeprefix('SELECT ')}; END $$"
        with (
            contextlib.closing(Watch(proxy, database.name)) as watch,
            under_way(lambda: simple(connection, block)) as answer,
        ):
            watch.wait_running()
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                answer.result(20)
            assert watch.wait("cancelled")


def test_ctrl_c_in_psql(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    psql = target_database.client_program("psql")
    command = [psql, "-XAt", "-v", "VERBOSITY=verbose", "-d", proxy.conninfo(target_database.name), "-c", call]
    with held(source), subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watch.wait_running()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert "ERROR:  57014: canceling statement due to user request" in errors
        assert watch.wait("cancelled")


def test_asyncpg_cancels_what_it_does_not_wait_for(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    async def cancelled() -> Any:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            host="127.0.0.1", port=proxy.port, user=SUPERUSER, database=target_database.name
        )
        waiting = asyncio.create_task(connection.fetchval(call))
        await asyncio.to_thread(watch.wait_running)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(watch.wait, "cancelled")
        found = await connection.fetchval("SELECT 1")
        await connection.close()
        return found

    with held(source):
        assert asyncio.run(cancelled()) == 1
