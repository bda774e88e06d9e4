"""Finds what on the target stands in the way of dropping old tables, and is made anew by the clone.

Reads only.  That they are dropped is `swap.py`; in the same transaction the clone's own are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from clone_engine.conflict import Conflicts, Drop
from clone_engine.ddl import Ddl
from clone_engine.names import Name
from clone_engine.queries import rows
from clone_engine.target import oid_of

ON_TABLE = frozenset({"rule", "policy"})


def dependents(
    connection: psycopg.Connection[Any], conflicts: Conflicts, ddls: Iterable[Ddl], *, drop_tables: bool
) -> Conflicts:
    """`conflicts` with the views, routines and operators that must be dropped before the tables that make way.

    Only what the clone makes anew is dropped, in an order that needs no CASCADE; anything else that depends on an old
    table makes the server refuse the swap.  Rules and policies of old tables that read such views go first, but only
    if the tables go too (`drop_tables`): a table that is only renamed keeps what protects it.
    """
    starts = [*conflicts.swapped, *conflicts.views]
    found = rows(connection, "dependents", [[n.schema for n in starts], [n.name for n in starts]]) if starts else []
    overloads = {oid: ddl.identity for ddl in ddls if (oid := oid_of(connection, ddl))} if found else {}
    drops: list[Drop] = []
    for row in found:
        relation = Name(row.schema, row.relation) if row.relation else None
        if row.kind in ON_TABLE:
            wanted = drop_tables and relation in conflicts.swapped
        elif relation:
            wanted = relation in conflicts.views
        else:
            wanted = row.oid in overloads
        if wanted:
            drops.append(Drop(f"DROP {row.kind.upper()} {row.identity}", f"{row.kind} {row.identity} (old)"))
    dropped = {overloads[row.oid] for row in found if row.oid in overloads}
    left = {identity: label for identity, label in conflicts.left.items() if identity not in dropped}
    return conflicts._replace(left=left, drops=tuple(drops))
