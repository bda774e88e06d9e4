"""What is done is said only when it would survive a crash of the target server.

The copiers commit with synchronous_commit off, so that small steps need not wait for the disk.  A commit that does wait
makes all earlier ones durable (WAL is written in order); one of those stands before each batch of reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from clone_engine.server_error import from_psycopg

BARRIER = "SELECT pg_catalog.txid_current()"
"""A transaction with an id is one whose commit is written to WAL, and waited for."""


class Announcer:
    """Holds reports back until what they report is durable on the target.  `run` it as a task.

    Its connection must have synchronous_commit on.
    """

    def __init__(self, target: psycopg.AsyncConnection) -> None:
        self._target = target
        self._held: list[Callable[[], None]] = []
        self._news = asyncio.Event()

    def hold(self, report: Callable[[], None]) -> None:
        """Have `report` called when everything that is committed now is durable."""
        self._held.append(report)
        self._news.set()

    async def run(self) -> None:
        """Flush whenever something is held.  PgError if the target fails."""
        while True:
            await self._news.wait()
            await self.flush()

    async def flush(self) -> None:
        """Call all held reports, behind one commit.  PgError if the target fails; they stay held then."""
        self._news.clear()
        if not self._held:
            return
        ready = len(self._held)
        try:
            await self._target.execute(BARRIER)
        except psycopg.Error as error:
            raise from_psycopg(error) from None
        reports, self._held = self._held[:ready], self._held[ready:]
        for report in reports:
            report()
