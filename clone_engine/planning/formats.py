"""In which format the rows of a table are copied: text, or binary where that is safe.

Binary rows take the servers less work where values are large: bytes are not written as digits, and nothing has to be
looked for in text.  Narrow rows only become longer.  Pure.

Bytes are not checked as text is: a four-byte number is taken for any other four bytes.  So both sides must have the
very types that were read on the source.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from clone_engine.servers.source import Column, Table

Format = Literal["auto", "text", "binary"]
WIDE = 128
"""Bytes of a row from which on binary is the faster: narrow ones are mostly numbers."""
# fmt: off
STABLE = frozenset({
    16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 600, 601, 602, 603, 604, 628, 650, 700, 701, 718, 774, 829, 869, 1042,
    1043, 1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2950, 3220, 3802,
    199, 651, 1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1041, 1115, 1182, 1183,
    1185, 1187, 1231, 2951, 3807,
})
# fmt: on
"""Types of pg_catalog by oid, whose values travel alike between all versions from 14 on, and their arrays:
bool bytea "char" name int8 int2 int4 text oid json, the geometric ones, cidr float4 float8 macaddr8 macaddr inet
bpchar varchar date time timestamp timestamptz interval timetz bit varbit numeric uuid pg_lsn jsonb.
Of interval that is true but for the infinite ones, which are new in INFINITE_INTERVALS."""
INTERVALS = frozenset({1186, 1187})
INFINITE_INTERVALS = 170000


class Ends(NamedTuple):
    """What binary format depends on beside the table."""

    source: int
    """Version of the server, as server_version_num."""
    target: int
    same_types: bool = True
    """Whether the target's columns are those that were read on the source: not where the definitions are older than
    that, or the source's tables may have changed since."""
    same_enums: bool = True
    """Whether that is known of enums too, which the target may have had before."""


def binary(table: Table, columns: Iterable[str], wanted: Format, ends: Ends) -> bool:
    """Whether these columns of the table are copied in binary format.

    Not those of a table that an extension has made: the target's version of it may be another.
    """
    if wanted == "text" or not ends.same_types or table.extension or not _are_stable(table, frozenset(columns), ends):
        return False
    return wanted == "binary" or bool(table.rows and table.bytes >= WIDE * table.rows)


def _are_stable(table: Table, columns: frozenset[str], ends: Ends) -> bool:
    copied = [column for column in table.columns if column.name in columns]
    lost = INTERVALS if ends.target < INFINITE_INTERVALS <= ends.source else frozenset()
    return bool(copied) and all(ends.same_enums if column.enum else _oid(column) in STABLE - lost for column in copied)


def _oid(column: Column) -> int:
    """The type's, which Column.type has second."""
    _, oid, _ = column.type.split()
    return int(oid)
