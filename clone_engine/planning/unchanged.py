"""Which parts of a table that an earlier job has copied are still the same rows on the source's new snapshot.

A row version never moves or changes its xmin while the table keeps its file.  So if all rows that a range of pages has
now come from transactions that had ended before the earlier snapshot was taken, they are among those that were copied;
and if they are as many, they are the same.  Counting proves it, without moving a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.types.numeric import Int8

from clone_engine.planning.copies import between, origin
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest
from clone_engine.servers.journal import Entry, parts_among
from clone_engine.servers.server_error import from_psycopg
from clone_engine.servers.source import Source, Table

XIDS = 1 << 32
# xmin is the last 32 bits of a transaction id; 1 and 2 stand for rows that are older than all.
UNCHANGED = """
SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE x < 3 OR ($1 - x + $2) % $2 BETWEEN 1 AND $2 / 2 - 1)
FROM (SELECT xmin::pg_catalog.text::pg_catalog.int8 AS x FROM ONLY {table} WHERE {condition}) rows"""


def unchanged(
    source: psycopg.Connection[Any], facts: Source, done: Iterable[str], request: CloneRequest
) -> dict[Name, tuple[Entry, ...]]:
    """The parts among `done` that need not be copied again, by table, in order.

    All parts of a table or none: rows of a part that has changed cannot be told from others on the target.
    PgError in the server's words if the table cannot be read.
    """
    if not request.options.consistent:
        return {}
    by_table: defaultdict[str, list[Entry]] = defaultdict(list)
    for one in parts_among(done):
        by_table[one.table].append(one)
    tables: Mapping[str, Table] = {str(name): table for name, table in facts.tables.items()}
    return {
        tables[name].name: tuple(sorted(found, key=_low))
        for name, found in by_table.items()
        if name in tables and all(_is_unchanged(source, tables[name], one) for one in found)
    }


def _low(one: Entry) -> int:
    return one.part.low if one.part else 0


def _is_unchanged(source: psycopg.Connection[Any], table: Table, one: Entry) -> bool:
    part = one.part
    if part is None or part.origin != origin(table):
        return False
    query = UNCHANGED.format(table=table.name.sql, condition=between(part.low, part.high) or "true")
    try:
        row = RawCursor(source).execute(query.encode(), [Int8(part.horizon % XIDS), Int8(XIDS)]).fetchone()
    except psycopg.Error as error:
        raise from_psycopg(error) from error
    return row == (one.rows, one.rows)
