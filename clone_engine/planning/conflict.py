"""Decides what becomes of objects that the target already has: refuse, leave, replace or move out of the way.

Pure.  The decision comes before anything is made.  How tables are swapped is `swap.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.naming import Belongings
from clone_engine.ddl.retarget import Renames
from clone_engine.ddl.subjects import Identity
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import Conflict
from clone_engine.servers.target import ROUTINES, Existing

TABLES = {"table": "rpf", "foreign table": "rpf"}
VIEWS = {"view": "v", "materialized view": "m"}
RELATION_KINDS = {**TABLES, **VIEWS, "sequence": "S", "index": "iI"}
RELKINDS = {"r": "table", "p": "table", "f": "table", "v": "view", "m": "materialized view", "S": "sequence"}
LEFT = "exists on the target and is left as it is"
HINT = 'Give option conflict as "skip", "replace" or "rename", or choose another target name.'


class Action(NamedTuple):
    """A statement about one object of the target, and the object in words."""

    sql: str
    object: str


class Conflicts(NamedTuple):
    """What is done about what is there."""

    left: Mapping[Identity, str] = {}
    """Objects (by source identity) that stay as they are on the target, with their labels."""
    swapped: tuple[Name, ...] = ()
    """Tables of the target that make way: dropped (replace) or renamed (rename)."""
    views: tuple[Name, ...] = ()
    """Views and materialized views of the target that are dropped in the swap and made anew."""
    drops: tuple[Action, ...] = ()
    """What is dropped before the tables make way, in order: those views and what depends on them or on the tables."""
    anew: frozenset[Identity] = frozenset()
    """What is dropped, and so must be among what the clone makes."""
    restored: tuple[Action, ...] = ()
    """What is put back when the new tables are in place: foreign keys of tables outside the clone."""
    replaced: frozenset[Identity] = frozenset()
    """Routines that are made with CREATE OR REPLACE."""
    notes: tuple[tuple[str, str], ...] = ()
    """What refers to old tables and goes on to do so."""


def resolve(
    ddls: Iterable[Ddl], owned: Belongings, final: Renames, existing: Existing, conflict: Conflict
) -> Conflicts:
    """What becomes of each object that both the dump and the target have.

    PgError 42P07 (42710 for what is no relation) if conflict is error, or where a name is held by something that
    would not make way; 42809 if a table would have to replace something that is no table.
    """
    there = [d for d in ddls if d.kind in MADE and d.relation not in owned.sequences and _exists(d, final, existing)]
    if conflict == "error":
        refused = [d for d in there if d.kind != "schema"]
        if refused:
            raise _exists_error(_first(refused), final)
    swapped = () if conflict == "skip" else _swapped(there, final, existing)
    left: dict[Identity, str] = {d.identity: d.label for d in there if conflict == "skip" or not _makes_way(d)}
    _check_belongings(owned, final, existing, left, frozenset(swapped))
    if conflict == "skip":
        return Conflicts(left)
    views = {ddl.relation: None for ddl in there if ddl.kind in VIEWS and ddl.relation}
    return Conflicts(left, swapped, tuple(views), replaced=frozenset(d.identity for d in there if d.kind in ROUTINES))


MADE = frozenset({
    *(RELATION_KINDS.keys() - {"index"}),
    *ROUTINES,
    "schema",
    "type",
    "operator",
    "operator class",
    "operator family",
    "collation",
    "conversion",
    "text search parser",
    "text search dictionary",
    "text search template",
    "text search configuration",
    "language",
    "access method",
    "foreign data wrapper",
    "server",
    "user mapping",
    "cast",
    "transform",
    "publication",
    "event trigger",
})  # fmt: skip
"""Kinds of statements that make an object with a name of its own.  An index is its table's."""


def _exists(ddl: Ddl, final: Renames, existing: Existing) -> bool:
    if ddl.kind == "schema":
        return ddl.identity[1] in existing.schemas
    if ddl.relation:
        return final.relation(ddl.relation) in existing.relations
    return ddl.identity in existing.objects


def _makes_way(ddl: Ddl) -> bool:
    """Under replace and rename: whether the clone's object takes the place of the existing one."""
    return ddl.kind in TABLES or ddl.kind in VIEWS or ddl.kind in ROUTINES


def _first(ddls: list[Ddl]) -> Ddl:
    """The one to name in an error: a table before anything else."""
    return min(ddls, key=lambda ddl: ddl.kind not in TABLES)


def _exists_error(ddl: Ddl, final: Renames) -> PgError:
    if ddl.relation:
        name = final.relation(ddl.relation)
        return PgError("42P07", f"pgclone: {ddl.kind} {name.sql} already exists on the target", hint=HINT)
    return PgError("42710", f"pgclone: {ddl.label} already exists on the target", hint=HINT)


def _swapped(there: list[Ddl], final: Renames, existing: Existing) -> tuple[Name, ...]:
    """The tables of the target that make way.  PgError 42809 where kinds differ."""
    for ddl in there:
        kinds = RELATION_KINDS.get(ddl.kind)
        if kinds and ddl.relation:
            name = final.relation(ddl.relation)
            relkind = existing.relations[name].relkind
            if relkind not in kinds:
                raise PgError(
                    "42809",
                    f"pgclone: {name.sql} on the target is not a {ddl.kind}",
                    detail=f"It is a {RELKINDS.get(relkind, 'relation of another kind')}, and is not replaced.",
                    hint="Drop or rename it yourself, or choose another target name.",
                )
    return tuple(final.relation(d.relation) for d in there if d.kind in TABLES and d.relation)


def _check_belongings(
    owned: Belongings,
    final: Renames,
    existing: Existing,
    left: Mapping[Identity, str],
    swapped: frozenset[Name],
) -> None:
    """PgError 42P07 if an index, owned sequence or statistics object could not get its name in the end."""
    for group, there in (
        (owned.indexes, existing.relations),
        (owned.sequences, existing.relations),
        (owned.statistics, existing.statistics),
    ):
        for source, table in group.items():
            name, target_table = final.relation(source), final.relation(table)
            holder = there.get(name)
            stays = ("relation", *table) in left or table not in owned.tables
            if holder and not stays and holder.table not in swapped:
                raise PgError(
                    "42P07",
                    f"pgclone: {name.sql}, which table {target_table.sql} needs, already exists on the target",
                    detail=f"It belongs to {holder.table}." if holder.table else "",
                    hint="Drop or rename it first, or choose another target name.",
                )
