"""The three clients that every statement of the product is tried with: psql, psycopg 3 and asyncpg.

Each gives rows as text, so that one test reads the same for all of them, and each uses the protocol in its own way:
psql simple queries, psycopg simple or prepared statements, asyncpg Parse, Describe and binary results.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Protocol

import asyncpg
import psycopg

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.servers import Database

Rows = list[tuple[str | None, ...]]


class SqlError(Exception):
    """The server's error as a client got it."""

    def __init__(self, sqlstate: str, message: str, hint: str, detail: str) -> None:
        super().__init__(f"{sqlstate} {message}")
        self.detail = detail
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint


class SqlClient(Protocol):
    """One connection through the proxy."""

    def rows(self, sql: str, *values: Any) -> Rows:
        """The rows of one statement as text; `values` for its $1, $2….  SqlError if the server refuses it."""

    def close(self) -> None:
        """Disconnect."""


class Psql:
    """The psql of the newest installation, one process a statement; values are written into the text."""

    def __init__(self, proxy: ProxyProcess, database: Database, user: str = SUPERUSER) -> None:
        self._database = database
        self._conninfo = proxy.conninfo(database.name, user=user)

    def rows(self, sql: str, *values: Any) -> Rows:
        for number, value in reversed(list(enumerate(values, 1))):
            sql = sql.replace(f"${number}", _literal(value))
        verbose = "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n"
        done = self._database.program(
            "psql",
            "-XAtq",
            "-F",
            "\x1f",
            "-R",
            "\x1e",
            "-P",
            "null=\\N",
            "-d",
            self._conninfo,
            stdin=f"{verbose}{sql};",
        )
        if "ERROR:" in done.stderr:
            raise _psql_error(done.stderr)
        assert done.returncode == 0, done.stderr
        text = done.stdout.removesuffix("\n").removesuffix("\x1e")
        return [tuple(None if c == "\\N" else c for c in r.split("\x1f")) for r in text.split("\x1e")] if text else []

    def close(self) -> None:
        pass


def _literal(value: Any) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


_FIELD = re.compile(r"^(?:psql:\S* )?(ERROR|DETAIL|HINT):  (.*?)\s*(?=^(?:psql:|[A-Z]+(?: \d+)?:)|\Z)", re.M | re.S)


def _psql_error(stderr: str) -> SqlError:
    """The first error in what psql says; its fields may have several lines."""
    fields: dict[str, str] = {}
    for name, text in _FIELD.findall(stderr):
        fields.setdefault(name, text)
    sqlstate, _, message = fields["ERROR"].partition(": ")
    return SqlError(sqlstate, message, fields.get("HINT", ""), fields.get("DETAIL", ""))


class Psycopg:
    """psycopg 3; statements without values go by simple query unless `prepare`."""

    def __init__(self, proxy: ProxyProcess, database: Database, user: str = SUPERUSER, prepare: bool = False) -> None:
        self._connection = psycopg.connect(
            proxy.conninfo(database.name, user=user), autocommit=True, cursor_factory=psycopg.RawCursor
        )
        self._prepare = prepare

    def rows(self, sql: str, *values: Any) -> Rows:
        try:
            cursor = self._connection.execute(sql.encode(), values or None, prepare=self._prepare or None)
            found = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            said = error.diag
            message = said.message_primary or str(error)
            raise SqlError(error.sqlstate or "", message, said.message_hint or "", said.message_detail or "") from None
        return [tuple(None if c is None else str(c) for c in row) for row in found]

    def close(self) -> None:
        self._connection.close()


class Asyncpg:
    """asyncpg: always prepared, always binary."""

    def __init__(self, proxy: ProxyProcess, database: Database, user: str = SUPERUSER) -> None:
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[Any] = self._runner.run(
            asyncpg.connect(host="127.0.0.1", port=proxy.port, user=user, database=database.name)
        )

    def rows(self, sql: str, *values: Any) -> Rows:
        try:
            found = self._runner.run(self._connection.fetch(sql, *values))
        except asyncpg.PostgresError as error:
            hint, detail = (getattr(error, field, None) or "" for field in ("hint", "detail"))
            raise SqlError(error.sqlstate or "", error.message, hint, detail) from None
        return [tuple(None if c is None else str(c) for c in row) for row in found]

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


def _prepared(proxy: ProxyProcess, database: Database) -> Psycopg:
    return Psycopg(proxy, database, prepare=True)


CLIENTS: dict[str, Callable[[ProxyProcess, Database], SqlClient]] = {
    "psql": Psql,
    "psycopg": Psycopg,
    "psycopg prepared": _prepared,
    "asyncpg": Asyncpg,
}
