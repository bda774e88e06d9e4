"""A network whose cable can be pulled: packets vanish, and neither end is told, not even by its own system.

Its far end is a network namespace, from where a unix socket leads to the server.  Only Linux has that, for accounts
that may change networks.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from proxy.embedded import Server
from tests.harness.network import Network

CLONE_NEWNET: Final = 0x40000000
FAR: Final = "far"
WATCHFUL: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000),
)
_numbers = itertools.count()


class Island(Network):
    """A Network that is reached by a cable of its own, from `shore` to `host`."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        number = (os.getpid() * 16 + next(_numbers)) % (1 << 14) * 4
        self.name = f"pgclone{number}"
        # 198.18.0.0/16 is for tests between networks (RFC 2544): nothing that a test means to reach is there.
        self.shore, self.host = (f"198.18.{number >> 8}.{(number & 255) + end}" for end in (1, 2))

    def pull_cable(self) -> None:
        """From now on no packet arrives, in either direction."""
        _ip("-n", self.name, "link", "set", FAR, "down")

    def plug_in(self) -> None:
        """Packets arrive again."""
        _ip("-n", self.name, "link", "set", FAR, "up")

    def _listen(self) -> socket.socket:
        made: list[socket.socket] = []
        thread = threading.Thread(target=lambda: made.append(_socket_in(self.name, self.host)))
        thread.start()  # a thread has a namespace of its own, and its sockets stay there
        thread.join()
        return made[0]


def islands_possible() -> bool:
    """Whether this account may make one here."""
    with ExitStack() as undo:
        try:
            _ip("netns", "add", "pgclone")
            undo.callback(_ip, "netns", "delete", "pgclone")
            _ip("link", "add", "pgclone", "type", "veth", "peer", "name", FAR, "netns", "pgclone")
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


@contextmanager
def island_with(server: Server) -> Iterator[Island]:
    """An island where `server` is; everything is cut at the end."""
    island = Island(f"{server.directory}/.s.PGSQL.{server.port}")
    with ExitStack() as undo:
        _ip("netns", "add", island.name)
        undo.callback(_ip, "netns", "delete", island.name)
        _ip("link", "add", island.name, "type", "veth", "peer", "name", FAR, "netns", island.name)
        _ip("address", "add", f"{island.shore}/30", "dev", island.name)
        _ip("link", "set", island.name, "up")
        _ip("-n", island.name, "address", "add", f"{island.host}/30", "dev", FAR)
        island.plug_in()
        island.start()
        undo.callback(island.stop)
        yield island


def _socket_in(namespace: str, host: str) -> socket.socket:
    """A socket that listens in a namespace; the calling thread stays there."""
    with Path("/var/run/netns", namespace).open() as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
    listening = socket.create_server((host, 0))
    # The server's part: it would notice itself that a client is gone, but it sees a unix socket.
    for level, option, value in WATCHFUL:
        listening.setsockopt(level, option, value)
    return listening


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
