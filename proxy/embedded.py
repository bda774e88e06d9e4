"""PostgreSQL servers of our own: made in a private directory, started and stopped.

For the demo, for `make run` without a target, and for the tests.  A server listens on a loopback port and on a
unix socket in its directory, and is tuned for speed, not for keeping data.  Which programs there are is
installations.py; what the servers are used for is the caller's business.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from psycopg.conninfo import make_conninfo

from clone_engine.records.errors import PgError
from proxy.installations import Installation, reachable, server_account

Auth = Literal["trust", "scram-sha-256", "md5", "password"]

SUPERUSER = "postgres"
READY = ("ready", "standby")
"""What postmaster.pid says of a server that is up; the second of a standby that lets nobody in."""

START_SECONDS = 60.0
STOP_SECONDS = 20.0
FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment; another process may take it the next."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """One PostgreSQL server with its data in `directory`/data.  A context manager: entered started, left stopped.

    `directory` must be one that the servers' account can enter (see private_directory).  The cluster is made on
    the first start: UTF8, C locale, superuser postgres with `password` (none for trust).  `settings` are
    postgresql.conf parameters for this run; `port` 0 picks a free one anew at each first start.
    """

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        *,
        auth: Auth = "trust",
        password: str = "",
        settings: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.installation = installation
        self.directory = directory
        self.data = directory / "data"
        self.log_path = directory / "server.log"
        self.auth = auth
        self.password = password
        self.settings = {**FAST, **(settings or {})}
        self.port = port
        self._account = server_account()
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        state = "running" if self.running else "stopped"
        return f"<Server PostgreSQL {self.installation.major} {state} port {self.port} in {self.directory}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the postmaster is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Make the cluster if there is none, start it, wait until it accepts connections.

        PgError 58000 with the server's own log if it does not come up; it is not running then."""
        self.directory.mkdir(exist_ok=True)
        if self._account:
            os.chown(self.directory, *self._account)
            self.installation = reachable(self.installation, self.directory)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        fixed = bool(self.port)
        for _ in range(1 if fixed else 3):  # between our look and its bind another process may take the port
            self.port = self.port if fixed else free_port()
            if self._start_once():
                return
            if "could not bind" not in self.log():
                break
        raise PgError("58000", "pgclone: the embedded server did not start", detail=self.log()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, at once if need be; SIGINT is a fast shutdown, SIGQUIT an immediate one.  Safe to repeat."""
        if self._process is None:
            return
        for attempt in (how, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(attempt)
            try:
                self._process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def log(self) -> str:
        """What the server has logged since its last start."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def conninfo(self, dbname: str = "postgres", *, user: str = SUPERUSER, by_socket: bool = False, **more: str) -> str:
        """How to reach it, as a conninfo without password: over TCP, or through its unix socket."""
        host = str(self.directory) if by_socket else "127.0.0.1"
        return make_conninfo(host=host, port=self.port, dbname=dbname, user=user, **more)

    def _initdb(self) -> None:
        command = [self.installation.program("initdb"), "--no-sync", "--no-instructions", "--encoding=UTF8"]
        command += ["--no-locale", f"--auth={self.auth}", f"--username={SUPERUSER}", f"--pgdata={self.data}"]
        pwfile = self.directory / "pwfile"
        if self.auth != "trust":
            pwfile.touch(mode=0o600)
            pwfile.write_text(self.password + "\n")
            if self._account:
                os.chown(pwfile, *self._account)
            command.append(f"--pwfile={pwfile}")
        try:
            done = self._popen(command, subprocess.PIPE)
            output = _output(done)
        finally:
            pwfile.unlink(missing_ok=True)
        if done.returncode:
            raise PgError("58000", "pgclone: initdb failed", detail=output[-2000:])

    def _start_once(self) -> bool:
        command = [self.installation.program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        ours = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.directory)}
        for name, value in {**self.settings, **ours}.items():
            command += ["-c", f"{name}={value}"]
        with self.log_path.open("wb") as log:
            self._process = self._popen(command, log.fileno())
        try:
            return self._wait_until_ready(self._process)
        except BaseException:
            self.stop(signal.SIGQUIT)
            raise

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        # Line 8 of postmaster.pid is what pg_ctl looks at too; it needs no login.
        status = self.data / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                lines = status.read_text().splitlines()
                if len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() in READY:
                    return True
            time.sleep(0.02)
        self.stop(signal.SIGQUIT)
        return False

    def _popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        # Its own session: Ctrl-C in our terminal must not stop servers before those who use them.
        # Its own environment: PG* variables of the caller would reach into it.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            start_new_session=True,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )


def _output(process: subprocess.Popen[bytes]) -> str:
    """What a process says until it ends; it is killed if our own end comes first."""
    try:
        return process.communicate()[0].decode(errors="replace")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
