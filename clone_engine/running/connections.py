"""The job process's own connections, the keeper on the source and one on the target: opened, found lost, opened again.

A server is waited for, up to `retry_for` seconds, once it has answered before, and from the first where it says itself
that it will answer soon.  What a loss means for the steps of the job is `recovery.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

import psycopg

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.running.crew import Member
from clone_engine.running.patience import looks
from clone_engine.running.undo import CLEANUP_TIMEOUT, end_backends, within
from clone_engine.servers.connect import Side, closed_on_error, connect_async
from clone_engine.servers.keeper import Keeper
from clone_engine.servers.server_error import STARTING, from_psycopg, transient

PULSE: Final = 2.0
"""Seconds between two questions whether a connection is still there; they also keep a NAT entry alive."""
SIDES: Final[tuple[Side, Side]] = ("source", "target")
T = TypeVar("T")


class Connections:
    """Of one job.  `close` leaves none open."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.waiting_for: Side | None = None
        """The server that is being waited for."""
        self.whole = asyncio.Event()
        """Set when both work again; whoever finds that one does not clears it, and waits."""
        self.keeper: Keeper | None = None
        self._target: psycopg.AsyncConnection | None = None
        self._pids: dict[Side, int] = {}
        self._lost: dict[Side, PgError] = {}
        self._reached: set[Side] = set()

    def __repr__(self) -> str:
        return f"<Connections of job {self._start.job_id}, lost: {', '.join(self._lost) or 'none'}>"

    @property
    def target(self) -> psycopg.AsyncConnection:
        """The connection to the target; its commits are durable."""
        assert self._target is not None, "open_target() makes it"
        return self._target

    @property
    def backends_on_source(self) -> list[int]:
        """The process ids of the keeper's backend."""
        return [self._pids["source"]] if self.keeper else []

    async def open_source(self) -> Keeper:
        """The keeper of a new snapshot.  PgError if the source refuses, or cannot be reached in time."""
        consistent = self._start.request.options.consistent
        self.keeper = await self._patiently(
            "source", lambda: Keeper.open(self._start.source, self._start.job_id, consistent)
        )
        await self._opened("source", self.keeper.connection)
        return self.keeper

    async def open_target(self) -> None:
        """Connect to the target.  PgError if it refuses, or cannot be reached in time."""
        self._target = await self._patiently("target", self._connect_target)
        await self._opened("target", self._target)

    async def watch(self, side: Side) -> None:
        """Return never: PgError, the server's or 08006, soon after the connection was lost."""
        while True:
            await asyncio.sleep(PULSE)
            if error := await self.loss(side):
                raise error

    async def loss(self, side: Side) -> PgError | None:
        """Why the connection to a server is lost; None while it works."""
        connection = self._connection(side)
        if side not in self._lost and connection:
            try:
                await connection.execute("SELECT")
            except psycopg.Error as error:
                words = from_psycopg(error)
                # Another task may have opened a new one meanwhile.
                if connection is self._connection(side) and (connection.closed or transient(words.sqlstate)):
                    self._lost[side] = words
        return self._lost.get(side)

    async def restore(self, side: Side) -> bool:
        """Whether the connection was lost.  It is a new one then; what the old one's backend did has ended.

        PgError if the server refuses a new one, or cannot be reached in time.
        """
        if not await self.loss(side):
            return False
        await self.give_up(side)
        await (self.open_target() if side == "target" else self.open_source())
        return True

    async def give_up(self, side: Side) -> None:
        """Close a connection, lost or not."""
        if connection := self._connection(side):
            with suppress(psycopg.Error):
                await connection.close()

    async def usable_target(self) -> psycopg.AsyncConnection | None:
        """The target connection, a new one if it broke; None if there is none to be had now, or none was needed yet."""
        if self._target is not None and (self._target.closed or "target" in self._lost):
            await self.give_up("target")
            self._target = None
            with suppress(PgError, TimeoutError):
                self._target = await within(CLEANUP_TIMEOUT, self._connect_target())
        return self._target

    async def end_backends(self, members: Collection[Member], sides: Collection[Side] = SIDES) -> None:
        """Make servers end what they still do for copiers that could not see to it themselves."""
        pids = {side: [member.backends[side] for member in members if side in member.backends] for side in sides}
        there = [(connection, pids[side]) for side in sides if pids[side] and (connection := self._connection(side))]
        await asyncio.gather(*(end_backends(connection, ours) for connection, ours in there))

    async def close(self) -> None:
        """Close both."""
        for side in SIDES:
            await self.give_up(side)

    def _connection(self, side: Side) -> psycopg.AsyncConnection | None:
        if side == "target":
            return self._target
        return self.keeper.connection if self.keeper else None

    async def _connect_target(self) -> psycopg.AsyncConnection:
        target = await connect_async(self._start.destination, "target", self._start.job_id)
        async with closed_on_error(target):
            await target.execute("SET synchronous_commit = 'on'")
        return target

    async def _opened(self, side: Side, connection: psycopg.AsyncConnection) -> None:
        """A network that was cut leaves the old backend behind, with its locks and its snapshot."""
        before = self._pids.get(side)
        self._lost.pop(side, None)
        self._reached.add(side)
        self._pids[side] = connection.info.backend_pid
        if before:
            await end_backends(connection, [before])

    async def _patiently(self, side: Side, connect: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time
        until, pauses = now() + self._start.retry_for, looks()
        try:
            while True:
                try:
                    return await connect()
                except PgError as error:
                    soon = error.sqlstate in STARTING or (side in self._reached and transient(error.sqlstate))
                    if not soon or now() >= until:
                        raise
                self.waiting_for = side
                await asyncio.sleep(next(pauses))
        finally:
            self.waiting_for = None
