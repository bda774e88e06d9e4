"""Whether the target still has the rows that earlier jobs have copied, before a resumed job leaves them out.

Since those jobs ended anybody may have emptied a table, dropped it or written to it, and a crash of the server empties
unlogged ones.  Counting tells, in the words of the plan's own steps; what the source has is `unchanged.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.steps import Copy, Plan
from clone_engine.servers.journal import Entry, counts_among
from clone_engine.servers.server_error import from_psycopg

GONE = frozenset({"42P01", "3F000"})
"""What is said of a table that does not exist."""


def check_complete(target: psycopg.Connection[Any], plan: Plan, done: Iterable[str]) -> None:
    """PgError 55000 if a table that is complete by `done` has another number of rows now, or does not exist.

    It is not copied again: what has become of its rows is not ours to undo, and triggers may stand on it already.
    PgError in the server's words if it cannot be counted.
    """
    queries = _queries(plan)
    for table, copied in counts_among(done).items():
        found = _count(target, queries[table]) if table in queries else copied
        if found != copied:
            raise _changed(table, copied, found)


def still_there(
    target: psycopg.Connection[Any], plan: Plan, kept: Mapping[Name, Sequence[Entry]]
) -> dict[Name, Sequence[Entry]]:
    """Those of the `kept` parts of incomplete tables that are there: of a table with another number of rows none.

    PgError in the server's words if a table cannot be counted.
    """
    queries = _queries(plan)
    return {
        name: parts
        for name, parts in kept.items()
        if _count(target, queries[str(name)]) == sum(one.rows for one in parts)
    }


def _queries(plan: Plan) -> dict[str, str]:
    return {step.table: step.count for step in plan.steps if isinstance(step, Copy)}


def _count(target: psycopg.Connection[Any], query: str) -> int | None:
    """None if there is no such table."""
    try:
        row = target.execute(query.encode()).fetchone()
    except psycopg.Error as error:
        if error.sqlstate in GONE:
            return None
        raise from_psycopg(error) from error
    return int(row[0]) if row else None


def _changed(table: str, copied: int, found: int | None) -> PgError:
    what = "is not there any more" if found is None else f"has {found} rows now"
    return PgError(
        "55000",
        f"pgclone: table {table} {what}; the job that this one goes on from copied {copied} into it",
        detail="A complete table is not copied again, so the clone would lack rows or have others.",
        hint='Put the rows back and resume again, or start the clone anew, with {"conflict": "replace"} for all of it.',
    )
