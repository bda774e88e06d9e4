"""What is done on the target when a job did not complete: it is undone, or what is there is made fit to go on from.

Never raises: the job has failed already, and what fails here is reported beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

import psycopg

from clone_engine.records.channel import Done, FromJob, Undone
from clone_engine.records.errors import PgError
from clone_engine.records.steps import table_key
from clone_engine.running.journaling import JobJournal
from clone_engine.running.keeping import Keeping
from clone_engine.running.reporting import Report
from clone_engine.running.undo import CLEANUP_TIMEOUT, LOCK_TIMEOUT, undo, within
from clone_engine.servers.journal import Entry, without_parts
from clone_engine.servers.journal import done as done_keys


class Left(NamedTuple):
    """What is there of a job that did not complete."""

    complete: tuple[str, ...]
    """The keys of it, as the journal has them."""
    in_part: dict[str, str]
    """How far the rows of other tables came, by table, as far as it is known."""


class CleanUp:
    """Of one job, whose copiers have ended."""

    def __init__(self, target: psycopg.AsyncConnection, report: Report, journal: JobJournal, keeping: Keeping) -> None:
        self._target = target
        self._report = report
        self._journal = journal
        self._keeping = keeping

    async def run(self) -> Left:
        """Undo what the plan says, or empty tables that would be taken for complete; then give up the journal, which
        stays for a resumed job if it cannot be read, or the manager does not say that it has kept what it tells."""
        plan = self._report.plan
        await undo(self._target, f"SET lock_timeout = '{LOCK_TIMEOUT}'", "")
        entries = await self._entries()
        in_part: dict[str, str] = {}
        if plan is not None and entries is not None and self._journal.journal:  # whatever was heard of it
            self._report.swapped = any(one.step == plan.swap for one in entries)
        if plan is not None:
            for statement in plan.on_failure:
                self._report.outcome(await undo(self._target, statement.sql, statement.object))
        if self._report.keeps_steps:
            in_part = await self._empty_incomplete(entries or ())
        if entries is None:
            return Left((), in_part)
        complete = done_keys(entries)
        await self._give_up_journal(complete if plan is None or self._report.keeps_steps else ())
        return Left(complete, in_part)

    async def _entries(self) -> tuple[Entry, ...] | None:
        """What the journal says; None if it cannot be read now."""
        with suppress(PgError, TimeoutError):
            return await within(CLEANUP_TIMEOUT, self._journal.entries(self._target))
        return None

    async def _empty_incomplete(self, entries: Collection[Entry]) -> dict[str, str]:
        """Empty tables with parts that cannot be told from the rest; how far those came that can."""
        complete, parts = set(done_keys(entries)), Counter(entry.table for entry in entries)
        in_part = dict[str, str]()
        for step in self._report.incomplete():
            object_ = table_key(step.table)
            if object_ in complete:
                continue
            if step.part and parts[step.table]:
                in_part[step.table] = f"copied in part ({parts[step.table]} of {step.parts})"
            elif parts[step.table]:
                self._report.outcome(await undo(self._target, step.empty, object_))
        return in_part

    async def _give_up_journal(self, known: Collection[str]) -> None:
        """Let the store know what the journal does of what stays done, which is `known`, and remove that."""
        told = self._report.told
        said: list[FromJob] = [Done(key) for key in known if key not in told]
        if self._journal.journal:
            said += [Undone(key) for key in told.difference(without_parts(told), known)]
        with suppress(PgError, psycopg.Error, TimeoutError):
            await within(CLEANUP_TIMEOUT, self._report.flush())
            for message in said:
                self._report.say(message)
            if not (known or told) or await self._keeping.kept():
                self._report.outcome(await within(CLEANUP_TIMEOUT, self._journal.drop(self._target)))
