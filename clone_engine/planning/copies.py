"""Plans the copying of rows: one COPY per table, or several for parts of a big one.

Pure.  Column lists are always explicit, so that the order of columns on either side does not matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from clone_engine.planning.formats import Ends, Format, binary
from clone_engine.records.names import Name, quote_ident
from clone_engine.records.steps import Copy, Part
from clone_engine.servers.journal import Entry
from clone_engine.servers.source import Table

PART_BYTES = 32 * 1024 * 1024
"""Tables up to this size are copied whole.  Smaller parts cost more in starting COPYs than they win in balance."""
PARTS_PER_COPIER = 4
"""More parts than copiers even out parts of different weight; each is one more scan to start."""
LARGEST_PART = 1024 * 1024 * 1024
"""So much at most is copied again when a job is interrupted in the middle of a table."""
FROZEN_BYTES = 1024 * 1024
"""A table of this size or more arrives frozen where it can, so that it is not written again by those who read it first,
as index builds do.  That takes another file for the table, which is not worth it for fewer rows."""
TID_RANGE_SCAN = 140000
"""Before PostgreSQL 14 a ctid range reads the whole table."""


class Wish(NamedTuple):
    """How a table is copied."""

    target: Name
    columns: Sequence[str]
    """() copies all that can be copied, and is the only way to copy a table without columns."""
    rows_of: str
    """The name that `where` may call the table by."""
    where: str
    narrow: bool
    """Whether some of the table's columns are left out."""
    as_query: bool
    """Whether COPY TO must read a query: for a condition, or for a generated column that becomes an ordinary one."""
    parallel: int
    ends: Ends
    kept: Sequence[Entry] = ()
    """The parts that are there already, in order."""
    fresh: bool = False
    """Whether the clone makes the table, so that it is empty and nobody else's."""
    replica: bool = False
    """Whether the table has foreign keys already."""
    format: Format = "text"
    small: bool = False
    """Whether it may be copied in one transaction with others."""


def copy_steps(table: Table, wish: Wish, after: tuple[str, ...]) -> Iterator[Copy]:
    """The Copy steps of one table; nothing for tables without rows of their own (partitioned, foreign)."""
    if table.relkind != "r":
        return
    ranges = list(_ranges(table, wish))
    chosen = bool(wish.where or table.condition)  # nobody has estimated how many rows
    columns = ", ".join(map(quote_ident, wish.columns))
    listed = f" ({columns})" if columns else ""
    one = len(ranges) == 1
    # A table must be new, or emptied, in the transaction that COPY FREEZE is in: it cannot be for several.
    # And not what a crash of the target empties: once a foreign key refers to it, it cannot be emptied again.
    heap = table.access_method == "heap" and not (table.extension or table.unlogged)
    frozen = one and wish.fresh and heap and table.bytes >= FROZEN_BYTES
    as_binary = binary(table, wish.columns, wish.format, wish.ends)
    into = f"COPY {wish.target.sql}{listed} FROM STDIN"
    for low, high in ranges:
        share = (min(high or table.pages, table.pages) - low) / table.pages if table.pages else 1
        size = round(table.bytes * share)
        condition = between(low, high)
        yield Copy(
            key=f"table {table.name}" if one else f"pages from {low} of {table.name}",
            phase="copying data",
            after=after,
            weight=size,
            table=str(table.name),
            display_name=table.name.name,
            parts=len(ranges),
            copy_out=_copy_out(table, wish, columns, listed, condition) + (" (FORMAT binary)" if as_binary else ""),
            copy_in=into + (" (FORMAT binary)" if as_binary else ""),
            frozen_in=(into + (" (FORMAT binary, FREEZE)" if as_binary else " (FREEZE)")) if frozen else "",
            # The rows that CREATE EXTENSION made stay.
            empty=f"DELETE FROM ONLY {wish.target.sql} {table.condition}"
            if table.extension
            else f"TRUNCATE ONLY {wish.target.sql}",
            count=f"SELECT pg_catalog.count(*) FROM ONLY {wish.target.sql} {table.condition}",
            estimated_rows=None if chosen or table.rows is None else round(table.rows * share),
            estimated_bytes=None if chosen or wish.narrow else size,
            part=None if one or wish.where else Part(low, high, origin(table), table.horizon),
            unlogged=table.unlogged,
            replica=wish.replica,
            binary=as_binary,
            small=wish.small and one and not frozen,
        )


def _copy_out(table: Table, wish: Wish, columns: str, listed: str, part: str) -> str:
    if not (wish.as_query or wish.where or part):
        return f"COPY {table.name.sql}{listed} TO STDOUT"
    # The condition stands on lines of its own, so that nothing in it can reach what follows.
    conditions = [f"(\n{c}\n)" for c in (wish.where, part) if c]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"COPY (SELECT {columns} FROM ONLY {table.name.sql} AS {quote_ident(wish.rows_of)}{where}) TO STDOUT"


def _ranges(table: Table, wish: Wish) -> Iterator[tuple[int, int | None]]:
    """The pages of each part: from one to before another, or to the end.

    The last part has no upper bound: the table may have grown since its size was read, though not by rows that the
    snapshot sees.
    """
    place = 0
    for one in wish.kept:
        assert one.part, "only parts are kept"
        yield from _cut(table, wish, place, one.part.low)
        yield one.part.low, one.part.high
        if one.part.high is None:
            return
        place = one.part.high
    yield from _cut(table, wish, place, None)


def _cut(table: Table, wish: Wish, low: int, high: int | None) -> Iterator[tuple[int, int | None]]:
    """Pages that are to be copied, in as many parts as it takes."""
    if low == high:
        return
    end = max(table.pages if high is None else high, low + 1)
    size = table.bytes * (end - low) // max(table.pages, 1)
    parts = _number(table, wish, size, end - low)
    bounds = [low + (end - low) * n // parts for n in range(parts)]
    yield from itertools.pairwise([*bounds, high])


def _number(table: Table, wish: Wish, size: int, pages: int) -> int:
    splits = table.access_method == "heap" and wish.ends.source >= TID_RANGE_SCAN
    if not splits or size <= PART_BYTES or pages < 2:
        return 1
    wanted = min(-(-size // PART_BYTES), wish.parallel * PARTS_PER_COPIER) if wish.parallel > 1 else 1
    return min(max(wanted, -(-size // LARGEST_PART)), pages)


def origin(table: Table) -> str:
    """What is the same as long as the table's rows stay in their places, and mean the same."""
    return f"{table.file} " + ", ".join(f"{column.name} {column.type}" for column in table.columns)


def between(low: int, high: int | None) -> str:
    """The condition for the rows of these pages; '' for all rows."""
    conditions = []
    if low:
        conditions.append(f"ctid >= '({low},0)'::pg_catalog.tid")
    if high is not None:
        conditions.append(f"ctid < '({high},0)'::pg_catalog.tid")
    return " AND ".join(conditions)
