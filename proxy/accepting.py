"""Accepts clients on sockets that are bound, and hands on each one's socket.

Who serves it is somebody else's business.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

import structlog

log = structlog.get_logger()

BACKLOG = 512
BATCH = 64
"""Clients that are accepted before the event loop goes on with something else."""
PAUSE = 1.0
"""Seconds without accepting, where the system has no file or memory left for another client."""
GONE = frozenset({errno.ECONNABORTED, errno.EINTR, errno.EPROTO})
"""The client has left before it was accepted."""


class Acceptor:
    """Listens on `sockets`, which are its own from now on; `take` is given each client's, which does not block."""

    def __init__(self, sockets: Sequence[socket.socket], take: Callable[[socket.socket], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = list(sockets)
        self._take = take
        for sock in self._sockets:
            sock.setblocking(False)  # one that was passed may
            sock.listen(BACKLOG)
            self._watch(sock)

    def __repr__(self) -> str:
        return f"<Acceptor on {len(self._sockets)} sockets>"

    def close(self) -> None:
        """Accept nobody else.  May be called more than once."""
        while self._sockets:
            sock = self._sockets.pop()
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def _watch(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                client, _ = sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in GONE:
                    continue
                log.error("no client can be accepted for a while", reason=error.strerror)
                self._loop.remove_reader(sock.fileno())
                self._loop.call_later(PAUSE, self._watch, sock)
                return
            client.setblocking(False)
            self._take(client)
