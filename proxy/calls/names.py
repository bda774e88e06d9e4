"""Which names are ours: both spellings of every function, and of the view.

Compares the names as the parser folded them.  Finding names in a statement is `occurrences.py`; whether a relation or
function of the user's own bears one of them only the server knows, so that is asked elsewhere.
"""

from __future__ import annotations

from itertools import groupby
from typing import Literal, NamedTuple

from proxy.calls.signatures import FUNCTIONS, VIEW, Signature

PREFIX = "pgclone_"
SCHEMA = "pgclone"
EXTENSION = "pgclone"
FLAT_SCHEMAS = frozenset({None, "public"})
"""The schemas in which the flat spelling, pgclone_NAME, is ours; None is a name without a schema."""


_BY_NAME = {name: tuple(same) for name, same in groupby(FUNCTIONS, key=lambda signature: signature.name)}


class Reference(NamedTuple):
    """One name of ours as it is spelled in a statement, folded."""

    kind: Literal["function", "view", "extension"]
    schema: str | None
    name: str
    database: str | None = None
    """The database before the schema, which only the current one can be."""

    def __str__(self) -> str:
        return ".".join(part for part in (self.database, self.schema, self.name) if part)


def functions(schema: str | None, name: str) -> tuple[Signature, ...]:
    """The functions that this spelling can mean; which of them, the arguments of a call tell."""
    return _BY_NAME.get(_short(schema, name), ())


def is_view(schema: str | None, name: str) -> bool:
    """Whether this spelling means the view."""
    return _short(schema, name) == VIEW


def quoted(name: str) -> str:
    """The name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def _short(schema: str | None, name: str) -> str:
    if schema == SCHEMA:
        return name
    return name.removeprefix(PREFIX) if schema in FLAT_SCHEMAS and name.startswith(PREFIX) else ""
