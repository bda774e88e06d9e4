"""Changes CREATE TABLE: narrows it to some columns, strips its CHECK constraints, lets it stand without its parents.

Pure.  What uses a column that is left out is left out too; which statements are asked is `selection.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pglast import ast, enums

from clone_engine.ddl.definitions import Ddl, parsed
from clone_engine.ddl.nodes import name_of, strings, walk
from clone_engine.ddl.retarget import rewritten
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name

C = enums.ConstrType


def used(node: Any, own_tables: frozenset[Name]) -> Iterator[str]:
    """The names of columns that a statement uses, in keys, expressions, UPDATE OF lists and partition keys.

    A name that some other relation in the statement has too counts as well: rather too much than too little.
    """
    for child in walk(node):
        match child:
            case ast.ColumnRef():
                yield from strings(f for f in (child.fields or ())[-1:] if isinstance(f, ast.String))
            case ast.IndexElem() | ast.PartitionElem() | ast.StatsElem():
                if child.name:
                    yield child.name
            case ast.Constraint():
                yield from strings(child.keys)
                yield from strings(child.including)
                yield from strings(child.fk_attrs)
                if child.pktable and name_of(child.pktable) in own_tables:
                    yield from strings(child.pk_attrs)
            case ast.CreateTrigStmt():
                yield from strings(child.columns)
            case ast.AccessPriv():
                yield from strings(child.cols)


def uses(node: Any, missing: frozenset[str], own_tables: frozenset[Name]) -> bool:
    """Whether a statement uses one of the columns that are left out."""
    return bool(missing) and not missing.isdisjoint(used(node, own_tables))


def narrowed_table(ddl: Ddl, missing: frozenset[str]) -> tuple[Ddl, list[str]]:
    """CREATE TABLE without the missing columns, and what had to go or change with them, in words.

    A generated column that is computed from a missing one becomes an ordinary column with the source's values.
    PgError 42703 if the partition key is missing.
    """
    tree, notes = parsed(ddl.sql), []
    create = _create(tree)
    nothing: frozenset[Name] = frozenset()
    if create.partspec and uses(create.partspec, missing, nothing):
        raise PgError(
            "42703",
            f"pgclone: option columns leaves out a column of the partition key of {ddl.relation}",
            hint="Add the columns of the partition key to columns.",
        )
    elements = []
    for element in create.tableElts or ():
        if isinstance(element, ast.ColumnDef):
            if element.colname in missing:
                continue
            kept = tuple(c for c in element.constraints or () if not uses(c, missing, nothing))
            notes += [_lost(str(element.colname), c) for c in element.constraints or () if c not in kept]
            element.constraints = kept or None
        elif uses(element, missing, nothing):
            if element.contype != C.CONSTR_NOTNULL:
                notes.append(f"constraint {element.conname} uses a column that is left out")
            continue
        elements.append(element)
    create.tableElts = tuple(elements) or None
    return (ddl if tree == ddl.node else rewritten(tree)), notes


def _create(tree: Any) -> Any:
    """The part of CREATE TABLE and CREATE FOREIGN TABLE that holds the columns."""
    return tree.base if isinstance(tree, ast.CreateForeignTableStmt) else tree


def _lost(column: str, constraint: Any) -> str:
    if constraint.contype == C.CONSTR_GENERATED:
        return f"column {column} is computed from a column that is left out, and is copied as an ordinary column"
    return f"constraint {constraint.conname or ''} of column {column} uses a column that is left out"


def ungenerated(ddl: Ddl, missing: frozenset[str]) -> frozenset[str]:
    """The generated columns of a CREATE TABLE that `narrowed_table` makes ordinary ones."""
    create = _create(ddl.node)
    return frozenset(
        str(element.colname)
        for element in create.tableElts or ()
        if isinstance(element, ast.ColumnDef)
        and element.colname not in missing
        and any(c.contype == C.CONSTR_GENERATED and uses(c, missing, frozenset()) for c in element.constraints or ())
    )


def standing_alone(ddl: Ddl, order: Sequence[str], inherited: Sequence[tuple[str, str]]) -> Ddl:
    """CREATE TABLE without INHERITS, with the columns and CHECK constraints that came from there.

    `order` are all columns in the table's order; `inherited` are names ('' for a constraint) and definitions.
    """
    tree = parsed(ddl.sql)
    own = {e.colname: e for e in tree.tableElts or () if isinstance(e, ast.ColumnDef)}
    rest = [e for e in tree.tableElts or () if not isinstance(e, ast.ColumnDef)]
    for name, definition in inherited:
        element = parsed(f"CREATE TABLE t ({definition})").tableElts[0]
        if not name:
            rest.append(element)
        elif name not in own:
            own[name] = element
        elif not _not_null(own[name]):
            own[name].constraints = (*(own[name].constraints or ()), *_not_null(element))
    tree.tableElts = (*(own[name] for name in order if name in own), *rest) or None
    tree.inhRelations = None
    return rewritten(tree)


def _not_null(column: Any) -> list[Any]:
    return [c for c in column.constraints or () if c.contype == C.CONSTR_NOTNULL]


def without_checks(ddl: Ddl) -> Ddl:
    """CREATE TABLE without its CHECK constraints; NOT NULL belongs to the column and stays."""
    tree = parsed(ddl.sql)
    create = _create(tree)
    elements = [e for e in create.tableElts or () if not _is_check(e)]
    for element in elements:
        if isinstance(element, ast.ColumnDef):
            element.constraints = tuple(c for c in element.constraints or () if not _is_check(c)) or None
    create.tableElts = tuple(elements) or None
    return ddl if tree == ddl.node else rewritten(tree)


def _is_check(node: Any) -> bool:
    return isinstance(node, ast.Constraint) and node.contype == C.CONSTR_CHECK
