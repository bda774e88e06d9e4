"""Decides what everything is called on the target: while it is built, and in the end.

Pure.  A clone under another name renames what hangs on the table too, so that both can live in one schema; a clone
that replaces a table is built in a staging schema.  How names are put into statements is `retarget.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pglast import ast

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import name_of, strings
from clone_engine.ddl.retarget import Renames
from clone_engine.records.names import Name, renamed_after
from clone_engine.records.request import CloneRequest


class Belongings(NamedTuple):
    """What the tables of a dump own, by name: each with its table."""

    tables: frozenset[Name]
    indexes: Mapping[Name, Name]
    """Those of constraints too.  Indexes of materialized views have the view as their table."""
    sequences: Mapping[Name, Name]
    columns: Mapping[Name, str]
    """The column that owns a sequence."""
    statistics: Mapping[Name, Name]
    checks: frozenset[tuple[Name, str]]
    """Constraints without an index, by table and name: CHECK, NOT NULL, FOREIGN KEY."""

    def table_of(self, relation: Name | None) -> Name | None:
        """The table that an index or a sequence belongs to; any other relation is its own."""
        if relation is None:
            return None
        return self.indexes.get(relation) or self.sequences.get(relation, relation)


def belongings(ddls: Iterable[Ddl]) -> Belongings:
    """Reads off the statements what belongs to which table."""
    tables: set[Name] = set()
    indexes: dict[Name, Name] = {}
    sequences: dict[Name, Name] = {}
    columns: dict[Name, str] = {}
    statistics: dict[Name, Name] = {}
    checks: set[tuple[Name, str]] = set()
    for ddl in ddls:
        if ddl.relation is None:
            continue
        if ddl.kind in {"table", "foreign table"}:
            tables.add(ddl.relation)
            checks |= {(ddl.relation, c.conname) for c in _constraints(ddl.node) if c.conname}
        elif ddl.kind == "index":
            indexes[Name(*ddl.identity[1:])] = ddl.relation
        elif ddl.kind == "key":
            indexes[Name(ddl.relation.schema, ddl.identity[-1])] = ddl.relation
        elif ddl.kind in {"check", "foreign key"}:
            checks.add((ddl.relation, ddl.identity[-1]))
        elif ddl.kind == "statistics":
            statistics[Name(*ddl.identity[1:])] = ddl.relation
        for sequence, table, column in _owned(ddl):
            sequences[sequence] = table
            columns[sequence] = column
    return Belongings(frozenset(tables), indexes, sequences, columns, statistics, frozenset(checks))


def _constraints(node: Any) -> Iterable[Any]:
    """Those of a table and of its columns, as CREATE TABLE says them."""
    for element in getattr(node, "base", node).tableElts or ():
        if isinstance(element, ast.Constraint):
            yield element
        elif isinstance(element, ast.ColumnDef):
            yield from element.constraints or ()


def _owned(ddl: Ddl) -> Iterable[tuple[Name, Name, str]]:
    """Sequences that this statement gives to a column: (sequence, table, column)."""
    if ddl.kind == "sequence alteration":
        for option in ddl.node.options or ():
            names = strings(option.arg) if option.defname == "owned_by" else ()
            if len(names) == 3:
                yield name_of(ddl.node.sequence), Name(*names[:2]), names[2]
    elif ddl.kind == "alteration" and ddl.relation:
        for command in ddl.node.cmds:
            for option in getattr(command.def_, "options", None) or ():
                if option.defname == "sequence_name":
                    yield Name(*strings(option.arg)), ddl.relation, command.name


class Naming(NamedTuple):
    """Source names to target names: `build` while the job works, `final` when it is done."""

    build: Renames
    final: Renames
    staging: Mapping[str, str] = {}
    """The schema in which the tables of each schema are built; {} if they are built in place."""


def naming(owned: Belongings, request: CloneRequest, staging: str = "") -> Naming:
    """The names for `request`; with `staging` the tables and all they own are built in schemas called so.

    One for each schema, numbered if there are several: a name may be taken in two of them.
    """
    new_name = _new_name(owned, request)
    tables = _final_tables(owned.tables, request, new_name)
    final = _renames(owned, tables, new_name, {})
    if not staging:
        return Naming(final, final)
    schemas = sorted({table.schema for table in owned.tables})
    places = {s: staging if len(schemas) == 1 else f"{staging}_{i}" for i, s in enumerate(schemas, 1)}
    return Naming(_renames(owned, tables, new_name, places), final, places)


def _final_tables(tables: Iterable[Name], request: CloneRequest, new_name: Callable[[str], str]) -> dict[Name, Name]:
    """The tables with their names in the end.  Partitions of a renamed table are renamed after it."""
    root = Name(request.schema_name, request.table_name)
    return {
        table: Name(table.schema, request.target_table_name or root.name if table == root else new_name(table.name))
        for table in tables
    }


def _new_name(owned: Belongings, request: CloneRequest) -> Callable[[str], str]:
    """What becomes of the name of something that belongs to the tables of a clone.

    Whatever belongs to a partition too is named after the table that is cloned: the partition's own new name may be
    cut, and then be the same as another's up to there.  Of `orders_by` and `by` the second makes way.
    """
    old, new = request.table_name, request.target_table_name or request.table_name
    relations = (*owned.tables, *owned.indexes, *owned.sequences, *owned.statistics)
    names = {relation.name for relation in relations} | {name for _, name in owned.checks}
    taken = {renamed_after(name, old, new) for name in names if name.startswith(old)}

    def new_name(name: str) -> str:
        after = renamed_after(name, old, new)
        makes_way = new != old and after in taken and not name.startswith(old)
        return renamed_after(f"_{name}", old, new) if makes_way else after

    return new_name


def _renames(
    owned: Belongings, tables: dict[Name, Name], new_name: Callable[[str], str], staging: Mapping[str, str]
) -> Renames:
    """All renames that follow from those of the tables; with `staging`, also to themselves, into those schemas."""

    def after(name: Name, table: Name) -> Name:
        if table not in tables:
            return name
        return Name(staging.get(table.schema, name.schema), new_name(name.name))

    others = {
        name: after(name, table)
        for group in (owned.indexes, owned.sequences, owned.statistics)
        for name, table in group.items()
    }
    constraints = {
        (table, name.name): after(name, table).name for name, table in owned.indexes.items() if table in tables
    } | {
        (table, name): new_name(name) for table, name in owned.checks if table in tables and name.startswith(table.name)
    }
    placed = {old: Name(staging.get(old.schema, new.schema), new.name) for old, new in tables.items()}
    if staging:
        return Renames(placed, others, constraints)
    return Renames(
        {old: new for old, new in placed.items() if old != new},
        {old: new for old, new in others.items() if old != new},
        {key: new for key, new in constraints.items() if key[1] != new},
    )
