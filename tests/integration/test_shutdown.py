"""The signals that end the proxy: what each waits for, and that a faster one goes on at once."""

from __future__ import annotations

import signal
import socket
from struct import pack

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from proxy.shutdown import QUIT
from proxy.wire.startup import SSL_REQUEST
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import under_way, wait_until
from tests.harness.wire import startup
from tests.integration.test_restart import interrupted, jobs

PATIENT = {"server": {"shutdown_timeout": 3600.0}}
"""Longer than any test waits: whatever ends the proxy, it is not this limit."""


def send(proxy: ProxyProcess, how: signal.Signals) -> None:
    assert proxy.process
    proxy.process.send_signal(how)


def refuses(proxy: ProxyProcess) -> bool:
    try:
        connect(proxy).close()
    except psycopg.OperationalError:
        return True
    return False


def test_sigterm_waits_for_clients_and_lets_no_new_ones_in(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with connect(proxy) as connection:
        send(proxy, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
        assert connection.execute("SELECT count(*) FROM pgclone_jobs_view").fetchone() == (0,)
    assert proxy.process and proxy.process.wait(30) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_who_has_connected_but_not_logged_in_is_told_that_the_proxy_stops(
    proxies: Proxies, server: Server, processes: int
) -> None:
    proxy = proxies.start(server.conninfo(), {"server": {"shutdown_timeout": 3600.0, "processes": processes}})
    with connect(proxy), socket.create_connection(("127.0.0.1", proxy.port), 30) as late:
        late.sendall(pack("!II", 8, SSL_REQUEST))
        assert late.recv(1) == b"N"  # it has been accepted
        send(proxy, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
        late.sendall(startup("postgres", "postgres"))
        assert b"57P03" in late.recv(4096)
    assert proxy.process and proxy.process.wait(30) == 0


@pytest.mark.parametrize("said", [b"", b"\x16", pack("!I", 8)])
def test_sigterm_does_not_wait_for_who_says_nothing(proxies: Proxies, server: Server, said: bytes) -> None:
    proxy = proxies.start(server.conninfo(), {"server": {"shutdown_timeout": 3600.0, "startup_timeout": 3600.0}})
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as silent:
        silent.sendall(said)
        connect(proxy).close()  # it has been accepted
        send(proxy, signal.SIGTERM)
        assert proxy.process and proxy.process.wait(30) == 0


def test_sigterm_waits_for_jobs(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with interrupted(proxy, source_database, target_database):
        send(proxy, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
    assert proxy.process and proxy.process.wait(30) == 0
    proxy.start()
    assert jobs(proxy, target_database) == [(1, "completed")]


def test_sigterm_waits_no_longer_than_its_limit(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), {"server": {"shutdown_timeout": 0.1}})
    with connect(proxy):
        assert proxy.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=lambda second: second.name)
def test_a_second_signal_goes_on_at_once(proxies: Proxies, server: Server, second: signal.Signals) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with connect(proxy):
        send(proxy, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
        assert proxy.stop(second) == 0


def test_sigquit_goes_before_a_signal_that_is_being_obeyed(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with connect(proxy):
        send(proxy, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
        assert proxy.stop(signal.SIGQUIT) == QUIT


def test_what_sigterm_waits_for_may_still_be_controlled(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with connect(proxy, target_database.name) as connection:
        with interrupted(proxy, source_database, target_database):
            send(proxy, signal.SIGTERM)
            wait_until(lambda: refuses(proxy), 30, "the listeners to close")
            assert connection.execute("SELECT pgclone_cancel(1)").fetchone() == ("cancelled",)
        connection.execute("SELECT pgclone_table(%s, 'public', 't')", (source_database.conninfo(),))
    assert proxy.process and proxy.process.wait(30) == 0
    proxy.start()
    assert jobs(proxy, target_database) == [(1, "cancelled"), (2, "completed")]


@pytest.mark.parametrize("processes", [1, 2])
def test_sigint_does_not_wait_for_clients_and_they_are_told(proxies: Proxies, server: Server, processes: int) -> None:
    """Whatever each was doing, as by a server that is shut down."""
    proxy = proxies.start(server.conninfo(), {"server": {"shutdown_timeout": 3600.0, "processes": processes}})
    with connect(proxy) as idle, connect(proxy) as within, connect(proxy) as busy:
        within.execute("BEGIN")
        with under_way(lambda: busy.execute("SELECT pg_sleep(60)")) as sleeping:
            running = "SELECT query FROM pg_stat_activity WHERE pid = %s"
            of_busy = (busy.info.backend_pid,)
            wait_until(lambda: "sleep" in str(idle.execute(running, of_busy).fetchone()), 30, "the statement to run")
            assert proxy.stop(signal.SIGINT) == 0
            with pytest.raises(psycopg.errors.AdminShutdown):
                sleeping.result(30)
        for connection in (idle, within):
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")


def test_sigquit_ends_it_at_once_and_its_jobs_go_on_at_the_next_start(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT)
    with interrupted(proxy, source_database, target_database):
        assert proxy.stop(signal.SIGQUIT) == QUIT
    proxy.start()
    ended = [(1, "failed"), (2, "completed")]
    wait_until(lambda: jobs(proxy, target_database) == ended, 30, "the new job to complete")
    proxy.stop(signal.SIGINT)
