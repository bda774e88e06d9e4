"""What is left behind by calls from the server, and by those that nobody waits for any more: nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, query
from tests.integration.call_backs.calling import Connection, value
from tests.integration.with_stubs import database_with_stubs


def test_sessions_of_a_role_share_the_connection_for_replies(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgclone-proxy: replies to stubs'"
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(connect(proxy, database.name)) for _ in range(8)]
        calls = "DO $$ BEGIN PERFORM pgclone_version(); PERFORM pgclone_clear_jobs(); END $$"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda session: session.execute(calls), sessions))
        assert database.value(own) == 1
        for session in sessions[1:]:
            session.close()
        sessions[0].execute(calls)
        assert database.value(own) == 1
    wait_until(lambda: database.value(own) == 0, what="the connection for replies to be closed")


def test_nothing_is_left_behind(place: tuple[ProxyProcess, Database]) -> None:
    proxy, database = place
    objects = "SELECT count(*) FROM pg_largeobject_metadata"
    keep = database.value("SELECT lo_create(0)")
    # As a connection that was cut leaves it: nobody has this process id.
    old = database.value("SELECT lo_create(0)")
    database.execute(f"COMMENT ON LARGE OBJECT {old} IS 'pgclone-proxy reply by 0'")
    with connect(proxy, database.name) as connection:
        connection.execute("DO $$ BEGIN PERFORM pgclone_version(); PERFORM pgclone_clear_jobs(); END $$")
        wait_until(lambda: database.value(objects) == 1, what="the replies to be removed")
    database.execute(f"SELECT lo_unlink({keep})")
    own = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgclone-proxy: replies to stubs'"
    wait_until(lambda: database.value(own) == 0, what="the connection for replies to be closed")


def waiting(database: Database) -> str:
    """A call that waits for a table that somebody has locked."""
    return f"pgclone_table('{database.conninfo()}', 'public', 'locked', true, 'copy')"


def test_a_session_whose_proxy_was_killed_ends(proxies: Proxies, server: Server) -> None:
    with database_with_stubs(server) as database, database.connect() as locker:
        database.execute("CREATE TABLE locked ()")
        locker.execute("BEGIN; LOCK TABLE locked")
        proxy = proxies.start(server.conninfo())
        with Client("127.0.0.1", proxy.port, "postgres", database.name) as client:
            client.send(query(f"DO $$ BEGIN PERFORM {waiting(database)}; END $$"))
            backends = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$%'"
            wait_until(lambda: database.value("SELECT count(*) FROM pg_largeobject_metadata") == 1)
            assert database.value(backends) == 1
            proxy.kill()
        wait_until(lambda: database.value(backends) == 0, what="the session to end")


ENDS: dict[str, Callable[[Connection, Database], object]] = {
    "a timeout": lambda session, database: session.pgconn.get_result(),
    "a cancel request": lambda session, database: session.cancel_safe(),
    "the client leaves": lambda session, database: session.close(),
    "the server ends the session": lambda session, database: database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO $$%'"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_clone_that_nobody_waits_for_any_more_is_cancelled(proxies: Proxies, server: Server, end: str) -> None:
    proxy = proxies.start(server.conninfo())
    with database_with_stubs(server) as database, database.connect() as locker, connect(proxy) as watcher:
        database.execute("CREATE TABLE locked ()")
        locker.execute("BEGIN; LOCK TABLE locked")
        session = connect(proxy, database.name)
        if end == "a timeout":
            session.execute("SET statement_timeout = '2s'")
        session.pgconn.send_query(f"DO $$ BEGIN PERFORM {waiting(database)}; END $$".encode())
        jobs = "SELECT string_agg(status, ' ') FROM pgclone_jobs_view"
        wait_until(lambda: value(watcher, jobs) == "running", what="the job to run")
        ENDS[end](session, database)
        wait_until(lambda: value(watcher, jobs) == "cancelled", what="the job to be cancelled")
        wait_until(lambda: database.value("SELECT count(*) FROM pg_largeobject_metadata") == 0, what="no leftovers")
        running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO $$%'"
        wait_until(lambda: database.value(running) == 0, what="the statement to end")
        session.close()
