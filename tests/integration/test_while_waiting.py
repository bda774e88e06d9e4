"""What may happen while a statement waits for its clone: cancels, disconnects, timeouts, shutdowns, more messages.

A lock on the source's table holds the job for as long as a test wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.installations import Installation, installations
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.waiting import under_way, wait_until
from tests.harness.wire import Client, bind, execute, message, parse, query, startup
from tests.integration.test_relay import MEMORY_LIMIT, peak_memory
from tests.integration.with_stubs import database_with_stubs

Connection = psycopg.Connection[tuple[Any, ...]]
SYNC = message(b"S")
PROTOCOL_3_2 = 196610


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 10) AS id")
    return source_database


@pytest.fixture
def call(source: Database) -> str:
    return f"SELECT pgclone_table('{source.conninfo()}', 'public', 't')"


@contextlib.contextmanager
def held(source: Database) -> Iterator[Callable[[], None]]:
    """Holds the clone of the source's table; gives what lets it go on."""
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        yield lambda: holder.execute("ROLLBACK") and None


class Watch:
    """The newest job, as another session sees it."""

    def __init__(self, proxy: ProxyProcess, database: str) -> None:
        self._connection = connect(proxy, database)
        self._last = self._connection.execute("SELECT coalesce(max(job_id), 0) FROM pgclone_jobs_view").fetchone()

    def close(self) -> None:
        self._connection.close()

    def job(self) -> tuple[Any, ...] | None:
        """Status, milliseconds and error of the job that came last since this began, if there is one."""
        return self._connection.execute(
            "SELECT status, elapsed_ms, error_message, job_id FROM pgclone_jobs_view WHERE job_id > %s"
            " ORDER BY job_id DESC LIMIT 1",
            self._last,
        ).fetchone()

    def wait(self, *statuses: str) -> tuple[Any, ...]:
        """The job, as soon as its status is one of these."""
        return wait_until(lambda: (job := self.job()) and job[0] in statuses and job, 20, f"a job {statuses}")

    def wait_running(self, milliseconds: int = 0) -> None:
        """Until the job runs, for some time already."""
        wait_until(lambda: (j := self.job()) and j[0] == "running" and j[1] >= milliseconds, 20, "the job to run")


@pytest.fixture
def watch(proxy: ProxyProcess, target_database: Database) -> Iterator[Watch]:
    with contextlib.closing(Watch(proxy, target_database.name)) as watching:
        yield watching


# --- CancelRequest ------------------------------------------------------------------------------------------


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
                cancel(proxy, key)

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
        cancel(proxy, key)
        first = client.until_ready()
        assert [kind for kind, _ in first] == [b"1", b"2", b"D", b"C", b"1", b"2", b"E", b"Z"]
        assert b"C57014\0" in first[-2][1]
        assert first[-1] == (b"Z", b"I")
        assert [kind for kind, _ in client.until_ready()] == [b"1", b"2", b"D", b"C", b"Z"]
        assert watch.wait("cancelled")


def step(sql: str) -> bytes:
    return parse(sql) + bind() + execute()


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


def cancel(proxy: ProxyProcess, key: bytes) -> None:
    """Sends a CancelRequest, and waits until it has been taken."""
    with socket.create_connection(("127.0.0.1", proxy.port), 20) as raw:
        raw.sendall((8 + len(key)).to_bytes(4, "big") + (80877102).to_bytes(4, "big") + key)
        assert raw.recv(1) == b""


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


# --- either side goes away ----------------------------------------------------------------------------------


