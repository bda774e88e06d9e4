"""Finds what on the target depends on tables that make way: what is made anew, what is put back, what forbids it.

Reads only.  That things are dropped and put back is `swap.py`, in one transaction with all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from clone_engine.ddl.definitions import Ddl
from clone_engine.planning.conflict import Action, Conflicts
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, quote_ident, quote_literal
from clone_engine.servers.queries import rows
from clone_engine.servers.target import oid_of

ON_TABLE = frozenset({"rule", "policy"})
MOST_NAMED = 20
"""Objects that an error lists."""
STAYS_OLD = "stays with the old table, under that table's new name"


def dependents(
    connection: psycopg.Connection[Any], conflicts: Conflicts, ddls: Iterable[Ddl], *, drop_tables: bool
) -> Conflicts:
    """`conflicts` with the views, routines and operators that must be dropped before the tables that make way, and with
    the foreign keys of other tables that are put back.

    Only what the clone makes anew is dropped, in an order that needs no CASCADE.  Rules and policies of old tables that
    read such views go first, but only if the tables go too (`drop_tables`): a table that is only renamed keeps what
    protects it.  PgError 2BP01 naming what else depends on what would be dropped.
    """
    found = _depending(connection, [*conflicts.swapped, *conflicts.views])
    overloads = {oid: ddl.identity for ddl in ddls if (oid := oid_of(connection, ddl))} if found else {}
    wanted = [row for row in found if _is_made_anew(row, conflicts, overloads.keys(), drop_tables)]
    others = [row for row in found if row not in wanted and not _goes_along(row, conflicts)]
    in_the_way = others if drop_tables else _of(others, _depending(connection, conflicts.views))
    if in_the_way:
        raise _forbidden(in_the_way)
    drops = [Action(f"DROP {row.kind.upper()} {row.identity}", f"{row.kind} {row.identity} (old)") for row in wanted]
    dropped = {overloads[row.oid] for row in wanted if row.oid in overloads}
    left = {identity: label for identity, label in conflicts.left.items() if identity not in dropped}
    keys = list(_incoming(connection, conflicts.swapped))
    anew = {("relation", *view) for view in conflicts.views} | dropped
    conflicts = conflicts._replace(left=left, drops=tuple(drops), anew=frozenset(anew))
    if not drop_tables:
        old = [(f"{row.kind} {row.identity}", STAYS_OLD) for row in others]
        return conflicts._replace(notes=tuple(dict.fromkeys([*old, *((put.object, STAYS_OLD) for _, put in keys)])))
    return conflicts._replace(
        drops=(*dict.fromkeys(drop for drop, _ in keys), *drops), restored=tuple(put for _, put in keys)
    )


def _depending(connection: psycopg.Connection[Any], on: Iterable[Name]) -> list[Any]:
    """What depends on tables and views, however indirectly; the farthest first."""
    names = list(on)
    return rows(connection, "dependents", [[n.schema for n in names], [n.name for n in names]]) if names else []


def _relation(row: Any) -> Name | None:
    return Name(row.schema, row.relation) if row.relation else None


def _is_made_anew(row: Any, conflicts: Conflicts, overloads: Iterable[int], drop_tables: bool) -> bool:
    relation = _relation(row)
    if row.kind in ON_TABLE:
        return drop_tables and relation in conflicts.swapped
    return relation in conflicts.views if relation else row.oid in overloads


def _goes_along(row: Any, conflicts: Conflicts) -> bool:
    """Whether this is one of the tables that make way, or hangs on what makes way."""
    relation = _relation(row)
    return relation in conflicts.swapped or (row.kind in ON_TABLE and relation in conflicts.views)


def _of(some: list[Any], found: list[Any]) -> list[Any]:
    there = {(row.kind, row.identity) for row in found}
    return [row for row in some if (row.kind, row.identity) in there]


def _forbidden(found: list[Any]) -> PgError:
    names = list(dict.fromkeys(f"{row.kind} {row.identity}" for row in found))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return PgError(
        "2BP01",
        f"pgclone: {names[0]} depends on what the clone would replace",
        detail=f"Nothing is changed. Not made anew by the clone: {', '.join(names[:MOST_NAMED])}{more}.",
        hint='Drop it and make it anew afterwards, give option conflict as "rename", or choose another target name.',
    )


def _incoming(connection: psycopg.Connection[Any], swapped: Iterable[Name]) -> Iterator[tuple[Action, Action]]:
    """The foreign keys by which other tables refer to those that make way: how to drop each, and how to put it back."""
    names = list(swapped)
    found = rows(connection, "incoming_keys", [[n.schema for n in names], [n.name for n in names]]) if names else []
    for row in found:
        table, name = Name(row.schema, row.table), quote_ident(row.name)
        label = f"foreign key {row.name} on {table}"
        drop = Action(f"ALTER TABLE {table.sql} DROP CONSTRAINT {name}", f"{label} (old)")
        yield drop, Action(f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} {row.definition}", label)
        if row.comment is not None:
            comment = f"COMMENT ON CONSTRAINT {name} ON {table.sql} IS {quote_literal(row.comment)}"
            yield drop, Action(comment, f"comment on {label}")
