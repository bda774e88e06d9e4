"""psycopg 3: with values in the message or in the text, prepared, binary, in pipelines, by server cursors, async."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients.contract import Execute, Rows, SqlError, as_text, by_name, with_placeholders
from tests.harness.servers import Database

Connection = psycopg.Connection[tuple[Any, ...]]


class Psycopg:
    """Statements without values go by simple query unless `prepare`; by itself it prepares after five uses."""

    def __init__(
        self,
        proxy: ProxyProcess,
        database: Database,
        user: str = SUPERUSER,
        *,
        prepare: bool = False,
        binary: bool = False,
        **more: Any,
    ) -> None:
        self.connection: Connection = psycopg.connect(
            proxy.conninfo(database.name, user=user, **more), autocommit=True, cursor_factory=psycopg.RawCursor
        )
        self._how: dict[str, Any] = {"prepare": prepare or None, "binary": binary}

    def rows(self, sql: str, *values: Any) -> Rows:
        with sql_errors():
            return _fetched(self.connection.execute(sql.encode(), values or None, **self._how))

    def prepare(self, sql: str) -> Execute:
        return lambda *values: self.rows(sql, *values)

    def close(self) -> None:
        self.connection.close()


class PsycopgClientCursor(Psycopg):
    """Values are written into the text: always simple queries."""

    def rows(self, sql: str, *values: Any) -> Rows:
        named = with_placeholders(sql.replace("%", "%%"), lambda number: f"%(p{number})s") if values else sql
        with sql_errors(), psycopg.ClientCursor(self.connection) as cursor:
            return _fetched(cursor.execute(named.encode(), by_name(values) or None))


class PsycopgServerCursor(Psycopg):
    """Queries are DECLAREd, with values in the message, and fetched two rows at a time; other statements go as ever."""

    def rows(self, sql: str, *values: Any) -> Rows:
        if not sql.startswith(("SELECT", "WITH")):
            return super().rows(sql, *values)
        cursor = psycopg.RawServerCursor(self.connection, "of a test")
        with sql_errors(), self.connection.transaction(), cursor:
            cursor.itersize = 2
            return [as_text(row) for row in cursor.execute(sql.encode(), values or None)]


class PsycopgPipeline(Psycopg):
    """Each statement in a pipeline with one of the server's own before and behind it."""

    def rows(self, sql: str, *values: Any) -> Rows:
        with sql_errors(), self.connection.pipeline() as pipeline:
            before = self.connection.execute("SELECT 1")
            ours = self.connection.execute(sql.encode(), values or None)
            behind = self.connection.execute("SELECT 2")
            pipeline.sync()
            found = _fetched(ours)
            assert (before.fetchall(), behind.fetchall()) == ([(1,)], [(2,)])
            return found


class PsycopgAsync:
    """AsyncConnection, prepared after five uses."""

    def __init__(self, proxy: ProxyProcess, database: Database) -> None:
        self._runner = asyncio.Runner()
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] = self._runner.run(
            psycopg.AsyncConnection.connect(
                proxy.conninfo(database.name), autocommit=True, cursor_factory=psycopg.AsyncRawCursor
            )
        )

    def rows(self, sql: str, *values: Any) -> Rows:
        return self._runner.run(self._rows(sql, values))

    def prepare(self, sql: str) -> Execute:
        return lambda *values: self.rows(sql, *values)

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()

    async def _rows(self, sql: str, values: tuple[Any, ...]) -> Rows:
        with sql_errors():
            cursor = await self._connection.execute(sql.encode(), values or None)
            return [as_text(row) for row in await cursor.fetchall()] if cursor.description else []


@contextmanager
def sql_errors() -> Iterator[None]:
    """What psycopg raises, as SqlError."""
    try:
        yield
    except psycopg.Error as error:
        said = error.diag
        message = said.message_primary or str(error)
        raise SqlError(error.sqlstate or "", message, said.message_hint or "", said.message_detail or "") from None


def _fetched(cursor: psycopg.Cursor[tuple[Any, ...]]) -> Rows:
    return [as_text(row) for row in cursor.fetchall()] if cursor.description else []
