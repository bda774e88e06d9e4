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
    place: Path, server: Server, sections: dict[str, dict[str, object]], passed: socket.socket | None = None
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
            env=clean_environment({"NOTIFY_SOCKET": str(place / "notify")}),
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
