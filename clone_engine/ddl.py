"""pg_dump's text as typed statements: what each one makes, and which relation it belongs to.

Pure.  Every statement keeps its exact text.  A statement of a kind that this file has never seen is `other`: it is
kept, in its place.  Which statements a clone uses is `selection.py`, in which order is `plan.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pglast import ast, enums
from pglast.parser import ParseError, parse_sql
from pglast.stream import RawStream

from clone_engine.errors import PgError
from clone_engine.names import Name

Identity = tuple[str, ...]
"""Tells objects apart: ('relation', schema, name) for all that share pg_class, ('routine', schema, name, types), …"""

Kind = enums.ObjectType
A = enums.AlterTableType


class Ddl(NamedTuple):
    """One statement of the dump."""

    sql: str
    """Exactly as pg_dump wrote it, without the semicolon."""
    node: Any
    """Its parse tree.  Never changed in place: `parsed` makes a new one."""
    kind: str
    """What it makes or does, in PostgreSQL's words: table, index, key, check, foreign key, trigger, owner, acl, …"""
    identity: Identity
    """The object that it makes, or (for comment, owner, acl, label and alterations) the one it is about."""
    relation: Name | None
    """The table, view, index or sequence that it makes, changes or hangs on."""

    @property
    def label(self) -> str:
        """For reports: `index sales.orders_date_idx`, `trigger t on sales.orders`."""
        return label_of(self.kind, self.identity)


WORDS = {
    "key": "constraint",
    "check": "constraint",
    "owner": "owner of",
    "acl": "privileges on",
    "label": "security label on",
    "comment": "comment on",
    "attach": "partitions of",
    "index attach": "partitions of index",
    "alteration": "table",
    "sequence alteration": "sequence",
}


def label_of(kind: str, identity: Identity) -> str:
    """The words for an object: its kind, and its name as people write it."""
    kind = WORDS.get(kind, kind)
    if identity[0] == "on":
        _, _, schema, relation, name = identity
        return f"{kind} {name} on {schema}.{relation}"
    if identity[0] in {"routine", "operator"}:
        *names, types = identity[1:]
        return f"{kind} {'.'.join(names)}({types})"
    return " ".join([kind, ".".join(identity[1:])]).strip()


def parse_dump(text: str) -> list[Ddl]:
    """The statements of a plain-format dump, in its order.  PgError XX000 if PostgreSQL's parser refuses it."""
    body = _without_restrict(text)
    try:
        statements = parse_sql(body)
    except ParseError as error:
        raise PgError(
            "XX000",
            f"pgclone: the output of pg_dump could not be parsed: {error.args[0]}",
            hint="A pg_dump much newer than PostgreSQL 18 may write what this version does not know.",
        ) from error
    return [classify(_text(body, raw), raw.stmt) for raw in statements]


def parse_statement(sql: str) -> Ddl:
    """One statement that did not come from pg_dump."""
    return classify(sql, parsed(sql))


def parsed(sql: str) -> Any:
    """A new parse tree of one statement, free to be changed."""
    return parse_sql(sql)[0].stmt


def classify(sql: str, node: Any) -> Ddl:
    """The statement with its kind, its object and its relation."""
    reader = READERS.get(type(node))
    kind, identity, relation = reader(node) if reader else ("other", ("other", type(node).__name__), None)
    return Ddl(sql, node, kind, identity, relation)


def _text(body: str, raw: ast.RawStmt) -> str:
    start, length = raw.stmt_location or 0, raw.stmt_len
    return body[start : start + length] if length else body[start:].rstrip().rstrip(";")


def _without_restrict(text: str) -> str:
    r"""The dump without the \restrict and \unrestrict lines for psql, which frame it.

    Only the frame is looked at: a line in between that looks alike belongs to a function's body.
    """
    lines = text.split("\n")
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        for i in order:
            if lines[i].startswith(("\\restrict ", "\\unrestrict ")):
                lines[i] = ""
            elif lines[i] and not lines[i].startswith("--"):
                break
    return "\n".join(lines)


# What each statement type makes ------------------------------------------------------------------------------------

Subject = tuple[str, Identity, Name | None]


