"""Names of database objects: quoting them, showing them, fitting them into PostgreSQL's 63 bytes.

Pure.  A name is data: it may hold quotes, newlines, percent signs and braces, and is always quoted when it becomes
SQL text.  Finding names in parsed statements is `retarget.py`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from typing import NamedTuple

MAX_BYTES = 63
"""NAMEDATALEN - 1: the server cuts longer names, and two names cut at the same byte would collide."""

LONGEST_REST = 40
"""Bytes behind a table's name that are kept when the whole is too long; the name itself needs some room too."""

_PIECE = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')


class Name(NamedTuple):
    """A relation, type or routine by schema and name, both as the catalogue holds them (unquoted)."""

    schema: str
    name: str

    def __str__(self) -> str:
        """`schema.name` unquoted, for people and for keys; not for SQL."""
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        """The quoted name, for SQL text."""
        return f"{quote_ident(self.schema)}.{quote_ident(self.name)}"


def quote_ident(name: str) -> str:
    """`name` as a quoted identifier; always quoted, so that no list of reserved words is needed."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quote_literal(text: str) -> str:
    """`text` as a string literal that means the same whatever standard_conforming_strings says."""
    escaped = text.replace("'", "''")
    if "\\" in escaped:
        return " E'" + escaped.replace("\\", "\\\\") + "'"
    return f"'{escaped}'"


def split_qualified(text: str) -> tuple[str, ...]:
    """The parts of a dotted name as regclass would read it, unquoted: 'odd."a.b"' gives ('odd', 'a.b').

    Unquoted parts are taken as they are: the server writes them in lower case already.
    """
    return tuple(m[2] if m[1] is None else m[1].replace('""', '"') for m in _PIECE.finditer(text))


def fit(name: str, suffix: str = "") -> str:
    """`name` + `suffix`, with `name` cut at a character so that both fit into 63 bytes."""
    room = MAX_BYTES - len(suffix.encode())
    return name.encode()[:room].decode(errors="ignore") + suffix


def old_name(name: str, taken: Container[str]) -> str:
    """The name that an object moved out of the way gets: name_old, or the first free of name_old2, name_old3, …"""
    number = 1
    while (candidate := fit(name, "_old" if number == 1 else f"_old{number}")) in taken:
        number += 1
    return candidate


def renamed_after(name: str, table: str, new_table: str) -> str:
    """What an index, constraint or sequence of `table` is called when the table becomes `new_table`.

    A name that begins with the table's gets the new one in its place; any other gets the new one in front, so that
    both tables can live in one schema.  The result depends on nothing else: a resumed job finds the same names.
    """
    if new_table == table:
        return name
    rest = name[len(table) :] if name.startswith(table) else f"_{name}"
    whole = new_table + rest
    if len(whole.encode()) <= MAX_BYTES:
        return whole
    # The end tells _pkey from _v_idx, so it is the beginning that gives way; what is cut off still tells names apart.
    if len(rest.encode()) > LONGEST_REST:
        digest = hashlib.sha256(rest.encode()).hexdigest()[:8]
        rest = f"_{digest}_" + rest.encode()[10 - LONGEST_REST :].decode(errors="ignore")
    return fit(new_table, rest)
