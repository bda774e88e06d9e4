"""The proxy as a process of its own: `python -m proxy serve` with a configuration file made for it.

For the demo and the tests.  Its configuration, job store, unix socket and log are in one directory.
What it is asked to do is the caller's business.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import make_conninfo

from clone_engine.records.errors import PgError
from proxy.embedded import SUPERUSER, free_port

Sections = Mapping[str, Mapping[str, Any]]
"""Settings by section and key."""

LOCAL_SOURCES: Sections = {
    "sources": {"allow": ["127.0.0.1", "::1", "localhost", "/"], "require_password": False},
}
"""Settings for sources on this machine that ask for no password, as those of the demo and of tests do."""

START_SECONDS = 30.0
STOP_SECONDS = 20.0
PAUSE = 0.02


class ProxyProcess:
    """One proxy in front of `target` (a conninfo).  A context manager: entered started, left stopped.

    `directory` is one of ours with a short path (a unix socket's path has at most 107 bytes); `sections` are
    settings over those made here, but for its addresses; `port` 0 picks a free one; `environment` is added to ours,
    from which all that libpq or the proxy would read is taken away; `interpreter` are options of Python's.
    """

    def __init__(
        self,
        directory: Path,
        target: str,
        sections: Sections | None = None,
        *,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        interpreter: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.config_path = directory / "proxy.toml"
        self.log_path = directory / "proxy.log"
        self.environment = clean_environment(environment or {})
        self.interpreter = tuple(interpreter)
        self.process: subprocess.Popen[bytes] | None = None
        settings = _over(self._defaults(target), sections or {})
        self.config_path.touch(mode=0o600)  # a target may hold a password
        self.config_path.write_text(_toml(settings))

    def __repr__(self) -> str:
        return f"<ProxyProcess {'running' if self.process else 'stopped'} port {self.port} in {self.directory}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id.  ValueError if it does not run."""
        if self.process is None:
            raise ValueError(f"{self!r} has no process")
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it listens.  PgError 58000 with its log if it does not; it is gone then."""
        command = [sys.executable, *self.interpreter, "-m", "proxy", "serve", "-c", str(self.config_path)]
        with self.log_path.open("ab") as log:
            # Its own session: whoever started it decides when it ends, not Ctrl-C in the terminal.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment, start_new_session=True
            )
        try:
            listening = self._wait_until_listening(self.process)
        except BaseException:
            self.kill()
            raise
        if not listening:
            self.kill()
            raise PgError("58000", "pgclone: the proxy did not start", detail=self.log()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, wait, and give its exit code (0 if it did not run).

        PgError 58000 with its log if it had to be killed after STOP_SECONDS."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"pgclone: the proxy did not stop within {STOP_SECONDS:g} s"
            raise PgError("58000", message, detail=self.log()[-2000:]) from None
        finally:
            self.process = None

    def kill(self) -> None:
        """End it without a word, as a crash would; nothing happens if it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def conninfo(self, dbname: str = "postgres", *, user: str = SUPERUSER, by_socket: bool = False, **more: str) -> str:
        """How a client reaches it: over TCP, or through its unix socket."""
        host = str(self.directory) if by_socket else "127.0.0.1"
        return make_conninfo(host=host, port=self.port, dbname=dbname, user=user, **more)

    def _defaults(self, target: str) -> Sections:
        listen = {"listen_host": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": str(self.directory)}
        listen |= {"shutdown_timeout": 0}  # whoever stops it does not want to wait for clients
        return {"server": {**listen, "target": target}, "jobs": {"store": str(self.directory / "jobs.sqlite")}}

    def _wait_until_listening(self, process: subprocess.Popen[bytes]) -> bool:
        # Its unix socket, which it opens last: at the port another process may answer in its place.
        path = str(self.directory / f".s.PGSQL.{self.port}")
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(path) == 0:
                    return True
            time.sleep(PAUSE)
        return False


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what libpq or the proxy would read from it, and with `more`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DATABASE_URL"))}
    return {**kept, **more}


def _over(below: Sections, above: Sections) -> Sections:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def _toml(sections: Sections) -> str:
    # For strings, numbers, booleans and lists of them, JSON is TOML.
    lines = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"