def name_of(range_var: Any) -> Name:
    """The relation that a RangeVar names; pg_dump always writes the schema."""
    return Name(range_var.schemaname or "", range_var.relname)


def strings(nodes: Any) -> tuple[str, ...]:
    """The values of a list of String nodes."""
    return tuple(node.sval for node in nodes or ())


def type_text(type_name: Any) -> str:
    """A type as text, the same for the same spelling."""
    return str(RawStream()(type_name))


INPUT_MODES = {"d", "i", "b", "v"}


def input_types(parameters: Any) -> str:
    """The input types of a routine, as its identity needs them."""
    return ", ".join(type_text(p.argType) for p in parameters or () if p.mode.value in INPUT_MODES)


def _relation(kind: str, name: Name) -> Subject:
    return kind, ("relation", *name), name


def _on(kind: str, relation: Name, name: str, group: str = "") -> Subject:
    """Something with a name of its own within a relation; `group` is what shares those names."""
    return kind, ("on", group or kind, *relation, name), relation


def _named(kind: str, names: Any) -> Subject:
    return kind, (kind, *strings(names)), None


def _type(names: tuple[str, ...]) -> Subject:
    return "type", ("type", *names), None


def _create_as(node: Any) -> Subject:
    matview = node.objtype == Kind.OBJECT_MATVIEW
    return _relation("materialized view" if matview else "table", name_of(node.into.rel))


def _routine(node: Any) -> Subject:
    kind = "procedure" if node.is_procedure else "function"
    return kind, ("routine", *strings(node.funcname), input_types(node.parameters)), None


DEFINED = {
    Kind.OBJECT_COLLATION: "collation",
    Kind.OBJECT_TSPARSER: "text search parser",
    Kind.OBJECT_TSDICTIONARY: "text search dictionary",
    Kind.OBJECT_TSTEMPLATE: "text search template",
    Kind.OBJECT_TSCONFIGURATION: "text search configuration",
}


def _define(node: Any) -> Subject:
    """CREATE AGGREGATE, OPERATOR, TYPE, COLLATION, TEXT SEARCH …"""
    names = strings(node.defnames)
    if node.kind == Kind.OBJECT_AGGREGATE:
        parameters = node.args[0] if node.args else ()
        return "aggregate", ("routine", *names, input_types(parameters)), None
    if node.kind == Kind.OBJECT_OPERATOR:
        sides = {d.defname: d.arg for d in node.definition}
        types = ", ".join(type_text(sides[s]) if s in sides else "NONE" for s in ("leftarg", "rightarg"))
        return "operator", ("operator", *names, types), None
    if node.kind == Kind.OBJECT_TYPE:
        return _type(names)
    kind = DEFINED.get(node.kind, "other")
    return kind, (kind, *names), None


def _sequence_alteration(node: Any) -> Subject:
    return "sequence alteration", ("relation", *name_of(node.sequence)), name_of(node.sequence)


ALTERATIONS: dict[Any, str] = {
    A.AT_AttachPartition: "attach",
    A.AT_ClusterOn: "cluster",
    A.AT_ChangeOwner: "owner",
    A.AT_EnableRowSecurity: "row security",
    A.AT_DisableRowSecurity: "row security",
    A.AT_ForceRowSecurity: "row security",
    A.AT_NoForceRowSecurity: "row security",
    A.AT_EnableTrig: "trigger state",
    A.AT_EnableAlwaysTrig: "trigger state",
    A.AT_EnableReplicaTrig: "trigger state",
    A.AT_DisableTrig: "trigger state",
    A.AT_EnableRule: "rule state",
    A.AT_EnableAlwaysRule: "rule state",
    A.AT_EnableReplicaRule: "rule state",
    A.AT_DisableRule: "rule state",
}
KEYS = {enums.ConstrType.CONSTR_PRIMARY, enums.ConstrType.CONSTR_UNIQUE, enums.ConstrType.CONSTR_EXCLUSION}


