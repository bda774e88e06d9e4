"""Gives the objects of parsed statements other names: another table name, a staging schema.

Pure.  A statement in which nothing is renamed is handed back as it is, with pg_dump's text; any other is written
anew from its parse tree, and refused if the text does not parse to that same tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pglast import ast, enums

from clone_engine.ddl.definitions import Ddl, classify, parsed
from clone_engine.ddl.nodes import name_of, strings, walk
from clone_engine.ddl.printing import printed
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, split_qualified


class Renames(NamedTuple):
    """Which names become which.  Empty mappings rename nothing."""

    tables: Mapping[Name, Name] = {}
    """Tables, and so their row types."""
    others: Mapping[Name, Name] = {}
    """Indexes, owned sequences and extended statistics."""
    constraints: Mapping[tuple[Name, str], str] = {}
    """Constraints by table and name: those that make an index, and those whose name begins with the table's."""

    def relation(self, name: Name) -> Name:
        """The new name of a table, index, sequence or statistics object; `name` itself if it keeps it."""
        return self.tables.get(name) or self.others.get(name, name)

    @property
    def bare(self) -> dict[str | None, str]:
        """Tables whose name without its schema changes, as column references know them."""
        return {old.name: new.name for old, new in self.tables.items() if old.name != new.name}


def retargeted(ddl: Ddl, renames: Renames) -> Ddl:
    """`ddl` with the new names.  PgError XX000 if it cannot be written faithfully."""
    if not (renames.tables or renames.others):
        return ddl
    tree = parsed(ddl.sql)
    for node in list(walk(tree)):
        handler = HANDLERS.get(type(node))
        if handler:
            handler(node, renames)
    _column_references(tree, renames.bare)
    return ddl if tree == ddl.node else rewritten(tree)


def rewritten(tree: Any) -> Ddl:
    """The statement of a changed parse tree.  PgError XX000 if its text would mean anything else."""
    if isinstance(tree, ast.AlterTableStmt) and tree.objtype == enums.ObjectType.OBJECT_FOREIGN_TABLE:
        tree.objtype = enums.ObjectType.OBJECT_TABLE  # does the same, and is not printed without its ONLY
    text = printed(tree)
    again = parsed(text)
    if again != tree:
        raise PgError(
            "XX000",
            "pgclone: a statement could not be rewritten faithfully",
            detail=text,
            hint="Clone under the original name, with the default options; and please report this statement.",
        )
    return classify(text, again)


def mentions(node: Any) -> set[Name]:
    """Every schema-qualified relation, type and routine that a statement names: in FROM, as a type, as a regclass
    constant, in a call."""
    found: set[Name] = set()
    for child in walk(node):
        if isinstance(child, ast.RangeVar):
            found.add(name_of(child))
        elif isinstance(child, ast.TypeName):
            found.add(_pair(strings(child.names)))
        elif isinstance(child, ast.TypeCast) and (constant := _regclass(child)):
            found.add(_pair(split_qualified(constant.sval)))
        elif isinstance(child, ast.FuncCall):
            found.add(_pair(strings(child.funcname)))
        elif isinstance(child, ast.ObjectWithArgs):
            found.add(_pair(strings(child.objname)))
    return found


def _pair(names: tuple[str, ...]) -> Name:
    return Name(*names) if len(names) == 2 else Name("", names[-1] if names else "")


