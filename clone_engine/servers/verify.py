"""Whether the tables of a source have as many rows on the target: exact counts, from one snapshot on each side.

Beside the jobs, and it changes nothing.  Whose rights it has, and how the answer is shown, is the proxy's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncRawCursor

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import Side, connect_async
from clone_engine.servers.queries import text_of
from clone_engine.servers.server_error import as_pg_errors

EQUAL, DIFFERENT, MISSING = "✓", "✗", "✗ (missing)"
"""What scripts that were written for the original compare `match` with."""

SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
NO_JOB: Final = 0
APPLICATION = {"fallback_application_name": "pgclone: verify"}


class Verified(NamedTuple):
    """One table of the source; `target_rows` is 0 if the target has no such table."""

    schema_name: str
    table_name: str
    source_rows: int
    target_rows: int
    match: str


async def verify(source: Conninfo, target: Conninfo, schema: str | None) -> list[Verified]:
    """The tables of the source's `schema`, or of all schemas but the system's, in order of their names.

    What only the target has is not listed.  PgError as connecting raises it, 3F000 without the schema on the source, or
    what either server says.  When it is cancelled, it ends what the servers are doing.
    """
    async with _snapshot(source, "source") as on_source, _snapshot(target, "target") as on_target:
        wanted = await on_source.tables(schema)
        if schema is not None and not wanted:
            await on_source.check_schema(schema)
        there = {name: kind for name, kind in (await on_target.tables(schema)).items() if name in wanted}
        source_rows, target_rows = await _both_counts((on_source, wanted), (on_target, there))
    return [_verified(name, source_rows[name], target_rows.get(name)) for name in wanted]


def _verified(name: Name, source_rows: int, target_rows: int | None) -> Verified:
    match = MISSING if target_rows is None else EQUAL if source_rows == target_rows else DIFFERENT
    return Verified(name.schema, name.name, source_rows, target_rows or 0, match)


class _Snapshot:
    """A transaction on one side."""

    def __init__(self, connection: psycopg.AsyncConnection, side: Side) -> None:
        self._connection = connection
        self._side = side

    async def tables(self, schema: str | None) -> dict[Name, str]:
        """The relkind of each table, in order of the names."""
        return {
            Name(schema, name): kind for schema, name, kind in await self._rows(text_of("tables_to_count"), [schema])
        }

    async def check_schema(self, schema: str) -> None:
        """PgError 3F000 if there is no such schema."""
        if not await self._rows("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema]):
            raise PgError(
                "3F000",
                f'pgclone: schema "{schema}" does not exist on the {self._side}',
                hint="Names are case-sensitive here: give them as the catalogue holds them, without double quotes.",
            )

    async def counts(self, tables: Mapping[Name, str]) -> dict[Name, int]:
        """The number of rows of each table: of a partitioned one all, of another one its own and no child's."""
        return {name: await self._count(name, "" if kind == "p" else "ONLY ") for name, kind in tables.items()}

    async def _count(self, name: Name, only: str) -> int:
        try:
            ((count,),) = await self._rows(f"SELECT pg_catalog.count(*) FROM {only}{name.sql}")
        except PgError as error:
            what = f"The rows of {name} were being counted on the {self._side}."
            raise PgError(error.sqlstate, error.message, detail=error.detail or what, hint=error.hint) from None
        return int(count)

    async def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with as_pg_errors():
            async with AsyncRawCursor(self._connection) as cursor:
                return await (await cursor.execute(query.encode(), parameters)).fetchall()


@asynccontextmanager
async def _snapshot(conninfo: Conninfo, side: Side) -> AsyncIterator[_Snapshot]:
    named = conninfo.with_parameters(APPLICATION | conninfo.parameters)
    connection = await connect_async(named, side, NO_JOB)
    try:
        with as_pg_errors():
            await connection.execute(SNAPSHOT)
            yield _Snapshot(connection, side)
    finally:
        await connection.close()


async def _both_counts(*sides: tuple[_Snapshot, Mapping[Name, str]]) -> list[dict[Name, int]]:
    """The counts of both sides at once; where one fails the other is ended."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(side.counts(tables)) for side, tables in sides]
    except* PgError as failed:
        first = failed.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise first
