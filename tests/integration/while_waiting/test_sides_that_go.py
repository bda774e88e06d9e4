"""Client, server or proxy go away while a statement waits for its clone."""

from __future__ import annotations

import contextlib
import os
import signal

import psycopg

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, query
from tests.integration.while_waiting.watching import Watch, held


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
