"""A running proxy reads its configuration again: by command, by signal, and what that changes for whom."""

from __future__ import annotations

import re
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from proxy.control import control_path
from proxy.embedded import Server, free_port
from proxy.launch import ProxyProcess
from tests.harness.commands import run
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.test_restart import interrupted, jobs

PORT = "SELECT current_setting('port')::int"


def rewrite(proxy: ProxyProcess, key: str, value: str) -> None:
    """Give a setting another value in the proxy's file; it is put behind [jobs] if it is not there."""
    text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", proxy.config_path.read_text())
    proxy.config_path.write_text(text if found else text.replace("[jobs]\n", f"[jobs]\n{key} = {value}\n"))


def reload(proxy: ProxyProcess) -> list[str]:
    """What the command says of a reload that is done."""
    done = run("reload", "-c", str(proxy.config_path), directory=proxy.directory)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_new_target_is_for_new_sessions(
    proxies: Proxies, source_server: Server, target_server: Server, processes: int
) -> None:
    proxy = proxies.start(source_server.conninfo(), {"server": {"processes": processes}})
    with connect(proxy) as old:
        rewrite(proxy, "target", f'"{target_server.conninfo()}"')
        assert reload(proxy) == ["changed: server.target"]
        for _ in range(processes):
            with connect(proxy) as new:
                assert new.execute(PORT).fetchone() == (target_server.port,)
        assert old.execute(PORT).fetchone() == (source_server.port,)
        old.execute("SELECT count(*) FROM pgclone_jobs_view")
    assert reload(proxy) == ["changed: nothing"]


def test_a_cancel_request_finds_the_server_of_its_session(
    proxies: Proxies, source_server: Server, target_server: Server
) -> None:
    proxy = proxies.start(source_server.conninfo())
    with connect(proxy) as old:
        rewrite(proxy, "target", f'"{target_server.conninfo()}"')
        reload(proxy)
        old.pgconn.send_query(b"SELECT pg_catalog.pg_sleep(600)")
        backend = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {old.info.backend_pid} AND state = 'active'"
        with psycopg.connect(source_server.conninfo(), autocommit=True) as observer:
            wait_until(lambda: observer.execute(backend).fetchone() == (1,), 30, "the statement to run")
        old.cancel_safe(timeout=10)
        result = old.pgconn.get_result()
        assert result and result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
        while old.pgconn.get_result():
            pass


def test_a_broken_file_changes_nothing_and_every_problem_is_said(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    before = proxy.config_path.read_text()
    rewrite(proxy, "target", '"host=127.0.0.1 port=1"')
    rewrite(proxy, "shutdown_timeout", "-1")
    rewrite(proxy, "max_runing", "2")
    done = run("reload", "-c", str(proxy.config_path), directory=proxy.directory)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert "jobs.max_runing; is max_running meant?" in lines[0]
    assert "server.shutdown_timeout must be" in lines[1]
    assert lines[2:] == ["pgclone-proxy: nothing has changed"]
    with connect(proxy) as connection:
        assert connection.execute(PORT).fetchone() == (server.port,)
    proxy.config_path.write_text(before)
    assert reload(proxy) == ["changed: nothing"]


def test_what_needs_a_restart_is_named_and_stays(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    rewrite(proxy, "listen_port", str(free_port()))
    rewrite(proxy, "max_running", "2")
    expected = ["changed: jobs.max_running", "needs a restart: server.listen_port"]
    assert reload(proxy) == expected
    connect(proxy).close()
    assert reload(proxy) == ["changed: nothing", expected[1]]
    assert proxy.stop() == 0
    assert not list(proxy.directory.glob(".s.PGSQL.*"))


def test_sighup_does_the_same_and_logs_it(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    rewrite(proxy, "max_running", "2")
    assert proxy.process
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration is reloaded" in proxy.log(), 30, "the reload")
    assert "jobs.max_running" in proxy.log()
    rewrite(proxy, "max_running", "0")
    proxy.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration is not reloaded" in proxy.log(), 30, "the refusal")
    assert "jobs.max_running must be from 1 to 1000" in proxy.log()
    connect(proxy).close()


@pytest.mark.parametrize("processes", [1, 2])
def test_lists_of_roles_count_in_open_sessions(proxies: Proxies, server: Server, processes: int) -> None:
    proxy = proxies.start(server.conninfo(), {"server": {"processes": processes}})
    with connect(proxy) as connection:
        view = "SELECT count(*) FROM pgclone_jobs_view"
        connection.execute(view)
        rewrite(proxy, "deny_roles", '["postgres"]')
        assert reload(proxy) == ["changed: jobs.deny_roles"]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(view)


def test_more_jobs_start_when_more_may(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo(), {"jobs": {"max_running": 1}})
    with interrupted(proxy, source_database, target_database):
        source_database.execute("CREATE TABLE public.u ()")
        with connect(proxy, target_database.name) as connection:
            connection.execute("SELECT pgclone_table_async(%s, 'public', 'u')", (source_database.conninfo(),))
        assert jobs(proxy, target_database) == [(1, "running"), (2, "pending")]
        rewrite(proxy, "max_running", "2")
        reload(proxy)
        wait_until(lambda: (2, "completed") in jobs(proxy, target_database), 30, "the second job")


def test_the_log_level_changes(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    rewrite(proxy, "level", '"error"')
    reload(proxy)
    before = len(proxy.log())
    connect(proxy).close()
    assert reload(proxy) == ["changed: nothing"]
    assert len(proxy.log()) == before


def test_only_its_account_can_command_a_proxy_and_the_socket_goes_with_it(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    socket = control_path(str(proxy.directory / "jobs.sqlite"))
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    proxy.kill()
    proxy.start()
    assert reload(proxy) == ["changed: nothing"]
    proxy.stop()
    assert not socket.exists()


def test_a_proxy_that_does_not_run_cannot_be_reloaded(short_tmp: Path) -> None:
    done = run("reload", directory=short_tmp, DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch("pgclone-proxy: no running proxy is reached at pgclone-proxy.sqlite.control, .*\n", done.stderr)
