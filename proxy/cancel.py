"""CancelRequests: whose work they stop (protocol chapter 54.2.8).

The client holds the key that the server itself gave out.  While the session with that key waits for work of the proxy,
the request is for that; else it is passed as it came to the server that the session is on.  No reply is ever sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxy.upstream import Target

# The length and the request code of the packet; what follows is the body of the BackendKeyData (4 + 4 to 256 bytes).
_BEFORE_KEY = 8

Elsewhere = Callable[[bytes], Awaitable[bool]]
"""Has another process do what a CancelRequest asks; False if no session there has the key."""

Stop = Callable[[], bool]
"""Stops what the proxy does for a session; False if it does nothing."""

Send = Callable[[bytes], Awaitable[None]]
"""Sends a CancelRequest to the server that the session is on.  Never raises."""


async def nowhere(packet: bytes) -> bool:
    """For a process that has all sessions."""
    return False


class CancelKeys:
    """The keys of the open sessions.  Other keys are asked for `elsewhere`."""

    def __init__(self, target: Target, elsewhere: Elsewhere = nowhere) -> None:
        self.target = target
        """Where keys go that are nobody's."""
        self._elsewhere = elsewhere
        self._sessions: dict[bytes, tuple[Stop, Send]] = {}

    def __repr__(self) -> str:
        return f"<CancelKeys of {len(self._sessions)} sessions>"

    def add(self, key: bytes, stop: Stop, send: Send) -> None:
        """A session's server has given out a key, as the body of its BackendKeyData; b'' if it has not."""
        if key:
            self._sessions[key] = stop, send

    def remove(self, key: bytes, stop: Stop) -> None:
        """Forget what was added; nothing happens if it was not, or the key is another session's meanwhile."""
        if key in self._sessions and self._sessions[key][0] == stop:
            del self._sessions[key]

    async def deliver(self, packet: bytes) -> None:
        """Do what a CancelRequest asks.  Returns when that is on its way; never raises."""
        if not await self.deliver_here(packet) and not await self._elsewhere(packet):
            await self.target.cancel(packet)

    async def deliver_here(self, packet: bytes) -> bool:
        """Do what a CancelRequest asks if a session of this process has the key; whether one has."""
        session = self._sessions.get(packet[_BEFORE_KEY:])
        if session is None:
            return False
        stop, send = session
        # What is stopped here is not passed on: it could hit whatever the server does next.
        if not stop():
            await send(packet)
        return True
