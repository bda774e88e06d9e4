"""The proxy as a real process: `python -m proxy serve` with a configuration file of its own.

What it is asked to do is each test's business.  Its log is kept in a file and shown when it does not come up.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from proxy.embedded import SUPERUSER, free_port
from tests.harness.servers import clean_environment
from tests.harness.waiting import wait_until

Sections = Mapping[str, Mapping[str, Any]]
START_SECONDS = 30.0
STOP_SECONDS = 20.0


class ProxyProcess:
    """One proxy.  `directory` holds its configuration, store, unix socket and log."""

    def __init__(self, directory: Path, target: str, sections: Sections | None = None, **environment: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.config_path = directory / "proxy.toml"
        self.log_path = directory / "proxy.log"
        self.environment = clean_environment(**environment)
        self.process: subprocess.Popen[bytes] | None = None
        self.config_path.write_text(_toml(_merged(self._defaults(target), sections or {})))

    def __repr__(self) -> str:
        return f"<ProxyProcess port {self.port} in {self.directory}>"

    def _defaults(self, target: str) -> Sections:
        server = {"listen_host": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": str(self.directory)}
        return {
            "server": {**server, "target": target},
            "jobs": {"store": str(self.directory / "jobs.sqlite")},
            "log": {"level": "debug"},
        }

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None, "the proxy has not been started"
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it listens.  AssertionError with its log if it does not."""
        command = [sys.executable, "-m", "proxy", "serve", "-c", str(self.config_path)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )
        try:
            wait_until(self._listens_or_died, START_SECONDS, "the proxy to listen")
        except BaseException:
            self.stop()
            raise
        assert self.process.poll() is None, f"the proxy did not start:\n{self.log()}"

    def _listens_or_died(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            return True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return True
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and give its exit code; SIGKILL follows if it does not go in time.  0 if it was not running."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the proxy did not stop within {STOP_SECONDS} s:\n{self.log()}") from None
        finally:
            self.process = None

    def log(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def conninfo(self, dbname: str = "postgres", *, user: str = SUPERUSER, by_socket: bool = False, **more: str) -> str:
        """How a client reaches the proxy: over TCP, or through its unix socket."""
        host = str(self.directory) if by_socket else "127.0.0.1"
        return make_conninfo(host=host, port=self.port, dbname=dbname, user=user, **more)

    def connect(
        self, dbname: str = "postgres", *, by_socket: bool = False, **more: str
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A new autocommit connection through the proxy."""
        return psycopg.connect(self.conninfo(dbname, by_socket=by_socket, **more), autocommit=True)


class Proxies:
    """Starts proxies, each in a directory of its own below `directory`, and stops all of them at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[ProxyProcess] = []
        self._numbers = itertools.count(1)

    def start(self, target: str, sections: Sections | None = None, **environment: str) -> ProxyProcess:
        """A new running proxy for `target`, with the given settings over the harness's own."""
        place = self.directory / f"p{next(self._numbers)}"
        place.mkdir()
        proxy = ProxyProcess(place, target, sections, **environment)
        self._started.append(proxy)
        proxy.start()
        return proxy

    def stop(self) -> None:
        """Stop all of them."""
        for proxy in self._started:
            proxy.stop()


@contextlib.contextmanager
def running_proxies(directory: Path) -> Iterator[Proxies]:
    """A starter of proxies; all are stopped at the end."""
    proxies = Proxies(directory)
    try:
        yield proxies
    finally:
        proxies.stop()


def _merged(below: Sections, above: Sections) -> Sections:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def _toml(sections: Sections) -> str:
    # For strings, numbers, booleans and lists of them, JSON is TOML.
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
