"""What is done is said only when it would survive a crash of the target server.

The copiers commit with synchronous_commit off, so that small steps need not wait for the disk.  A commit that does wait
makes all earlier ones durable (WAL is written in order); one of those stands before each batch of reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import psycopg

from clone_engine.records.channel import FromJob
from clone_engine.servers.server_error import as_pg_errors

BARRIER = "SELECT pg_catalog.pg_logical_emit_message(true, 'pgclone', '')"
"""Writes something to WAL: the commit of a transaction that has an id but has written nothing is not waited for."""


class Announcer:
    """Holds reports back until what they report is durable on the target.  `run` it as a task.

    `target` gives the connection, which must have synchronous_commit on.
    """

    def __init__(self, target: Callable[[], psycopg.AsyncConnection], say: Callable[[FromJob], None]) -> None:
        self._target = target
        self._say = say
        self._held: dict[str, Sequence[FromJob]] = {}
        self._news = asyncio.Event()
        self._flushing = asyncio.Lock()

    def hold(self, key: str, messages: Sequence[FromJob]) -> None:
        """Say these, of the step `key`, when everything that is committed now is durable."""
        self._held[key] = (*self._held.get(key, ()), *messages)
        self._news.set()

    def take_back(self, key: str) -> Sequence[FromJob]:
        """What is held of the step `key`; it is not said."""
        return self._held.pop(key, ())

    async def run(self) -> None:
        """Flush whenever something is held.  PgError if the target fails."""
        while True:
            await self.flush()
            await self._news.wait()

    async def flush(self) -> None:
        """Say what is held, behind one commit.  PgError if the target fails; it stays held then."""
        async with self._flushing:
            self._news.clear()
            due = dict(self._held)
            if not due:
                return
            with as_pg_errors():
                await self._target().execute(BARRIER)
            for key, messages in due.items():
                if self._held.get(key) is messages:
                    del self._held[key]
                    for message in messages:
                        self._say(message)
