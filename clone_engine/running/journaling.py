"""The journal of the job at work: taken over from an earlier job or made, asked, and removed at the end.

What a journal is, and its SQL, is `servers.journal`'s; copiers make its entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.names import Name
from clone_engine.records.steps import Journal, Plan
from clone_engine.servers import journal as sql
from clone_engine.servers.journal import Entry
from clone_engine.servers.server_error import as_pg_errors

GONE = frozenset({"42P01", "3F000"})
"""What is said of a journal that does not exist."""
STARTS_OVER = "starts over"
"""Its entry says that nothing in the journal counts for a job that goes on from this one."""


class JobJournal:
    """The journal of one job.  Every method takes a connection to the target that commits durably, and raises PgError
    in the server's words."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.journal: Journal | None = None
        """Where it is; None until there is one."""
        self.found: tuple[Entry, ...] = ()
        """What earlier jobs left in it."""
        self._made = True
        self._parts = sql.parts_among(start.done)

    def __repr__(self) -> str:
        return f"<JobJournal {self.journal and self.journal.table}>"

    async def take_over(self, target: psycopg.AsyncConnection) -> tuple[str, ...]:
        """Make the journal of the job that this one goes on from its own, if it left one.  The keys of what is done,
        those that the store knows of first.

        Whatever is still at work for that job can commit nothing after this.  What the store knows of parts counts only
        without a journal: one that was left may be of a job that has emptied the table since.
        """
        owners = [one.owner for one in self._start.earlier]  # it stays with whose job has made it
        for one in self._start.earlier:
            found = await _rows(target, sql.FIND, owners, one.name)
            if found:
                done = await self._take(target, Journal(Name(*found[0])))
                self._parts = []
                return (*sql.without_parts(self._start.done), *done)
        return self._start.done

    async def _take(self, target: psycopg.AsyncConnection, left: Journal) -> tuple[str, ...]:
        moved, lock, rename = sql.take_over(left, self._start.name)
        with as_pg_errors():
            async with target.transaction():
                await target.execute(lock.encode())
                found = [sql.as_entry(text) for (text,) in await _rows(target, sql.entries(left))]
                if any(one.step == STARTS_OVER for one in found):
                    await target.execute(sql.drop(left).encode())
                    return ()
                await target.execute(rename.encode())
        self.journal, self.found = moved, tuple(found)
        return sql.done(found)

    async def make(self, target: psycopg.AsyncConnection, plan: Plan) -> Journal:
        """The journal for the steps of `plan`: the one that was taken over, or a new one.

        PgError 42501 if the role may not create even a table.
        """
        if self.journal is None:
            request = self._start.request
            (answer,) = await _rows(target, sql.PLACES, request.schema_name, request.schema_name)
            place = sql.place(self._start.name, *answer)
            if place is None:
                raise PgError(
                    "42501",
                    "pgclone: the role may create nothing in the target database",
                    detail="Schemas of other ordinary roles do not count, except the one that the clone goes into.",
                    hint="Grant it CREATE on the schema that the clone goes into, or on the database.",
                )
            made = sql.make(place)
            before = [Entry(STARTS_OVER)] if plan.on_failure else list(self.kept(plan))
            made = "; ".join([made, *(sql.enter(place, one) for one in before)])
            self.journal, self._made = place, False  # whoever cancels this does not know what became of it
            await _rows(target, made)
            self._made = True
        return self.journal

    def kept(self, plan: Plan) -> Iterator[Entry]:
        """The parts of tables that an earlier job has copied and that `plan` does not copy again."""
        known = {one.step: one for one in (*self._parts, *self.found)}
        return (known[key] for key in plan.kept)

    async def entries(self, target: psycopg.AsyncConnection) -> tuple[Entry, ...]:
        """All entries."""
        if self.journal is None:
            return ()
        try:
            return tuple(sql.as_entry(text) for (text,) in await _rows(target, sql.entries(self.journal)))
        except PgError as error:
            if self._made or error.sqlstate not in GONE:
                raise
            return ()

    async def entry(self, target: psycopg.AsyncConnection, step: str) -> Entry | None:
        """The entry of a step; None if it has not been done."""
        found = await _rows(target, sql.entry(self.journal, step)) if self.journal else []
        return sql.as_entry(found[0][0]) if found else None

    async def drop(self, target: psycopg.AsyncConnection) -> Outcome | None:
        """Remove it; the outcome to report if that fails."""
        if self.journal is None:
            return None
        drop = sql.drop(self.journal)
        try:
            try:
                await _rows(target, drop)
            except PgError:
                # An event trigger that the clone has brought may object, and whoever may make one may do this.
                await _rows(target, f"SET LOCAL session_replication_role = replica; {drop}")
        except PgError as error:
            return self.stays(error.message, error.sqlstate)
        self.journal = None
        return None

    def stays(self, why: str, sqlstate: str = "") -> Outcome:
        """What the report says of a journal that is left on the target."""
        assert self.journal is not None, "there is one"
        return Outcome(f"table {self.journal.table}", "skipped", sqlstate, f"not dropped: {why}")


async def _rows(target: psycopg.AsyncConnection, query: str, *parameters: str | list[str]) -> list[Any]:
    with as_pg_errors():
        cursor = await target.execute(query.encode(), parameters or None)
        return await cursor.fetchall() if cursor.description else []
