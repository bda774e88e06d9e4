"""SQLAlchemy 2 over psycopg, pg8000 and asyncpg: its compiled text, with the casts and types of each dialect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients.contract import Execute, Rows, SqlError, as_text, by_name, with_placeholders
from tests.harness.servers import Database


def url(proxy: ProxyProcess, database: Database, driver: str) -> sa.URL:
    """Where SQLAlchemy finds the database through the proxy."""
    return sa.URL.create(f"postgresql+{driver}", SUPERUSER, None, "127.0.0.1", proxy.port, database.name)


class SqlAlchemy:
    """An Engine with one connection; `driver` is psycopg or pg8000."""

    def __init__(self, proxy: ProxyProcess, database: Database, driver: str) -> None:
        self._engine = sa.create_engine(url(proxy, database, driver), isolation_level="AUTOCOMMIT")
        self._connection = self._engine.connect()

    def rows(self, sql: str, *values: Any) -> Rows:
        with sql_errors():
            return _fetched(self._connection.execute(_text(sql, values), by_name(values)))

    def prepare(self, sql: str) -> Execute:
        return lambda *values: self.rows(sql, *values)

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


class SqlAlchemyAsync:
    """An AsyncEngine over asyncpg; it keeps its prepared statements."""

    def __init__(self, proxy: ProxyProcess, database: Database) -> None:
        self._runner = asyncio.Runner()
        self._engine: AsyncEngine = create_async_engine(
            url(proxy, database, "asyncpg"), isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0
        )

    def rows(self, sql: str, *values: Any) -> Rows:
        return self._runner.run(self._rows(sql, values))

    def prepare(self, sql: str) -> Execute:
        return lambda *values: self.rows(sql, *values)

    def close(self) -> None:
        self._runner.run(self._engine.dispose())
        self._runner.close()

    async def _rows(self, sql: str, values: tuple[Any, ...]) -> Rows:
        with sql_errors():
            async with self._engine.connect() as connection:
                return _fetched(await connection.execute(_text(sql, values), by_name(values)))


def _text(sql: str, values: tuple[Any, ...]) -> sa.TextClause:
    # The parentheses are for casts: `:p1::int` is no parameter there.
    escaped = re.sub(r"(?<!:):(?=\w)", r"\\:", sql)
    return sa.text(with_placeholders(escaped, lambda number: f"(:p{number})") if values else escaped)


def _fetched(result: sa.CursorResult[Any]) -> Rows:
    return [as_text(row) for row in result] if result.returns_rows else []


@contextmanager
def sql_errors() -> Iterator[None]:
    """What SQLAlchemy raises, as SqlError: the fields are where the driver keeps them."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _sql_error(error.orig) from None


def _sql_error(error: Any) -> SqlError:
    cause = error.__cause__ or error  # asyncpg's own, behind the DB-API's
    if hasattr(cause, "diag"):
        said = cause.diag
        fields = (cause.sqlstate, said.message_primary, said.message_hint, said.message_detail)
    elif hasattr(cause, "sqlstate"):
        fields = (cause.sqlstate, cause.message, cause.hint, cause.detail)
    else:
        fields = tuple(error.args[0].get(letter) for letter in "CMHD")
    return SqlError(*(field or "" for field in fields))
