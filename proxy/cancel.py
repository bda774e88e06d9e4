"""CancelRequests: whose work they stop (protocol chapter 54.2.8).

The client holds the key that the server itself gave out.  While the session with that key waits for work of the proxy,
the request is for that; else it is passed to the target server as it came.  No reply is ever sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from clone_engine.records.errors import PgError
from proxy.upstream import Target

# The length and the request code of the packet; what follows is the body of the BackendKeyData (4 + 4 to 256 bytes).
_BEFORE_KEY = 8

Elsewhere = Callable[[bytes], Awaitable[bool]]
"""Has another process do what a CancelRequest asks; False if no session there has the key."""


async def nowhere(packet: bytes) -> bool:
    """For a process that has all sessions."""
    return False


class CancelKeys:
    """The keys of the open sessions.  Other keys are asked for `elsewhere`."""

    def __init__(self, target: Target, elsewhere: Elsewhere = nowhere) -> None:
        self.target = target
        """Where keys go that are nobody's."""
        self._elsewhere = elsewhere
        self._stops: dict[bytes, Callable[[], bool]] = {}

    def __repr__(self) -> str:
        return f"<CancelKeys of {len(self._stops)} sessions>"

    def add(self, key: bytes, stop: Callable[[], bool]) -> None:
        """The server has given out a key, as the body of its BackendKeyData.  `stop` stops what the proxy does for that
        session; False if it does nothing."""
        self._stops[key] = stop

    def remove(self, key: bytes, stop: Callable[[], bool]) -> None:
        """Forget what was added; nothing happens if it was not, or the key is another session's meanwhile."""
        if self._stops.get(key) == stop:
            del self._stops[key]

    async def deliver(self, packet: bytes) -> None:
        """Do what a CancelRequest asks.  Returns when that is on its way; never raises."""
        if not await self.deliver_here(packet) and not await self._elsewhere(packet):
            await _forward(self.target, packet)

    async def deliver_here(self, packet: bytes) -> bool:
        """Do what a CancelRequest asks if a session of this process has the key; whether one has."""
        stop = self._stops.get(packet[_BEFORE_KEY:])
        # What is stopped here is not passed on: it could hit whatever the server does next.
        if stop is not None and not stop():
            await _forward(self.target, packet)
        return stop is not None


class _Once(asyncio.Protocol):
    """Sends one packet and waits for the server to close, which it does when the cancel has been delivered."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.transport = transport
        transport.write(self._packet)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def _forward(target: Target, packet: bytes) -> None:
    """Pass a CancelRequest on, and return when the server has closed, or did not in time.  Never raises."""
    once = _Once(packet)
    try:
        await target.connect(once)
        async with asyncio.timeout(target.timeout):
            await once.closed
    except (PgError, TimeoutError):
        pass
    finally:
        if once.transport:
            once.transport.abort()
