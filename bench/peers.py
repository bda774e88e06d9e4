"""The ways to one server that are compared: straight, through pgbouncer, through our proxy.

pgbouncer runs in session mode with `server_lifetime=0`, so that it too has one server connection for each client's.
Everything listens on loopback only and is gone at the end.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.processes import processor_seconds, resident_bytes, wait_for_port
from proxy.embedded import SUPERUSER, Server, free_port
from proxy.installations import server_account
from proxy.launch import ProxyProcess

PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
MOST_CLIENTS = 1200
STOP_SECONDS = 10.0

CONFIGURATION = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = session
server_lifetime = 0
server_reset_query =
max_client_conn = {clients}
default_pool_size = {clients}
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
stats_period = 600
"""
# With auth_type any, the role is the one that the database line names.
ROLE = f" user={SUPERUSER}"


class Peer(NamedTuple):
    """A way to the server."""

    name: str
    port: int
    pid: int = 0
    """The process in between; 0 if there is none."""

    def seconds(self) -> float:
        """What its process has used of the processor."""
        return processor_seconds(self.pid) if self.pid else 0.0

    def memory(self) -> int:
        """Bytes that its process has in memory."""
        return resident_bytes(self.pid) if self.pid else 0


def program() -> str | None:
    """Where pgbouncer is; None if it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=PLACES)


@contextmanager
def pgbouncer(server: Server, directory: Path, *, by_socket: bool) -> Iterator[Peer]:
    """A running pgbouncer in front of `server`.  RuntimeError if there is none or it does not start."""
    path = program()
    if path is None:
        raise RuntimeError("pgbouncer is not installed: on Debian and Ubuntu, apt install pgbouncer")
    listen = free_port()
    directory.mkdir()
    file = directory / "pgbouncer.ini"
    host = str(server.directory) if by_socket else "127.0.0.1"
    text = CONFIGURATION.format(host=host, port=server.port, listen=listen, clients=MOST_CLIENTS)
    file.write_text(text.replace(f"port={server.port}", f"port={server.port}{ROLE}"))
    account = server_account()
    process = subprocess.Popen(
        [path, "-q", str(file)],
        stderr=subprocess.DEVNULL,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        wait_for_port(listen, process)
        yield Peer("pgbouncer", listen, process.pid)
    finally:
        process.kill()
        process.wait(STOP_SECONDS)


@contextmanager
def ours(server: Server, directory: Path, *, by_socket: bool) -> Iterator[Peer]:
    """Our proxy in front of `server`."""
    directory.mkdir()
    with ProxyProcess(directory, server.conninfo(by_socket=by_socket)) as proxy:
        yield Peer("proxy", proxy.port, proxy.pid)