def _strings(values: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(ast.String(value) for value in values)


def _renamed_list(nodes: Any, renames: Renames) -> Any:
    """A list of Strings schema, relation, … with the first two renamed."""
    names = strings(nodes)
    return _strings((*renames.relation(Name(*names[:2])), *names[2:])) if len(names) > 1 else nodes


def _range_var(node: Any, renames: Renames) -> None:
    new = renames.relation(name_of(node))
    if new != name_of(node):
        node.schemaname, node.relname = new


def _type_name(node: Any, renames: Renames) -> None:
    new = renames.tables.get(_pair(strings(node.names)))
    if new:
        node.names = _strings(tuple(new))


def _regclass(node: Any) -> Any:
    """The String of a constant cast to regclass, or None."""
    constant = node.arg.val if isinstance(node.arg, ast.A_Const) else None
    is_regclass = strings(node.typeName.names)[-1:] == ("regclass",)
    return constant if is_regclass and isinstance(constant, ast.String) else None


def _type_cast(node: Any, renames: Renames) -> None:
    constant = _regclass(node)
    if constant:
        name = _pair(split_qualified(constant.sval))
        new = renames.relation(name)
        if new != name:
            constant.sval = new.sql


def _index(node: Any, renames: Renames) -> None:
    node.idxname = renames.relation(Name(node.relation.schemaname or "", node.idxname)).name


def _constraint_name(table: Name, constraint: Any, renames: Renames) -> None:
    if constraint.conname:
        constraint.conname = renames.constraints.get((table, constraint.conname), constraint.conname)
    if constraint.indexname:
        constraint.indexname = renames.relation(Name(table.schema, constraint.indexname)).name


def _create_table(node: Any, renames: Renames) -> None:
    table = name_of(node.relation)
    for element in walk(node.tableElts):
        if isinstance(element, ast.Constraint):
            _constraint_name(table, element, renames)


def _alter_table(node: Any, renames: Renames) -> None:
    table = name_of(node.relation)
    for command in node.cmds:
        if command.subtype == enums.AlterTableType.AT_AddConstraint:
            _constraint_name(table, command.def_, renames)
        elif command.subtype == enums.AlterTableType.AT_ClusterOn:
            command.name = renames.relation(Name(table.schema, command.name)).name
        elif command.subtype == enums.AlterTableType.AT_ReplicaIdentity and command.def_.name:
            command.def_.name = renames.relation(Name(table.schema, command.def_.name)).name


def _about_object(node: Any, renames: Renames) -> None:
    """COMMENT, SECURITY LABEL and OWNER TO, where they name the object by a list of strings."""
    names = node.object
    if not isinstance(names, tuple) or not all(isinstance(item, ast.String) for item in names):
        return
    objtype = getattr(node, "objtype", None) or getattr(node, "objectType", None)
    if objtype == enums.ObjectType.OBJECT_TABCONSTRAINT:
        schema, table, constraint = strings(names)
        new = renames.constraints.get((Name(schema, table), constraint), constraint)
        names = (*names[:2], ast.String(new))
    node.object = _renamed_list(names, renames)


def _def_elem(node: Any, renames: Renames) -> None:
    if node.defname in {"owned_by", "sequence_name"}:
        node.arg = _renamed_list(node.arg, renames)


def _statistics(node: Any, renames: Renames) -> None:
    node.defnames = _renamed_list(node.defnames, renames)


HANDLERS: dict[type, Callable[[Any, Renames], None]] = {
    ast.RangeVar: _range_var,
    ast.TypeName: _type_name,
    ast.TypeCast: _type_cast,
    ast.IndexStmt: _index,
    ast.CreateStmt: _create_table,
    ast.AlterTableStmt: _alter_table,
    ast.CommentStmt: _about_object,
    ast.SecLabelStmt: _about_object,
    ast.AlterOwnerStmt: _about_object,
    ast.DefElem: _def_elem,
    ast.CreateStatsStmt: _statistics,
    ast.AlterStatsStmt: _statistics,
}
"""Called parents first, so that a statement still sees its own table's old name."""


def _column_references(tree: Any, bare: Mapping[str | None, str]) -> None:
    """`orders.id` becomes `copy.id` where orders becomes copy: rules and policies with sub-queries write it so.

    Not where some other relation has taken the old name as its alias: then it means that one.
    """
    aliases = {node.aliasname for node in walk(tree) if isinstance(node, ast.Alias)}
    for node in walk(tree):
        if isinstance(node, ast.ColumnRef) and node.fields and len(node.fields) == 2:
            first = node.fields[0]
            if isinstance(first, ast.String) and first.sval in bare and first.sval not in aliases:
                first.sval = bare[first.sval]