def _alter_table(node: Any) -> Subject:
    """ALTER TABLE, INDEX, VIEW, SEQUENCE …: pg_dump writes one command in each."""
    name, command = name_of(node.relation), node.cmds[0]
    kind = ALTERATIONS.get(command.subtype, "alteration")
    if node.objtype == Kind.OBJECT_TYPE:
        return "type alteration", ("type", *name), None
    if node.objtype == Kind.OBJECT_INDEX:
        kind = {"attach": "index attach", "alteration": "index alteration"}.get(kind, kind)
    elif command.subtype == A.AT_AddConstraint:
        return _on(_constraint_kind(command.def_), name, command.def_.conname or "", "constraint")
    elif kind in {"trigger state", "rule state"}:
        return _on(kind, name, command.name, kind.removesuffix(" state"))
    elif command.subtype == A.AT_ReplicaIdentity and command.def_.identity_type == "i":
        kind = "replica identity"
    return kind, ("relation", *name), name


def _constraint_kind(constraint: Any) -> str:
    if constraint.contype == enums.ConstrType.CONSTR_FOREIGN:
        return "foreign key"
    return "key" if constraint.contype in KEYS else "check"


def _statistics(node: Any) -> Subject:
    return "statistics", ("statistics", *strings(node.defnames)), name_of(node.relations[0])


def _about(kind: str) -> Callable[[Any], Subject]:
    """For statements about an object that another statement made."""

    def read(node: Any) -> Subject:
        objtype = getattr(node, "objtype", None) or getattr(node, "objectType", None)
        target = getattr(node, "relation", None) or getattr(node, "object", None)
        identity = identity_of(objtype, target)
        return kind, identity, relation_of(identity)

    return read


def _grant(node: Any) -> Subject:
    identity = identity_of(node.objtype, node.objects[0]) if node.objects else ("other", "privileges")
    return "acl", identity, relation_of(identity)


def _setting(node: Any) -> Subject:
    kind = "session authorization" if node.name == "session_authorization" else "setting"
    return kind, (kind, node.name or ""), None


GROUPS: dict[Any, tuple[Identity, int | None]] = {
    **{objtype: ((kind,), None) for objtype, kind in DEFINED.items()},
    Kind.OBJECT_TABLE: (("relation",), 2),
    Kind.OBJECT_VIEW: (("relation",), 2),
    Kind.OBJECT_MATVIEW: (("relation",), 2),
    Kind.OBJECT_INDEX: (("relation",), 2),
    Kind.OBJECT_SEQUENCE: (("relation",), 2),
    Kind.OBJECT_FOREIGN_TABLE: (("relation",), 2),
    Kind.OBJECT_COLUMN: (("relation",), 2),
    Kind.OBJECT_TABCONSTRAINT: (("on", "constraint"), 3),
    Kind.OBJECT_TRIGGER: (("on", "trigger"), 3),
    Kind.OBJECT_RULE: (("on", "rule"), 3),
    Kind.OBJECT_POLICY: (("on", "policy"), 3),
    Kind.OBJECT_TYPE: (("type",), 2),
    Kind.OBJECT_DOMAIN: (("type",), 2),
    Kind.OBJECT_DOMCONSTRAINT: (("type",), 2),
    Kind.OBJECT_STATISTIC_EXT: (("statistics",), None),
    Kind.OBJECT_SCHEMA: (("schema",), None),
    Kind.OBJECT_EXTENSION: (("extension",), None),
}
"""How the list of strings that names an object becomes an identity: what goes in front, how many strings count."""


def identity_of(objtype: Any, target: Any) -> Identity:
    """The identity of the object that COMMENT, GRANT, OWNER TO or SECURITY LABEL names."""
    if isinstance(target, ast.RangeVar):
        return ("relation", *name_of(target))
    if isinstance(target, ast.TypeName):
        return ("type", *strings(target.names))
    if isinstance(target, ast.ObjectWithArgs):
        types = (type_text(t) if t else "NONE" for t in target.objargs or ())
        return (
            "operator" if objtype == Kind.OBJECT_OPERATOR else "routine",
            *strings(target.objname),
            ", ".join(types),
        )
    group, length = GROUPS.get(objtype, (("other",), None))
    return (*group, *_flat(target)[:length])


