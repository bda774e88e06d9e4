"""Which of PostgreSQL's versions brought what a statement uses: what is younger than PostgreSQL 14.

Pure.  Only what can be told from the parse tree: of functions, types and settings the server says itself that it has
none.  What is done about it on an older server is `older.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pglast import ast, enums

from clone_engine.ddl.nodes import strings, walk

C = enums.ConstrType
A = enums.AlterTableType


class Feature(NamedTuple):
    """Something that a version brought."""

    since: int
    """The major version."""
    name: str
    spare: bool = False
    """Whether rows and their meaning are the same without a statement that uses it."""


Test = Callable[[Any], bool]


def features(node: Any, *, of_partitioned: bool = False) -> Iterator[Feature]:
    """What a statement uses, of all that is younger than PostgreSQL 14; nothing twice.

    Some constraints are young on a partitioned table only: `of_partitioned` says that the statement's table is one."""
    tables = (FEATURES, OF_PARTITIONED) if of_partitioned else (FEATURES,)
    found = (f for each in walk(node) for table in tables for f, used in table.get(type(each), ()) if used(each))
    yield from dict.fromkeys(found)


def _always(_: Any) -> bool:
    return True


def _option(*names: str) -> Test:
    """Whether one of these options is given."""
    return lambda n: any(o.defname in names for o in getattr(n, "options", None) or ())


def _is_collation(node: Any, option: str, value: str = "") -> bool:
    given = {o.defname: o.arg for o in node.definition or ()} if node.kind == enums.ObjectType.OBJECT_COLLATION else {}
    return option in given and (not value or value in _words(given[option]))


def _words(argument: Any) -> tuple[str, ...]:
    return strings(argument.names) if isinstance(argument, ast.TypeName) else (getattr(argument, "sval", ""),)


def _has_odd_scale(type_name: Any) -> bool:
    """Whether this is a numeric whose scale is negative or above its precision."""
    if strings(type_name.names) != ("pg_catalog", "numeric") or len(type_name.typmods or ()) != 2:
        return False
    precision, scale = (m.val.ival for m in type_name.typmods)
    return not 0 <= scale <= precision


def _may_be_null(constraint: Any) -> bool:
    """Whether this NOT NULL was added to a table that may have NULLs."""
    return bool(constraint.contype == C.CONSTR_NOTNULL and constraint.skip_validation)


def _is_unenforced(constraint: Any) -> bool:
    return constraint.contype in {C.CONSTR_CHECK, C.CONSTR_FOREIGN} and not constraint.is_enforced


def _is_virtual(constraint: Any) -> bool:
    return bool(constraint.contype == C.CONSTR_GENERATED and constraint.generated_kind == "v")


Table = Mapping[type, tuple[tuple[Feature, Test], ...]]
"""By the type of a node: features, each with whether the node uses it."""

OF_PARTITIONED: Table = {
    ast.Constraint: (
        (
            Feature(18, "foreign keys of partitioned tables that are NOT VALID"),
            lambda n: n.contype == C.CONSTR_FOREIGN and n.skip_validation,
        ),
        (Feature(17, "exclusion constraints of partitioned tables"), lambda n: n.contype == C.CONSTR_EXCLUSION),
    ),
}
FEATURES: Table = {
    ast.Constraint: (
        (Feature(18, "virtual generated columns"), _is_virtual),
        (Feature(18, "constraints that are NOT ENFORCED", spare=True), _is_unenforced),
        (Feature(18, "NOT NULL constraints that are NOT VALID"), _may_be_null),
        (
            Feature(18, "NOT NULL constraints that are not inherited"),
            lambda n: n.contype == C.CONSTR_NOTNULL and n.is_no_inherit,
        ),
        (Feature(18, "keys WITHOUT OVERLAPS"), lambda n: n.without_overlaps),
        (Feature(18, "foreign keys with PERIOD"), lambda n: n.fk_with_period or n.pk_with_period),
        (Feature(15, "NULLS NOT DISTINCT"), lambda n: n.nulls_not_distinct),
        (Feature(15, "ON DELETE SET of some columns"), lambda n: bool(n.fk_del_set_cols)),
    ),
    ast.IndexStmt: ((Feature(15, "NULLS NOT DISTINCT"), lambda n: n.nulls_not_distinct),),
    ast.TypeName: ((Feature(15, "numeric with such a scale"), _has_odd_scale),),
    ast.AlterTableCmd: (
        # pg_dump writes it for partitioned tables only; where rows are, it uses a setting.
        (
            Feature(17, "access methods of partitioned tables", spare=True),
            lambda n: n.subtype == A.AT_SetAccessMethod,
        ),
    ),
    ast.ViewStmt: ((Feature(15, "views with security_invoker"), _option("security_invoker")),),
    ast.DefineStmt: (
        (Feature(17, "collations of the builtin provider"), lambda n: _is_collation(n, "provider", "builtin")),
        (Feature(16, "collations with rules"), lambda n: _is_collation(n, "rules")),
    ),
    ast.MergeStmt: (
        (Feature(15, "MERGE"), _always),
        (Feature(17, "MERGE with RETURNING"), lambda n: n.returningClause is not None),
    ),
    ast.MergeWhenClause: (
        (
            Feature(17, "MERGE with NOT MATCHED BY SOURCE"),
            lambda n: n.matchKind == enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE,
        ),
    ),
    ast.ReturningClause: ((Feature(18, "RETURNING with names for OLD and NEW"), lambda n: bool(n.options)),),
    ast.JsonTable: ((Feature(17, "JSON_TABLE"), _always),),
    ast.JsonFuncExpr: ((Feature(17, "JSON_EXISTS, JSON_QUERY and JSON_VALUE"), _always),),
    **dict.fromkeys(
        (ast.JsonParseExpr, ast.JsonScalarExpr, ast.JsonSerializeExpr),
        ((Feature(17, "JSON, JSON_SCALAR and JSON_SERIALIZE"), _always),),
    ),
    ast.JsonIsPredicate: ((Feature(16, "IS JSON"), _always),),
    **dict.fromkeys(
        (
            ast.JsonObjectConstructor,
            ast.JsonArrayConstructor,
            ast.JsonArrayQueryConstructor,
            ast.JsonObjectAgg,
            ast.JsonArrayAgg,
        ),
        ((Feature(16, "SQL's constructors of JSON"), _always),),
    ),
    ast.CreateEventTrigStmt: ((Feature(17, "event triggers on login", spare=True), lambda n: n.eventname == "login"),),
    ast.CreatePublicationStmt: (
        (Feature(18, "publications of generated columns", spare=True), _option("publish_generated_columns")),
    ),
    ast.PublicationObjSpec: ((Feature(15, "publications of schemas", spare=True), lambda n: n.pubtable is None),),
    ast.PublicationTable: (
        (
            Feature(15, "publications of some rows or columns", spare=True),
            lambda n: n.whereClause is not None or bool(n.columns),
        ),
    ),
}
