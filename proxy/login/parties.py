"""Client and server while a login goes on: their messages one at a time, and writing to either.

Which messages these are is the login methods' business; what comes before and after is `admission.py`'s.
"""

from __future__ import annotations

import asyncio

from proxy.login.principal import Principal
from proxy.transports import set_reading
from proxy.wire.frames import HEADER
from proxy.wire.startup import Packet

AUTHENTICATION = ord("R")
ERROR = ord("E")
# More than this of one side is not held while nobody reads it.
HELD = 64 << 10
LONGEST_OF_SERVER = 1 << 20


class ConnectionLostError(Exception):
    """One side has left, or what it sends is no message: there is nobody to go on with, and nothing to say."""


class Inbox:
    """What one side has sent and nobody has read yet.

    It stops reading a transport that sends more than `HELD` while nobody waits for it.
    """

    def __init__(self, transport: asyncio.Transport | None = None) -> None:
        self.transport = transport
        self._data = bytearray()
        self._arrived: asyncio.Future[None] | None = None
        self._ended = False

    def __repr__(self) -> str:
        return f"<Inbox {len(self._data)} bytes{' ended' if self._ended else ''}>"

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._data += data
        if self._arrived is not None:
            self._wake()
        elif len(self._data) > HELD:
            set_reading(self.transport, False)

    def end(self) -> None:
        """The side has left; what it sent before can still be read."""
        self._ended = True
        self._wake()

    async def message(self, most: int) -> bytes:
        """The next message, header included.

        ConnectionLostError if there is none, or its length cannot be or is above `most`.
        """
        await self._until(HEADER)
        size = 1 + int.from_bytes(self._data[1:HEADER], "big")
        if not HEADER <= size <= most:
            raise ConnectionLostError
        await self._until(size)
        message = bytes(self._data[:size])
        del self._data[:size]
        return message

    def rest(self) -> bytes:
        """Take all that has not been read."""
        rest = bytes(self._data)
        self._data.clear()
        return rest

    async def _until(self, size: int) -> None:
        while len(self._data) < size:
            if self._ended:
                raise ConnectionLostError
            set_reading(self.transport, True)
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, None
        if arrived is not None and not arrived.done():
            arrived.set_result(None)


class Parties:
    """The two sides of a login."""

    def __init__(self, packet: Packet, client: asyncio.Transport) -> None:
        self.packet = packet
        """The client's StartupMessage, as it was sent."""
        self.principal = Principal(packet)
        """Whom it names; not to be believed before the login is done."""
        self.client = client
        """The client's transport.  `get_extra_info` tells of its TLS."""
        self.server: asyncio.Transport | None = None
        """The server's, as soon as it is connected."""
        self.from_client = Inbox(client)
        self.from_server = Inbox()

    def __repr__(self) -> str:
        return f"<Parties {self.principal}>"

    def connected(self, server: asyncio.Transport) -> None:
        """The connection to the server is there."""
        self.server = self.from_server.transport = server

    async def server_message(self) -> bytes:
        """The server's next Authentication message, header included.  All else that it says goes to the client.

        ConnectionLostError if it leaves, which it does behind an ErrorResponse.
        """
        while (message := await self.from_server.message(LONGEST_OF_SERVER))[0] != AUTHENTICATION:
            self.to_client(message)
        return message

    async def client_message(self, most: int = HELD) -> bytes:
        """The client's next message, header included.  ConnectionLostError as `Inbox.message`."""
        return await self.from_client.message(most)

    def to_client(self, message: bytes) -> None:
        """Send a message to the client."""
        self.client.write(message)

    def to_server(self, message: bytes) -> None:
        """Send a message to the server, which must be connected."""
        assert self.server is not None
        self.server.write(message)