def _flat(target: Any) -> tuple[str, ...]:
    """The strings in a String, a list of them, or a list that begins with a TypeName."""
    if isinstance(target, ast.String):
        return (target.sval or "",)
    if isinstance(target, ast.TypeName):
        return strings(target.names)
    return tuple(text for item in target or () for text in _flat(item))


def relation_of(identity: Identity) -> Name | None:
    """The relation that an identity is or hangs on."""
    if identity[0] == "relation" and len(identity) == 3:
        return Name(*identity[1:3])
    if identity[0] == "on":
        return Name(*identity[2:4])
    return None


READERS: dict[type, Callable[[Any], Subject]] = {
    ast.CreateSchemaStmt: lambda n: ("schema", ("schema", n.schemaname), None),
    ast.CreateExtensionStmt: lambda n: ("extension", ("extension", n.extname), None),
    ast.CreateEnumStmt: lambda n: _type(strings(n.typeName)),
    ast.CreateRangeStmt: lambda n: _type(strings(n.typeName)),
    ast.CreateDomainStmt: lambda n: _type(strings(n.domainname)),
    ast.CompositeTypeStmt: lambda n: _type(tuple(name_of(n.typevar))),
    ast.AlterEnumStmt: lambda n: ("type alteration", ("type", *strings(n.typeName)), None),
    ast.AlterDomainStmt: lambda n: ("domain constraint", ("type", *strings(n.typeName)), None),
    ast.AlterTypeStmt: lambda n: ("type alteration", ("type", *strings(n.typeName)), None),
    ast.CreateFunctionStmt: _routine,
    ast.DefineStmt: _define,
    ast.CreateOpClassStmt: lambda n: ("operator class", ("operator class", *strings(n.opclassname), n.amname), None),
    ast.CreateOpFamilyStmt: lambda n: (
        "operator family",
        ("operator family", *strings(n.opfamilyname), n.amname),
        None,
    ),
    ast.AlterOpFamilyStmt: lambda n: (
        "operator family alteration",
        ("operator family", *strings(n.opfamilyname), n.amname),
        None,
    ),
    ast.AlterTSConfigurationStmt: lambda n: (
        "text search mapping",
        ("text search configuration", *strings(n.cfgname)),
        None,
    ),
    ast.CreateConversionStmt: lambda n: _named("conversion", n.conversion_name),
    ast.CreateSeqStmt: lambda n: _relation("sequence", name_of(n.sequence)),
    ast.AlterSeqStmt: _sequence_alteration,
    ast.CreateStmt: lambda n: _relation("table", name_of(n.relation)),
    ast.CreateForeignTableStmt: lambda n: _relation("foreign table", name_of(n.base.relation)),
    ast.CreateTableAsStmt: _create_as,
    ast.ViewStmt: lambda n: _relation("view", name_of(n.view)),
    ast.AlterTableStmt: _alter_table,
    ast.IndexStmt: lambda n: (
        "index",
        ("relation", n.relation.schemaname or "", n.idxname),
        name_of(n.relation),
    ),
    ast.CreateStatsStmt: _statistics,
    ast.AlterStatsStmt: lambda n: ("statistics alteration", ("statistics", *strings(n.defnames)), None),
    ast.CreateTrigStmt: lambda n: _on("trigger", name_of(n.relation), n.trigname),
    ast.RuleStmt: lambda n: _on("rule", name_of(n.relation), n.rulename),
    ast.CreatePolicyStmt: lambda n: _on("policy", name_of(n.table), n.policy_name),
    ast.CreateEventTrigStmt: lambda n: ("event trigger", ("event trigger", n.trigname), None),
    ast.CommentStmt: _about("comment"),
    ast.SecLabelStmt: _about("label"),
    ast.AlterOwnerStmt: _about("owner"),
    ast.GrantStmt: _grant,
    ast.AlterDefaultPrivilegesStmt: lambda n: ("acl", ("other", "default privileges"), None),
    ast.VariableSetStmt: _setting,
}


def walk(node: Any) -> Iterator[Any]:
    """Every node of a parse tree, parents first."""
    if isinstance(node, ast.Node):
        yield node
        for attribute in node:
            yield from walk(getattr(node, attribute))
    elif isinstance(node, tuple):
        for item in node:
            yield from walk(item)
