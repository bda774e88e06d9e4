"""asyncpg: always prepared, always binary; with its statement cache or without, and by portals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients.contract import Execute, Rows, SqlError, as_text
from tests.harness.servers import Database

T = TypeVar("T")


class Asyncpg:
    """Connection.fetch; `more` goes to asyncpg.connect."""

    def __init__(self, proxy: ProxyProcess, database: Database, user: str = SUPERUSER, **more: Any) -> None:
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[Any] = self._runner.run(
            asyncpg.connect(host="127.0.0.1", port=proxy.port, user=user, database=database.name, **more)
        )

    def rows(self, sql: str, *values: Any) -> Rows:
        return self._run(self._fetch(sql, values))

    def prepare(self, sql: str) -> Execute:
        statement = self._run(self._connection.prepare(sql))

        async def fetch(values: tuple[Any, ...]) -> Rows:
            return [as_text(row) for row in await statement.fetch(*values)]

        return lambda *values: self._run(fetch(values))

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()

    async def _fetch(self, sql: str, values: tuple[Any, ...]) -> Rows:
        return [as_text(row) for row in await self._connection.fetch(sql, *values)]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except asyncpg.PostgresError as error:
            hint, detail = (getattr(error, field, None) or "" for field in ("hint", "detail"))
            raise SqlError(error.sqlstate or "", error.message, hint, detail) from None


class AsyncpgCursor(Asyncpg):
    """Connection.cursor: a portal in a transaction, two rows at a time."""

    async def _fetch(self, sql: str, values: tuple[Any, ...]) -> Rows:
        async with self._connection.transaction():
            return [as_text(row) async for row in self._connection.cursor(sql, *values, prefetch=2)]
