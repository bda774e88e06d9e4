"""Asks the target server whose rights the session's role has beside its own.

USAGE is asked for, which is what pg_cancel_backend and the ownership of tables go by: rights that the role has without
SET ROLE.  In PostgreSQL a member that does not inherit controls nothing of the other role's until it becomes that role;
so it is here, where only SESSION_USER counts, whom the server has let in.  Pure: the query's text, and what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from clone_engine.records.names import quote_ident

SUPERUSER = "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(10))"
"""The first role of every cluster.  Every superuser has its rights, and whoever has them can become one."""

ANY_BYTES, NO_CODEC = "ascii", "latin-1"
"""What `wire.encodings` has for SQL_ASCII, and for encodings that Python does not know; for LATIN1 it has iso8859-1."""

SPECIAL = re.compile(rb'[^A-Za-z0-9_"]')


class Rights(NamedTuple):
    """What the server says of a role."""

    superuser: bool = False
    roles: frozenset[str] = frozenset()
    """Those of the roles asked about whose rights it has."""


NONE = Rights()


def rights_column(roles: Sequence[str], codec: str) -> str:
    """An expression that tells the rights; `codec` is Python's for the encoding of the session's database."""
    names = ", ".join((SUPERUSER, *(_name(role, codec) for role in roles)))
    # Functions that look into the catalogs' caches, since this is asked with nearly every statement.
    return (
        "(SELECT pg_catalog.string_agg(asked.position::pg_catalog.text, ' ')"
        f" FROM pg_catalog.unnest(ARRAY[{names}]) WITH ORDINALITY AS asked (name, position)"
        " WHERE pg_catalog.pg_has_role(SESSION_USER, pg_catalog.to_regrole(asked.name)::pg_catalog.oid, 'USAGE'))"
    )


def rights(roles: Sequence[str], column: str | None) -> Rights:
    """What the value of `rights_column` means."""
    found = [(None, *roles)[int(position) - 1] for position in (column or "").split()]
    return Rights(None in found, frozenset(role for role in found if role))


def _name(role: str, codec: str) -> str:
    """The quoted name in the bytes of UTF-8, whatever the client's encoding is."""
    if not _valid(role, codec):
        return "NULL"  # it cannot be written in the database's encoding, and would fail the whole query
    escaped = SPECIAL.sub(lambda byte: b"\\x%02x" % ord(byte[0]), quote_ident(role).encode())
    return f"E'{escaped.decode()}'"


def _valid(role: str, codec: str) -> bool:
    if role.isascii() or codec == ANY_BYTES:
        return bool(role) and "\0" not in role
    try:
        return codec != NO_CODEC and bool(role.encode().decode(codec))
    except UnicodeError:
        return False
