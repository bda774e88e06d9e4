"""What one side of a connection has sent and nobody has read yet, while its messages are read one at a time.

For what comes before a session: logins, and opening the connection to the target.  Sessions are relayed as a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from proxy.transports import set_reading
from proxy.wire.frames import HEADER

HELD = 64 << 10
"""More than this of one side is not held while nobody reads it."""


class ConnectionLostError(Exception):
    """One side has left, or what it sends is no message: there is nobody to go on with, and nothing to say."""


class LengthError(ConnectionLostError):
    """One side announces a message that is longer than it may be, or shorter than can be."""


class Inbox:
    """The bytes of one side.

    It stops reading a transport that sends more than `HELD` while nobody waits for it.  `before_waiting` is called when
    somebody will.
    """

    def __init__(
        self, transport: asyncio.Transport | None = None, before_waiting: Callable[[], None] = lambda: None
    ) -> None:
        self.transport = transport
        self._before_waiting = before_waiting
        self._data = bytearray()
        self._arrived: asyncio.Future[None] | None = None
        self.ended = False
        """Whether the side has left."""

    def __repr__(self) -> str:
        return f"<Inbox {len(self._data)} bytes{' ended' if self.ended else ''}>"

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._data += data
        if self._arrived is not None:
            self._wake()
        elif len(self._data) > HELD:
            set_reading(self.transport, False)

    def end(self) -> None:
        """The side has left; what it sent before can still be read."""
        self.ended = True
        self._wake()

    async def take(self, size: int) -> bytes:
        """The next `size` bytes.  ConnectionLostError if they do not come."""
        await self._until(size)
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    async def message(self, most: int) -> bytes:
        """The next message, header included.

        ConnectionLostError if there is none, or its length cannot be or is above `most`.
        """
        await self._until(HEADER)
        size = 1 + int.from_bytes(self._data[1:HEADER], "big")
        if not HEADER <= size <= most:
            raise LengthError
        return await self.take(size)

    async def to_the_end(self, most: int) -> bytes:
        """All that comes until the side leaves, or `most` bytes of it."""
        with suppress(ConnectionLostError):
            return await self.take(most)
        return self.rest()

    def rest(self) -> bytes:
        """Take all that has not been read."""
        rest = bytes(self._data)
        self._data.clear()
        return rest

    async def _until(self, size: int) -> None:
        while len(self._data) < size:
            if self.ended:
                raise ConnectionLostError
            self._before_waiting()
            set_reading(self.transport, True)
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, None
        if arrived is not None and not arrived.done():
            arrived.set_result(None)
