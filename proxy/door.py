"""A client that was accepted and has said nothing yet: it costs a socket and no more, until its first byte is there.

That byte tells whether the connection begins with TLS at once (chapter 54.2.9), which has to be known before anything
is read.  Who then serves it is `server.py`'s business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

HANDSHAKE = 0x16
"""The first byte of a TLS connection (RFC 8446, section 5.1); no start-up packet is long enough to begin with it."""


class Door:
    """Waits for a client's first byte, and calls `enter` with the socket and whether that begins TLS.

    At `deadline`, by the event loop's clock, or when it is shut, the socket is closed in place of that.  `gone` is
    called in any case, first.
    """

    def __init__(
        self,
        number: int,
        client: socket.socket,
        deadline: float,
        enter: Callable[[socket.socket, bool], None],
        gone: Callable[[Door], None],
    ) -> None:
        self.number = number
        """Of the connection."""
        self._client = client
        self._enter = enter
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.call_at(deadline, self.shut_down)
        self._loop.add_reader(client.fileno(), self._look)

    def __repr__(self) -> str:
        return f"<Door of {self._client!r}>"

    def shut_down(self, why: str = "") -> None:
        """Close the connection."""
        self._leave()
        self._client.close()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._loop.remove_reader(self._client.fileno())
        self._gone(self)

    def _look(self) -> None:
        try:
            first = self._client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            first = b""
        if not first:
            self.shut_down()
            return
        self._leave()
        self._enter(self._client, first[0] == HANDSHAKE)
