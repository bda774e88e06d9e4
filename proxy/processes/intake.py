"""The connections that a serving process is handed by the first process.

A connection comes with the number that it has in logs.  What is done with it is `server.py`'s business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

from proxy.processes.child import NUMBER_BYTES

log = structlog.get_logger()


class Intake:
    """Takes what arrives at `handed`, and gives it to `serve` with its number; `taken` is called behind it."""

    def __init__(
        self, handed: socket.socket, serve: Callable[[int, socket.socket], None], taken: Callable[[], None]
    ) -> None:
        self.count = 0
        """Of the connections taken so far."""
        self._loop = asyncio.get_running_loop()
        self._handed = handed
        self._serve = serve
        self._taken = taken
        handed.setblocking(False)
        self._loop.add_reader(handed.fileno(), self._take)

    def __repr__(self) -> str:
        return f"<Intake, {self.count} taken>"

    def close(self) -> None:
        """Take nothing more; what is on its way is dropped.  May be called more than once."""
        if self._handed.fileno() >= 0:
            self._loop.remove_reader(self._handed.fileno())
            self._handed.close()

    def _take(self) -> None:
        while True:
            try:
                number, clients, _, _ = socket.recv_fds(self._handed, NUMBER_BYTES, 1)
            except BlockingIOError:
                return
            except OSError:
                number = b""  # as if the other side had closed
            if not number:
                self.close()
                return
            if clients:
                client = socket.socket(fileno=clients[0])
                client.setblocking(False)
                self._serve(int.from_bytes(number), client)
            else:
                log.error("connection dropped", connection=int.from_bytes(number), reason="too many open files")
            self.count += 1
            self._taken()
