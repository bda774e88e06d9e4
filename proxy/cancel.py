"""CancelRequests: passed to the target server as they came (protocol chapter 54.2.8).

The client holds the key that the server itself gave out, so nothing is mapped.  No reply is ever sent.
"""

from __future__ import annotations

import asyncio
from typing import cast

from clone_engine.errors import PgError
from proxy.upstream import Target


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


async def forward_cancel(target: Target, packet: bytes) -> None:
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
