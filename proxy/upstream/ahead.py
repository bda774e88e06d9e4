"""Connections that are opened before anybody asks: while clients come in quick succession, the next one's.

A server starts a process for each connection that it accepts, which takes longer than all that the proxy does.  A
client for whom that is done already is let in sooner.  The StartupMessage is always its own.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from proxy.upstream.opening import EncryptionError, LostError, Opened, Opener, RefusedError, UnreachableError
from proxy.upstream.places import Route

SECONDS = 0.25
"""A connection is opened ahead where the client before came no longer ago than this, and is closed where none has come
after this.  The server's process knows the server's configuration as it was when it began: so it must not be long."""
OPENING_SECONDS = 1.0
"""That opening one may take: it is for a client that comes at once."""
MOST = 16
"""Connections that wait on one route."""


class Ahead:
    """Opens connections as `Opener` does, up to `most` of them ahead.  Those that nobody wants close by themselves."""

    def __init__(self, opener: Opener, most: int = MOST, seconds: float = SECONDS) -> None:
        self._opener = opener
        self._most = most
        self._seconds = seconds
        self._spares: dict[Route, list[_Spare]] = {}
        self._last: dict[Route, float] = {}
        self._opening: dict[asyncio.Task[None], Route] = {}

    def __repr__(self) -> str:
        return f"<Ahead {sum(map(len, self._spares.values()))} connections>"

    async def open(self, route: Route, packet: bytes) -> tuple[Opened, Route]:
        """As `Opener.open`; without a packet, which is no client's coming, also what that does."""
        if not packet:
            return await self._opener.open(route)
        self._came(route)
        if spares := self._spares.get(route):
            spare = spares.pop()
            spare.deadline.cancel()
            # Its server may have gone since, or have read its configuration anew: a new connection tells.
            with suppress(LostError, RefusedError):
                return await self._opener.begin(spare.opened, spare.route, packet)
        return await self._opener.open(route, packet)

    def close(self) -> None:
        """Close those that wait, and open no more."""
        self._most = 0
        for opening in self._opening:
            opening.cancel()
        for route, spares in self._spares.items():
            for spare in list(spares):
                spare.deadline.cancel()
                self._expire(route, spare.opened)

    def _came(self, route: Route) -> None:
        now = asyncio.get_running_loop().time()
        often = route in self._last and now - self._last[route] <= self._seconds
        self._last[route] = now
        there = len(self._spares.get(route, ())) + list(self._opening.values()).count(route)
        if often and there < self._most:
            opening = asyncio.create_task(self._open_ahead(route))
            self._opening[opening] = route
            opening.add_done_callback(self._opening.pop)

    async def _open_ahead(self, route: Route) -> None:
        with suppress(UnreachableError, EncryptionError, TimeoutError):
            async with asyncio.timeout(OPENING_SECONDS):
                opened, found = await self._opener.open(route)
            deadline = asyncio.get_running_loop().call_later(self._seconds, self._expire, route, opened)
            self._spares.setdefault(route, []).append(_Spare(opened, found, deadline))

    def _expire(self, route: Route, opened: Opened) -> None:
        self._spares[route] = [spare for spare in self._spares[route] if spare.opened is not opened]
        opened.leave()


class _Spare(NamedTuple):
    """A connection that waits."""

    opened: Opened
    route: Route
    """As `Opener.open` gives it."""
    deadline: asyncio.TimerHandle
