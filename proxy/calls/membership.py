"""Asks the target server whose rights the session's role has beside its own.

USAGE is asked for, which is what pg_cancel_backend and the ownership of tables go by: rights that the role has without
SET ROLE.  In PostgreSQL a member that does not inherit controls nothing of the other role's until it becomes that role;
so it is here, where only SESSION_USER counts, whom the server has let in.  Pure: the query's text, and what it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SUPERUSER = 0
"""In place of the position of a role: the session's own is a superuser."""


ANY_BYTES, NO_CODEC = "ascii", "latin-1"
"""What `wire.encodings` has for SQL_ASCII, and for encodings that Python does not know; for LATIN1 it has iso8859-1."""


class Rights(NamedTuple):
    """What the server says of a role."""

    superuser: bool = False
    roles: frozenset[str] = frozenset()
    """Those of the roles asked about whose rights it has."""


NONE = Rights()


def rights_column(roles: Sequence[str], codec: str) -> str:
    """An expression that tells the rights; `codec` is Python's for the encoding of the session's database."""
    # What is not valid in the database's encoding cannot be written there, and would fail the whole query.
    named = [(position, role) for position, role in enumerate(roles, 1) if _valid(role, codec)]
    positions = ", ".join(str(position) for position, _ in named)
    names = ", ".join(_literal(role) for _, role in named)
    return (
        "(SELECT pg_catalog.string_agg(has.position::pg_catalog.text, ' ') FROM ("
        f"SELECT {SUPERUSER} AS position FROM pg_catalog.pg_roles"
        " WHERE rolname OPERATOR(pg_catalog.=) SESSION_USER AND rolsuper"
        " UNION ALL SELECT asked.position"
        f" FROM ROWS FROM (pg_catalog.unnest(ARRAY[{positions}]::pg_catalog.int4[]),"
        f" pg_catalog.unnest(ARRAY[{names}]::pg_catalog.name[])) AS asked (position, name)"
        " WHERE pg_catalog.pg_has_role(SESSION_USER, (SELECT r.oid FROM pg_catalog.pg_roles r"
        " WHERE r.rolname OPERATOR(pg_catalog.=) asked.name), 'USAGE')"
        ") AS has)"
    )


def rights(roles: Sequence[str], column: str | None) -> Rights:
    """What the value of `rights_column` means."""
    positions = [int(position) for position in (column or "").split()]
    return Rights(SUPERUSER in positions, frozenset(roles[position - 1] for position in positions if position))


def _valid(role: str, codec: str) -> bool:
    if role.isascii() or codec == ANY_BYTES:
        return "\0" not in role
    try:
        return codec != NO_CODEC and bool(role.encode().decode(codec))
    except UnicodeError:
        return False


def _literal(role: str) -> str:
    """The bytes of the name, whatever the client's encoding is."""
    return "E'" + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\x{b:02x}" for b in role.encode()) + "'"
