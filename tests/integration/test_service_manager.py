"""The proxy as a service of systemd, which a test plays: it opens the sockets, and is told of the proxy's state."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess, clean_environment
from tests.integration.test_command_line import run

SECONDS = 60.0
# The number of the process is known only once it runs, and the socket's descriptor must be the third.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, sys.argv[2:])
"""


@contextmanager
def started(
    place: Path,
    server: Server,
    sections: dict[str, dict[str, object]],
    passed: socket.socket | None = None,
    **environment: str,
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A proxy that was started as a service, and where it tells its state."""
    proxy = ProxyProcess(place, server.conninfo(), sections)
    command = [sys.executable, "-m", "proxy", "serve", "-c", str(proxy.config_path)]
    if passed:
        command = [sys.executable, "-c", ACTIVATE, str(passed.fileno()), *command]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(place / "notify"))
        told.settimeout(SECONDS)
        process = subprocess.Popen(
            command,
            env=clean_environment({"NOTIFY_SOCKET": str(place / "notify"), **environment}),
            pass_fds=[passed.fileno()] if passed else [],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process, told
        finally:
            process.kill()
            process.wait()


def state(told: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in told.recv(4096).decode().splitlines())


def test_it_tells_when_it_serves_reloads_and_stops(short_tmp: Path, server: Server) -> None:
    with started(short_tmp, server, {}) as (process, told):
        assert state(told) == {"READY": "1", "STATUS": "serving clients"}
        process.send_signal(signal.SIGHUP)
        reloading = state(told)
        assert (reloading["RELOADING"], reloading["MONOTONIC_USEC"].isdigit()) == ("1", True)
        assert state(told) == {"READY": "1", "STATUS": "serving clients"}
        (short_tmp / "proxy.toml").write_text("[sever]\n")
        process.send_signal(signal.SIGHUP)
        assert "RELOADING" in state(told)
        assert "refused" in state(told)["STATUS"]
        process.send_signal(signal.SIGTERM)
        assert state(told)["STOPPING"] == "1"
        assert process.wait(SECONDS) == 0


def test_it_tells_that_it_is_alive_if_that_is_wanted(short_tmp: Path, server: Server) -> None:
    with started(short_tmp, server, {}, WATCHDOG_USEC="1000") as (_, told):
        assert state(told)["READY"] == "1"
        assert [state(told) for _ in range(3)] == [{"WATCHDOG": "1"}] * 3


def test_it_is_another_process_that_is_to_tell_that_it_is_alive(short_tmp: Path, server: Server) -> None:
    with started(short_tmp, server, {}, WATCHDOG_USEC="1000", WATCHDOG_PID="1") as (process, told):
        assert state(told)["READY"] == "1"
        process.send_signal(signal.SIGTERM)
        assert state(told)["STOPPING"] == "1"


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX], ids=lambda family: family.name)
def test_it_serves_at_a_socket_that_it_is_passed_and_leaves_it_there(
    short_tmp: Path, server: Server, family: socket.AddressFamily, processes: int
) -> None:
    path = short_tmp / ".s.PGSQL.7"
    with socket.socket(family) as listening:
        listening.bind(str(path) if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listening.listen()
        host, port = (short_tmp, 7) if family == socket.AF_UNIX else listening.getsockname()
        where = f"host={host} port={port} user=postgres dbname=postgres"
        for _ in range(2):  # what the first one leaves is there for the next
            with started(short_tmp, server, {"server": {"processes": processes}}, listening) as (process, told):
                with psycopg.connect(where) as connection:  # waits until it is served
                    assert connection.execute("SELECT 1").fetchone() == (1,)
                assert state(told)["READY"] == "1"
                process.send_signal(signal.SIGTERM)
                assert process.wait(SECONDS) == 0
            (short_tmp / "notify").unlink()
        assert path.exists() == (family == socket.AF_UNIX)
        assert [found.name for found in short_tmp.glob(".s.PGSQL.*")] == ([path.name] if path.exists() else [])


@pytest.mark.parametrize("environment", [{"LISTEN_FDS": "1"}, {"LISTEN_FDS": "one"}, {"WATCHDOG_USEC": "-1"}])
def test_what_cannot_be_used_is_one_line(short_tmp: Path, environment: dict[str, str]) -> None:
    """A file in place of a socket, or what is no number."""
    code = (
        "import os, sys; os.dup2(os.open('/dev/null', os.O_RDWR), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        "os.execv(sys.executable, [sys.executable, '-m', 'proxy', 'serve'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=short_tmp,
        env=clean_environment({"DATABASE_URL": "host=127.0.0.1 port=1", **environment}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "service manager" in done.stderr


def test_a_socket_that_it_is_passed_is_the_proxy_itself(short_tmp: Path, server: Server) -> None:
    """What counted was where the settings would have had it listen."""
    with socket.socket(socket.AF_INET) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        of_the_server = {"server": {"listen_port": server.port}, "sources": {"allow": ["127.0.0.1"]}}
        with started(short_tmp, server, of_the_server, listening) as (process, told):
            assert state(told)["STATUS"] == "serving clients"
            with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres") as connection:
                source = f"host=127.0.0.1 port={port} dbname=postgres user=postgres password=x"
                with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
                    connection.execute("SELECT pgclone_schema(%s, 'public', true)", [source])
                assert refused.value.diag.message_detail == "It is this proxy itself."
            config = short_tmp / "proxy.toml"
            config.write_text(f'[server]\ntarget = "host=127.0.0.1 port={port}"\n')
            process.send_signal(signal.SIGHUP)
            assert "RELOADING" in state(told)
            assert "refused" in state(told)["STATUS"]


def test_a_reload_while_it_stops_knows_the_sockets_still(short_tmp: Path, server: Server) -> None:
    """They are closed then, and have no addresses any more.  The service manager is told nothing: it still stops."""
    with socket.socket(socket.AF_INET) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with started(short_tmp, server, {"server": {"shutdown_timeout": 60}}, listening) as (process, told):
            assert "READY" in state(told)
            with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres"):
                process.send_signal(signal.SIGTERM)
                assert "STOPPING" in state(told)
                done = run("reload", "-c", "proxy.toml", directory=short_tmp)
                assert (done.stdout, done.stderr) == ("changed: nothing\n", "")
                told.setblocking(False)
                with pytest.raises(BlockingIOError):
                    told.recv(1)
            assert process.wait(SECONDS) == 0
