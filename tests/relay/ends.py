"""A relay between two real sockets, whose other ends the test holds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from proxy.relay import Relay
from proxy.transports import ClientSide, ServerSide, prepared
from proxy.wire.exchange import Entry

SECONDS = 20.0
IMPLEMENTATIONS = [Relay]
WHOLE = 1 << 20
"""A piece, as `Ends.send` has it, that nothing is cut for."""

Work = Callable[[], None]


class Watching:
    """A watch that notes what it is shown, and takes what `taking` gives work for."""

    def __init__(self) -> None:
        self.wants_all = False
        self.quick = True
        """Whether data may pass unseen."""
        self.taking: Callable[[int, bytes], Work | None] = lambda kind, message: None
        self.shown: list[bytes] = []
        self.replies: list[tuple[Entry | None, bytes]] = []
        self.asides: list[bytes] = []
        self.ends = 0
        self.lost = asyncio.Event()
        self.relay: Relay

    # relay.Watch

    def passes(self, data: bytes) -> bool:
        return self.quick and not self.wants_all

    def takes(self, kind: int, message: bytes) -> Work | None:
        self.shown.append(message)
        return self.taking(kind, message)

    def aside(self, kind: int, message: bytes) -> bytes | None:
        self.asides.append(message)
        return None

    def reply(self, entry: Entry | None, kind: int, message: bytes) -> bytes | None:
        self.replies.append((entry, message))
        return b"" if entry is not None and entry.hidden else None

    def ended(self) -> None:
        self.ends += 1

    # transports.Events

    def writable(self, *, client: bool, full: bool) -> None:
        self.relay.writable(client=client, full=full)

    def close(self) -> None:
        self.lost.set()

    server_lost = close


class Ends:
    """The test's ends: `client` sends what a client would, `server` what a server would."""

    def __init__(self, relay: Relay, watch: Watching, client: socket.socket, server: socket.socket) -> None:
        self.relay = relay
        self.watch = watch
        self.client = client
        self.server = server

    async def send(self, end: socket.socket, data: bytes, piece: int) -> None:
        """Send in pieces; each is read by the relay before the next is sent."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(data), piece):
            await loop.sock_sendall(end, data[start : start + piece])
            await asyncio.sleep(0)

    async def receive(self, end: socket.socket, size: int) -> bytes:
        """That many bytes."""
        loop = asyncio.get_running_loop()
        received = b""
        async with asyncio.timeout(SECONDS):
            while len(received) < size and (data := await loop.sock_recv(end, size - len(received))):
                received += data
        return received

    def waiting(self, end: socket.socket) -> bool:
        """Whether anything has come that was not received."""
        try:
            return bool(end.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False


@asynccontextmanager
async def ends(implementation: type[Relay]) -> AsyncIterator[Ends]:
    """A relay at work; all is closed at the end."""
    loop = asyncio.get_running_loop()
    pairs = [socket.socketpair() for _ in range(2)]
    for each in (each for pair in pairs for each in pair):
        each.setblocking(False)
    (client, near_client), (server, near_server) = pairs
    made: list[Any] = [await loop.create_connection(asyncio.Protocol, sock=sock) for sock in (near_client, near_server)]
    transports = [prepared(transport) for transport, _ in made]
    watch = Watching()
    relay = watch.relay = implementation(transports[0], transports[1], watch)
    transports[0].set_protocol(ClientSide(watch, relay.client_data))
    transports[1].set_protocol(ServerSide(watch, relay.server_data))
    try:
        yield Ends(relay, watch, client, server)
    finally:
        for transport in transports:
            transport.abort()
        client.close()
        server.close()


async def shown(watch: Watching, message: bytes) -> bool:
    """Whether the watch has seen a message."""
    return message in watch.shown


async def settle(relay: Relay) -> None:
    """`Relay.settled` as a coroutine."""
    await relay.settled()
