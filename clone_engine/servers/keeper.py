"""The connection to the source that keeps the snapshot of a job, and the locks that keep its tables as they are.

All copiers and pg_dump import the snapshot; it is there as long as this connection is.
"""

from __future__ import annotations

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import BEGIN_READING, closed_on_error, connect_async
from clone_engine.servers.server_error import as_pg_errors

# The names are resolved within the snapshot, so a table that was replaced since has another oid than its lock.
TABLES = """
SELECT c.oid, pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname || '.' || c.relname = ANY (%s) AND c.relkind IN ('r', 'p') ORDER BY c.oid"""

# pg_class is read by the snapshot, pg_relation_filenode() shows what is now: they differ after TRUNCATE, DROP or a
# rewrite, behind which a snapshot sees an empty table (chapter 13.6, "Caveats").
CHANGED = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%s) AND c.relkind = 'r' AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)"""


class Keeper:
    """Opened once per job, before anything is read from the source, and closed behind everything."""

    def __init__(self, connection: psycopg.AsyncConnection, snapshot: str) -> None:
        self.connection = connection
        self.snapshot = snapshot
        """The name to import; '' if the job does without."""

    @classmethod
    async def open(cls, source: Conninfo, job_id: int, consistent: bool) -> Keeper:
        """Connect, and export a snapshot if `consistent`.  PgError if the source refuses."""
        connection = await connect_async(source, "source", job_id)
        if not consistent:
            return cls(connection, "")
        async with closed_on_error(connection):
            cursor = await connection.execute(f"{BEGIN_READING}; SELECT pg_catalog.pg_export_snapshot()".encode())
            cursor.nextset()  # behind that of BEGIN
            ((snapshot,),) = await cursor.fetchall()
        return cls(connection, snapshot)

    async def pin(self, tables: tuple[str, ...]) -> None:
        """Lock tables (`schema.name`) against DDL and TRUNCATE until the job ends.

        PgError 55000 if one was changed after the snapshot in a way that the snapshot does not show.
        """
        if not (self.snapshot and tables):
            return
        with as_pg_errors():
            found = await (await self.connection.execute(TABLES, (list(tables),))).fetchall()
            if not found:
                return
            names = ", ".join(f"ONLY {name}" for _, name in found)
            await self.connection.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE".encode())
            changed = await (await self.connection.execute(CHANGED, ([oid for oid, _ in found],))).fetchall()
        if changed:
            raise PgError(
                "55000",
                f"pgclone: table {changed[0][0]} was truncated or rewritten on the source while the clone began",
                hint="Start the clone again: the rows of its snapshot can no longer be read.",
            )
