"""pg8000, which speaks the protocol in Python: by DB-API, and by its native interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pg8000.dbapi
import pg8000.exceptions
import pg8000.native

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients.contract import Execute, Rows, SqlError, as_text, by_name, with_placeholders
from tests.harness.servers import Database


class Pg8000:
    """DB-API: simple queries without values, else the unnamed statement, parsed for each use."""

    def __init__(self, proxy: ProxyProcess, database: Database) -> None:
        self._connection = pg8000.dbapi.connect(SUPERUSER, host="127.0.0.1", port=proxy.port, database=database.name)
        self._connection.autocommit = True

    def rows(self, sql: str, *values: Any) -> Rows:
        in_order = [values[int(number) - 1] for number in re.findall(r"\$(\d+)", sql)] if values else []
        cursor = self._connection.cursor()
        with sql_errors():
            cursor.execute(with_placeholders(sql, lambda _: "%s") if values else sql, in_order)
        return [as_text(row) for row in cursor.fetchall()] if cursor.description else []

    def prepare(self, sql: str) -> Execute:
        return lambda *values: self.rows(sql, *values)

    def close(self) -> None:
        self._connection.close()


class Pg8000Native:
    """Its own interface, which has named values and prepares statements when asked to."""

    def __init__(self, proxy: ProxyProcess, database: Database) -> None:
        self._connection = pg8000.native.Connection(
            SUPERUSER, host="127.0.0.1", port=proxy.port, database=database.name
        )

    def rows(self, sql: str, *values: Any) -> Rows:
        with sql_errors():
            found = self._connection.run(_named(sql) if values else sql, **by_name(values))
        return [as_text(row) for row in found or ()]

    def prepare(self, sql: str) -> Execute:
        with sql_errors():
            statement = self._connection.prepare(_named(sql))

        def execute(*values: Any) -> Rows:
            with sql_errors():
                return [as_text(row) for row in statement.run(**by_name(values))]

        return execute

    def close(self) -> None:
        self._connection.close()


def _named(sql: str) -> str:
    return with_placeholders(sql, lambda number: f":p{number}")


@contextmanager
def sql_errors() -> Iterator[None]:
    """What pg8000 raises, as SqlError: the fields of the ErrorResponse by their letters."""
    try:
        yield
    except pg8000.exceptions.DatabaseError as error:
        fields = error.args[0]
        raise SqlError(fields["C"], fields["M"], fields.get("H", ""), fields.get("D", "")) from None
