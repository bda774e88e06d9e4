"""What is done is said only when it would survive a crash of the target server.

The copiers commit with synchronous_commit off, so that small steps need not wait for the disk.  A commit that does wait
makes all earlier ones durable (WAL is written in order); one of those stands before each batch of reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import psycopg

from clone_engine.records.channel import FromJob
from clone_engine.servers.server_error import from_psycopg

BARRIER = "SELECT pg_catalog.txid_current()"
"""A transaction with an id is one whose commit is written to WAL, and waited for."""


class Announcer:
    """Holds reports back until what they report is durable on the target.  `run` it as a task.

    Its connection, `target`, must have synchronous_commit on.
    """

    def __init__(self, target: psycopg.AsyncConnection, say: Callable[[FromJob], None]) -> None:
        self.target = target
        self._say = say
        self._held: list[FromJob] = []
        self._news = asyncio.Event()
        self._flushing = asyncio.Lock()

    def hold(self, messages: Iterable[FromJob]) -> None:
        """Say these when everything that is committed now is durable."""
        self._held += messages
        self._news.set()

    async def run(self) -> None:
        """Flush whenever something is held.  PgError if the target fails."""
        while True:
            await self._news.wait()
            await self.flush()

    async def flush(self) -> None:
        """Say what is held, behind one commit.  PgError if the target fails; it stays held then."""
        async with self._flushing:
            self._news.clear()
            messages, self._held = self._held, []
            if not messages:
                return
            try:
                await self.target.execute(BARRIER)
            except BaseException as error:
                self._held = messages + self._held
                if isinstance(error, psycopg.Error):
                    raise from_psycopg(error) from None
                raise
            for message in messages:
                self._say(message)
