"""Client and server while a login goes on: their messages one at a time, and writing to either.

Which messages these are is the login methods' business; what comes before and after is `startup.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from proxy.inbox import HELD, ConnectionLostError, Inbox
from proxy.login.principal import Principal
from proxy.transports import Outbox
from proxy.wire.authentication import Request, decode_request
from proxy.wire.startup import Packet

AUTHENTICATION = ord("R")
FOR_THE_CLIENT = frozenset(b"EN")
LONGEST_OF_SERVER = 1 << 20


class Parties:
    """The two sides of a login.  What is written goes out when a message is waited for, in as few pieces as can be."""

    def __init__(
        self, packet: Packet, client: asyncio.Transport, connect: Callable[[Parties], Awaitable[None]]
    ) -> None:
        """`connect` connects to the server and sends it the packet."""
        self._connect = connect
        self.packet = packet
        """The client's StartupMessage, as it was sent."""
        self.principal = Principal(packet)
        """Whom it names; not to be believed before the login is done."""
        self.client = client
        """The client's transport.  `get_extra_info` tells of its TLS."""
        self.server: asyncio.Transport | None = None
        """The server's, as soon as it is connected."""
        self.from_client = Inbox(client, self.flush)
        self.from_server = Inbox(None, self.flush)
        self._to_client = Outbox(client)
        self._to_server: Outbox | None = None

    def __repr__(self) -> str:
        return f"<Parties {self.principal}>"

    async def connect(self) -> None:
        """Connect to the server, which then knows as whom the client wants to log in, and may say that it has.

        PgError 08001 if it cannot be had, RefusedError if its first answer is an error that is the client's.
        """
        await self._connect(self)

    def connected(self, server: asyncio.Transport) -> None:
        """The connection to the server is there."""
        self.server = self.from_server.transport = server
        self._to_server = Outbox(server)

    def server_left(self) -> None:
        """The server has closed its connection: who waits for either side need not wait any more."""
        self.from_server.end()
        self.from_client.end()

    async def last_words(self) -> None:
        """Let the client have the errors and notices that nobody has read of a server that has left."""
        with suppress(ConnectionLostError):
            while self.from_server.ended:
                message = await self.from_server.message(LONGEST_OF_SERVER)
                if message[0] in FOR_THE_CLIENT:
                    self.to_client(message)

    async def server_message(self) -> bytes:
        """The server's next Authentication message, header included.  All else that it says goes to the client.

        ConnectionLostError if it leaves, which it does behind an ErrorResponse.
        """
        while (message := await self.from_server.message(LONGEST_OF_SERVER))[0] != AUTHENTICATION:
            self.to_client(message)
        return message

    async def server_request(self) -> Request:
        """As `server_message`, decoded."""
        return decode_request(await self.server_message())

    async def client_message(self, most: int = HELD) -> bytes:
        """The client's next message, header included.  ConnectionLostError as `Inbox.message`."""
        return await self.from_client.message(most)

    def to_client(self, message: bytes) -> None:
        """Send a message to the client."""
        self._to_client.write(message)

    def to_server(self, message: bytes) -> None:
        """Send a message to the server, which must be connected."""
        assert self._to_server is not None
        self._to_server.write(message)

    def flush(self) -> None:
        """Let all go out that was written."""
        self._to_client.flush()
        if self._to_server is not None:
            self._to_server.flush()
