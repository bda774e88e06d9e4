"""Plans the copying of rows: one COPY per table, or several for parts of a big one.

Pure.  Column lists are always explicit, so that the order of columns on either side does not matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from clone_engine.records.names import Name, quote_ident
from clone_engine.records.steps import Copy
from clone_engine.servers.source import Table

PART_BYTES = 32 * 1024 * 1024
"""Tables up to this size are copied whole.  Smaller parts cost more in starting COPYs than they win in balance."""
PARTS_PER_COPIER = 4
"""More parts than copiers even out parts of different weight; each is one more scan to start."""
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
    as_query: bool
    """Whether COPY TO must read a query: for a condition, or for a generated column that becomes an ordinary one."""
    parallel: int
    version: int


def copy_steps(table: Table, wish: Wish, after: tuple[str, ...]) -> Iterator[Copy]:
    """The Copy steps of one table; nothing for tables without rows of their own (partitioned, foreign)."""
    if table.relkind != "r":
        return
    ranges = _ranges(table, wish)
    columns = ", ".join(map(quote_ident, wish.columns))
    listed = f" ({columns})" if columns else ""
    for number, condition in enumerate(ranges, 1):
        one = len(ranges) == 1
        size, rows = table.bytes // len(ranges), table.rows // len(ranges)
        yield Copy(
            key=f"table {table.name}" if one else f"part {number}/{len(ranges)} of {table.name}",
            phase="copying data",
            after=after,
            weight=size,
            table=str(table.name),
            display_name=table.name.name,
            parts=len(ranges),
            copy_out=_copy_out(table, wish, columns, listed, condition),
            copy_in=f"COPY {wish.target.sql}{listed} FROM STDIN",
            # The rows that CREATE EXTENSION made stay.
            empty=f"DELETE FROM ONLY {wish.target.sql} {table.condition}"
            if table.extension
            else f"TRUNCATE ONLY {wish.target.sql}",
            estimated_rows=rows,
            estimated_bytes=size,
        )


def _copy_out(table: Table, wish: Wish, columns: str, listed: str, part: str) -> str:
    if not (wish.as_query or wish.where or part):
        return f"COPY {table.name.sql}{listed} TO STDOUT"
    # The condition stands on lines of its own, so that nothing in it can reach what follows.
    conditions = [f"(\n{c}\n)" for c in (wish.where, part) if c]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"COPY (SELECT {columns} FROM ONLY {table.name.sql} AS {quote_ident(wish.rows_of)}{where}) TO STDOUT"


def _ranges(table: Table, wish: Wish) -> list[str]:
    """One condition per part; [''] for the whole table.

    The first part has no lower and the last no upper bound: the table may have grown since its size was read, though
    not by rows that the snapshot sees.
    """

    splits = table.access_method == "heap" and wish.version >= TID_RANGE_SCAN
    if wish.parallel < 2 or table.bytes <= PART_BYTES or table.pages < 2 or not splits:
        return [""]
    parts = min(-(-table.bytes // PART_BYTES), wish.parallel * PARTS_PER_COPIER, table.pages)
    bounds = [table.pages * n // parts for n in range(1, parts)]
    edges: list[int | None] = [None, *bounds, None]
    return [_between(low, high) for low, high in itertools.pairwise(edges)]


def _between(low: int | None, high: int | None) -> str:
    conditions = []
    if low is not None:
        conditions.append(f"ctid >= '({low},0)'::pg_catalog.tid")
    if high is not None:
        conditions.append(f"ctid < '({high},0)'::pg_catalog.tid")
    return " AND ".join(conditions)