def test_a_client_that_leaves_cancels_what_it_waits_for_and_no_other_job(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    source.execute("CREATE TABLE public.other AS TABLE public.t")
    with held(source) as release, source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.other IN ACCESS EXCLUSIVE MODE")
        client = Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name)
        client.send(query(f"SELECT pgclone_table_async('{source.conninfo()}', 'public', 'other')"))
        client.until_ready()
        asynchronous = watch.wait("pending", "running")
        client.send(query(call))
        wait_until(lambda: (watch.job() or asynchronous)[3] > asynchronous[3], 20, "the second job")
        watch.wait_running()
        client.socket.close()
        assert watch.wait("cancelled")[3] > asynchronous[3]
        release()
        holder.execute("ROLLBACK")
    with connect(proxy, target_database.name) as connection:
        job = "SELECT status FROM pgclone_jobs_view WHERE job_id = %s"
        wait_until(lambda: connection.execute(job, [asynchronous[3]]).fetchone() == ("completed",), 20, "the first job")


def test_a_terminated_backend_s_words_reach_the_client(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    with held(source), Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        client.send(query(f"BEGIN; {call}"))
        watch.wait_running()
        ended = target_database.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{target_database.name}' AND state = 'idle in transaction'"
        )
        assert ended == [(True,)]
        errors = [body for kind, body in client.until_ready() if kind == b"E"]
        assert len(errors) == 1 and b"C57P01\0" in errors[0] and client.closed
        assert watch.wait("cancelled")


def test_a_connection_to_the_server_that_breaks_is_said(
    proxies: Proxies, servers: Servers, source: Database, call: str
) -> None:
    server = servers.get(name="to be killed")
    proxy = proxies.start(server.conninfo())
    with fresh_database(server) as target, held(source), contextlib.closing(Watch(proxy, target.name)) as watch:
        with Client("127.0.0.1", proxy.port, SUPERUSER, target.name) as client:
            client.send(query("SELECT pg_backend_pid()"))
            pid = next(int(body[6:]) for kind, body in client.until_ready() if kind == b"D")
            client.send(query(call))
            watch.wait_running()
            os.kill(pid, signal.SIGKILL)
            errors = [body for kind, body in client.until_ready() if kind == b"E"]
            assert client.closed
        # Killed it says nothing; the server may have found time to end the others politely.
        assert any(b"C08006\0" in body or b"C57P0" in body for body in errors), errors
        wait_until(lambda: accepts(server), 20, "the server to recover")
        with connect(proxy, target.name) as connection:
            status = "SELECT status FROM pgclone_jobs_view WHERE status IN ('cancelled', 'failed')"
            wait_until(lambda: connection.execute(status).fetchone(), 20, "the job to end")


def accepts(server: Server) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.conninfo()):
        return True
    return False


def test_a_shutdown_of_the_proxy_is_said_and_the_job_is_interrupted(
    proxies: Proxies, server: Server, source: Database, target_database: Database, call: str
) -> None:
    proxy = proxies.start(server.conninfo(), {"jobs": {"resume_at_start": False}})
    with held(source), Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        with contextlib.closing(Watch(proxy, target_database.name)) as watch:
            client.send(query(call))
            watch.wait_running()
        assert proxy.stop() == 0
        ((kind, body),) = client.until_ready()
        assert kind == b"E" and b"VFATAL\0C57P01\0" in body and b"pgclone_resume" in body
        assert client.closed
    proxy.start()
    with connect(proxy, target_database.name) as connection:
        assert connection.execute("SELECT status, error_message FROM pgclone_jobs_view").fetchone() == (
            "failed", "interrupted by a shutdown of the proxy; go on with pgclone_resume(1)",
        )  # fmt: skip
        assert connection.execute("SELECT pgclone_resume(1)").fetchone() == (2,)


# --- time passes --------------------------------------------------------------------------------------------

TIMEOUT = 1000  # much more than a busy machine keeps the proxy waiting


SENT: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "alone": (1, query),
    "in a block": (3, lambda call: query("BEGIN") + query(call) + query("COMMIT")),
    "in a string": (1, lambda call: query(f"SELECT 1; {call}; SELECT 2")),
    "alone, extended": (1, lambda call: step(call) + SYNC),
    "in a pipeline": (1, lambda call: step("SELECT 1") + step(call) + step("SELECT 2") + SYNC),
    "in a block, extended": (3, lambda call: step("BEGIN") + SYNC + step(call) + SYNC + step("COMMIT") + SYNC),
}
"""How often the server will be ready, and what is sent."""


