"""What a client is to the tests: statements with $1, $2… in, rows as text out, the server's errors as SqlError.

How each client really asks is the business of the other files here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

Rows = list[tuple[str | None, ...]]
Execute = Callable[..., Rows]
"""Executes what was prepared with values for its $1, $2…; gives and raises what SqlClient.rows does."""


class SqlError(Exception):
    """The server's error as a client got it."""

    def __init__(self, sqlstate: str, message: str, hint: str, detail: str) -> None:
        super().__init__(f"{sqlstate} {message}")
        self.detail = detail
        self.sqlstate = sqlstate
        self.message = message
        self.hint = hint


class SqlClient(Protocol):
    """One connection through the proxy; each statement is a transaction unless the test begins one."""

    def rows(self, sql: str, *values: Any) -> Rows:
        """The rows of one statement as text; `values` for its $1, $2….  SqlError if the server refuses it."""

    def prepare(self, sql: str) -> Execute:
        """The statement to be executed many times, prepared once if this client can do so."""

    def close(self) -> None:
        """Disconnect."""


def as_text(row: Any) -> tuple[str | None, ...]:
    """A row of a client's own kind, its values as text."""
    return tuple(None if value is None else str(value) for value in row)


def with_placeholders(sql: str, placeholder: Callable[[str], str]) -> str:
    """`sql` with placeholder("1") in place of $1, and so on."""
    return re.sub(r"\$(\d+)", lambda found: placeholder(found[1]), sql)


def by_name(values: tuple[Any, ...]) -> dict[str, Any]:
    """The values of $1, $2… for clients that name them: p1, p2…."""
    return {f"p{number}": value for number, value in enumerate(values, 1)}
