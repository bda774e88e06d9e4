"""Finds which tables the options tables and exclude_tables choose, and which condition of `where` each of them has.

The source's server matches the names, so that a regular expression means what it means in SQL.  What becomes of objects
that need a table that is left out is `narrowing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest
from clone_engine.servers.queries import rows

INVALID_REGEX = "2201B"


class Chosen(NamedTuple):
    """What options leave out."""

    left_out: Mapping[Name, str]
    """Tables that are not cloned, each with why."""
    lacking: frozenset[Name]
    """Partitioned tables that are cloned without some of their partitions."""
    notes: tuple[tuple[str, str], ...]
    """Of options that do nothing: (option, why)."""


def choose(connection: psycopg.Connection[Any], parents: Mapping[Name, Name | None], request: CloneRequest) -> Chosen:
    """What the options of `request` leave out of the tables in `parents` (each with what it is a partition of).

    An expression that matches a partitioned table matches its partitions too.  PgError 22023 for what is no regular
    expression, and for one of `tables` that matches nothing.
    """
    names = {shown(name, request): name for name in parents}
    notes = []
    matched: dict[str, set[Name]] = {"tables": set(), "exclude_tables": set()}
    for option, patterns in (("tables", request.options.tables), ("exclude_tables", request.options.exclude_tables)):
        for pattern in patterns:
            found = {names[text] for text in _matching(connection, option, pattern, list(names))}
            matched[option] |= found
            if not found and option == "tables":
                raise _matches_nothing(pattern)
            if not found:
                notes.append((f"option {option}", f'no table of the source matches "{pattern}"'))
    left_out = {}
    for name in parents:
        lineage = set(_lineage(name, parents))
        if not lineage.isdisjoint(matched["exclude_tables"]):
            left_out[name] = "is left out by option exclude_tables"
        elif request.options.tables and lineage.isdisjoint(matched["tables"]):
            left_out[name] = "is not among the tables of option tables"
    lacking = {table for name in left_out for table in _lineage(name, parents)} - left_out.keys()
    return Chosen(left_out, frozenset(lacking), tuple(notes))


def shown(name: Name, request: CloneRequest) -> str:
    """A table as the options of `request` name it."""
    return str(name) if request.whole_database else name.name


def check_conditions(copied: Iterable[Name], request: CloneRequest) -> None:
    """PgError 22023 if option where names anything but one of the tables that rows are copied of."""
    known = {shown(name, request) for name in copied}
    for text in request.options.conditions:
        if text not in known:
            form = "schema.table, " if request.whole_database else ""
            raise PgError(
                "22023",
                f'pgclone: option "where" names "{text}", which is no table of this clone that rows are copied of',
                hint=f"Give names ({form}case-sensitive, without double quotes) as the source's catalogue holds them.",
            )


def condition_of(name: Name, parents: Mapping[Name, Name | None], request: CloneRequest) -> tuple[Name, str] | None:
    """The condition for the rows of a table with the table that it names: its own, or that of the nearest table
    that it is a partition of; None without one."""
    for table in _lineage(name, parents):
        if condition := request.options.conditions.get(shown(table, request)):
            return table, condition
    return None


def _lineage(name: Name, parents: Mapping[Name, Name | None]) -> Iterator[Name]:
    """A table, the one that it is a partition of, and so on."""
    table: Name | None = name
    while table:
        yield table
        table = parents.get(table)


def _matching(connection: psycopg.Connection[Any], option: str, pattern: str, names: list[str]) -> list[str]:
    try:
        return [row.name for row in rows(connection, "matches", [names, pattern])]
    except PgError as error:
        if error.sqlstate != INVALID_REGEX:
            raise
        raise PgError(
            "22023",
            f'pgclone: option "{option}" holds "{pattern}", which is not a regular expression',
            detail=error.message,
            hint="It is matched as ^(?:…)$ by the source, in PostgreSQL's syntax; write a plain name for one table.",
        ) from None


def _matches_nothing(pattern: str) -> PgError:
    return PgError(
        "22023",
        f'pgclone: option "tables" holds "{pattern}", which matches no table of the source',
        hint="It must match the whole name, case-sensitive; in a clone of a database the name is schema.table.",
    )