@pytest.mark.parametrize("installation", installations(), ids=lambda each: str(each.major))
def test_the_server_s_timeouts_for_idle_sessions_do_not_end_it(
    servers: Servers, proxies: Proxies, source: Database, installation: Installation
) -> None:
    """Held far longer than these timeouts, each session goes on, and they are as they were."""
    settings = ["idle_in_transaction_session_timeout", *(["idle_session_timeout"] if installation.major >= 14 else [])]
    server = servers.get(installation)
    proxy = proxies.start(server.conninfo(), {"jobs": {"max_running": len(SENT)}})
    with fresh_database(server) as target, contextlib.ExitStack() as opened:
        watch = opened.enter_context(connect(proxy, target.name))
        clients = {how: opened.enter_context(Client("127.0.0.1", proxy.port, SUPERUSER, target.name)) for how in SENT}
        release = opened.enter_context(held(source))
        for how, client in clients.items():
            # All at once: before and behind the call the session is idle for no moment.
            before = query("; ".join(f"SET {name} = {TIMEOUT}" for name in settings))
            called = SENT[how][1](f"SELECT pgclone_table('{source.conninfo()}', 'public', 't', true, '{how}')")
            client.send(before + called + query(f"SHOW {settings[0]}"))
        long = f"SELECT count(*) FROM pgclone_jobs_view WHERE status = 'running' AND elapsed_ms > {2 * TIMEOUT}"
        wait_until(lambda: watch.execute(long.encode()).fetchone() == (len(SENT),), 30, "time to pass")
        release()
        for how, client in clients.items():
            client.until_ready()
            said = [each for _ in range(SENT[how][0]) for each in client.until_ready()]
            assert not [(how, body) for kind, body in said if kind == b"E"]
            assert any(kind == b"D" and body.endswith(b"\0\0\0\2OK") for kind, body in said)
            assert any(body.endswith(b"1s") for kind, body in client.until_ready() if kind == b"D")


def test_a_notification_reaches_the_client_meanwhile(
    proxy: ProxyProcess, source: Database, target_database: Database, call: str, watch: Watch
) -> None:
    with held(source) as release, Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client:
        client.send(query("LISTEN news"))
        client.until_ready()
        client.send(query(call))
        watch.wait_running()
        target_database.execute("NOTIFY news, 'hello'")
        kind, body = client.receive() or (b"", b"")
        assert kind == b"A" and body.endswith(b"news\0hello\0")
        release()
        assert client.until_ready()[-1] == (b"Z", b"I")


def test_much_that_is_sent_behind_waits_outside_and_other_sessions_go_on(
    proxies: Proxies, server: Server, source: Database, target_database: Database, call: str
) -> None:
    proxy = proxies.start(server.conninfo())
    watching = contextlib.closing(Watch(proxy, target_database.name))
    with (
        held(source) as release,
        watching as watch,
        Client("127.0.0.1", proxy.port, SUPERUSER, target_database.name) as client,
    ):
        client.send(query(call))
        behind = query("SELECT 'x' /*" + "y" * 50_000 + "*/") * 4000
        sender = threading.Thread(target=client.send, args=(behind,))
        sender.start()
        watch.wait_running()
        with connect(proxy, target_database.name) as other:
            assert other.execute("SELECT sum(i) FROM generate_series(1, 10) i").fetchone() == (55,)
            assert other.execute("SELECT status FROM pgclone_jobs_view").fetchone() == ("running",)
        release()
        answers = [client.until_ready() for _ in range(4001)]
        sender.join()
    assert any(kind == b"D" and body.endswith(b"OK") for kind, body in answers[0])
    assert [kind for kind, _ in answers[-1]] == [b"T", b"D", b"C", b"Z"]
    assert peak_memory(proxy) < MEMORY_LIMIT
