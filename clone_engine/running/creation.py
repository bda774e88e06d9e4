"""Makes the database that a clone goes into, with the encoding and locale of the source's.

When the job does not complete it stays if anything in it is complete: that is kept, and a resumed job goes on there.
A database in which nothing is complete is dropped again.  What the clone does in it is `plan.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncRawCursor
from psycopg.rows import namedtuple_row

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.names import quote_ident, quote_literal
from clone_engine.records.steps import Plan, Run, Statement
from clone_engine.running.undo import undo
from clone_engine.servers.connect import connect_async
from clone_engine.servers.queries import text_of
from clone_engine.servers.server_error import as_pg_errors

PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
LOCALES = {"i": "ICU_LOCALE", "b": "BUILTIN_LOCALE"}
HAS_PROVIDERS = 150000
SINCE = {"icu": 150000, "builtin": 170000}
"""The versions that know a locale provider for databases; and rules came with:"""
HAS_RULES = 160000
OID = "SELECT oid FROM pg_catalog.pg_database WHERE datname = %s"


class Creation:
    """The database of one job."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.name = start.request.target_database
        self.key = ""
        """Under which it is kept that this job, or the one that it goes on from, made it; '' if neither did."""
        self._properties: tuple[Statement, ...] = ()

    def __repr__(self) -> str:
        return f"<Creation of database {self.name} {'made' if self.key else 'not made'}>"

    @property
    def object(self) -> str:
        """The database as the report names it."""
        return f"database {self.name}"

    async def make(self, source: psycopg.AsyncConnection) -> Outcome:
        """Create the database, unless it is there and may be; what the report says of it.

        PgError 42P04 if it is there and the options do not say what then, 0A000 if the target is too old for its
        locale; otherwise the servers' own words.
        """
        connection = await connect_async(self._start.target, "target", self._start.job_id)
        try:
            with as_pg_errors():
                return await self._make(source, connection)
        finally:
            await connection.close()

    async def _make(self, source: psycopg.AsyncConnection, target: psycopg.AsyncConnection) -> Outcome:
        key = await self._key(target)
        if key and key not in self._start.done:
            if self._start.request.options.conflict != "error":
                return Outcome(self.object, "skipped", message="exists on the target; the clone goes into it")
            raise PgError(
                "42P04",
                f'pgclone: database "{self.name}" already exists on the target',
                hint="Choose another name, drop it, or give option conflict to clone into it: "
                '"skip" adds what is missing, "replace" and "rename" swap tables.',
            )
        reading = AsyncRawCursor(source, row_factory=namedtuple_row)
        found: list[Any] = await (await reading.execute(text_of("database_properties"), [self.name])).fetchall()
        self._properties = tuple(Statement(row.statement, f"{row.what} {self.object}", True) for row in found)
        if key:
            self.key = key
            return Outcome(self.object, "done", message="made by the job that this one goes on from")
        facts = await (await reading.execute(text_of("database"))).fetchone()
        statement = create_database(self.name, facts, target.info.server_version)
        await _whole(self._create(target, statement))
        return Outcome(self.object, "done")

    async def _create(self, target: psycopg.AsyncConnection, statement: str) -> None:
        await target.execute(statement.encode())
        self.key = await self._key(target)

    async def _key(self, target: psycopg.AsyncConnection) -> str:
        """With the oid: the database that a resumed job finds may be another of the same name.  '' without one."""
        row = await (await target.execute(OID, [self.name])).fetchone()
        return f"{self.object} ({row[0]})" if row else ""

    def completed(self, plan: Plan) -> Plan:
        """`plan` with a last step that sets comment, owner, privileges and settings, if the database was made here."""
        if not (self.key and self._properties):
            return plan
        followed = {key for step in plan.steps for key in step.after}
        last = tuple(step.key for step in plan.steps if step.key not in followed)
        step = Run(key=f"properties of {self.object}", phase="finishing", after=last, statements=self._properties)
        return msgspec.structs.replace(plan, steps=(*plan.steps, step))

    async def drop(self) -> Outcome | None:
        """Drop the database if this job made it; what there is to report.  Never raises."""
        if not self.key:
            return None
        try:
            connection = await connect_async(self._start.target, "target", self._start.job_id)
        except PgError as error:
            return Outcome(self.object, "failed", error.sqlstate, f"not dropped: {error.message}")
        try:
            # Force: backends of copiers that were just ended may still be on their way out.
            failed = await undo(connection, f"DROP DATABASE {quote_ident(self.name)} WITH (FORCE)", self.object)
        finally:
            await connection.close()
        return failed or Outcome(self.object, "failed", message="dropped again: nothing in it was complete")


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Await something that a cancel, which comes twice, does not cut short: what it made must be known."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        for _ in range(2):
            with suppress(psycopg.Error, asyncio.CancelledError):
                await asyncio.shield(task)
        raise


def create_database(name: str, facts: Any, target_version: int) -> str:
    """CREATE DATABASE with the encoding and locale in `facts`, a row of database.sql; from template0, which alone
    takes any.  PgError 0A000 if the target is too old for them.  A locale that its operating system does not know is
    the server's error."""
    provider = PROVIDERS.get(facts.provider, "libc")
    if target_version < SINCE.get(provider, 0) or (facts.icu_rules and target_version < HAS_RULES):
        raise PgError(
            "0A000",
            f'pgclone: database "{name}" cannot be made: PostgreSQL {target_version // 10000} has no such locale for '
            "databases",
            detail=f"The source's is {facts.locale} of the provider {provider}"
            f"{', with rules' if facts.icu_rules else ''}.",
            hint="Create a database there with a locale that it has, and clone into that one with pgclone_database.",
        )
    options = [
        "TEMPLATE template0",
        f"ENCODING {quote_literal(facts.encoding)}",
        f"LC_COLLATE {quote_literal(facts.lc_collate)}",
        f"LC_CTYPE {quote_literal(facts.lc_ctype)}",
    ]
    if target_version >= HAS_PROVIDERS:
        options.append(f"LOCALE_PROVIDER {provider}")
    if facts.provider in LOCALES and facts.locale:
        options.append(f"{LOCALES[facts.provider]} {quote_literal(facts.locale)}")
    if facts.icu_rules:
        options.append(f"ICU_RULES {quote_literal(facts.icu_rules)}")
    return f"CREATE DATABASE {quote_ident(name)} WITH {' '.join(options)}"
