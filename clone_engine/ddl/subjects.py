"""What a statement of pg_dump makes or is about: its kind, the object's identity, and the relation that it hangs on.

Pure.  A table of readers, one for each statement type; a type that is not in it is `other`, and kept in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pglast import ast, enums

from clone_engine.ddl.nodes import name_of, strings, type_text
from clone_engine.records.names import Name

Identity = tuple[str, ...]
"""Tells objects apart: ('relation', schema, name) for all that share pg_class, ('routine', schema, name, types), …"""
Subject = tuple[str, Identity, Name | None]
"""The kind of the statement, the object, the relation."""

Kind = enums.ObjectType
A = enums.AlterTableType


def subject(node: Any) -> Subject:
    """What a statement is about."""
    reader = READERS.get(type(node))
    return reader(node) if reader else ("other", ("other", type(node).__name__), None)


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
        objtype = getattr(node, "objtype", getattr(node, "objectType", None))  # the first of the enum is falsy
        target = getattr(node, "relation", None) or getattr(node, "object", None)
        identity = identity_of(objtype, target)
        return kind, identity, relation_of(identity)

    return read


def _grant(node: Any) -> Subject:
    identity = identity_of(node.objtype, node.objects[0]) if node.objects else ("other", "privileges")
    return "acl", identity, relation_of(identity)


def _alter_domain(node: Any) -> Subject:
    """pg_dump uses it to add constraints that are NOT VALID, behind the data."""
    return "domain constraint", ("domain constraint", *strings(node.typeName), node.def_.conname), None


def _alter_publication(node: Any) -> Subject:
    """pg_dump adds one table, or one schema, in each."""
    added = node.pubobjects[0].pubtable
    return "publication alteration", ("publication", node.pubname), name_of(added.relation) if added else None


def _user_mapping(node: Any) -> Subject:
    role = node.user.rolename or node.user.roletype.name.removeprefix("ROLESPEC_").lower()
    return "user mapping", ("user mapping", role, node.servername), None


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
    Kind.OBJECT_DOMCONSTRAINT: (("domain constraint",), None),
    Kind.OBJECT_STATISTIC_EXT: (("statistics",), None),
    Kind.OBJECT_SCHEMA: (("schema",), None),
    Kind.OBJECT_EXTENSION: (("extension",), None),
    Kind.OBJECT_LANGUAGE: (("language",), None),
    Kind.OBJECT_ACCESS_METHOD: (("access method",), None),
    Kind.OBJECT_FDW: (("foreign data wrapper",), None),
    Kind.OBJECT_FOREIGN_SERVER: (("server",), None),
    Kind.OBJECT_PUBLICATION: (("publication",), None),
    Kind.OBJECT_EVENT_TRIGGER: (("event trigger",), None),
}
"""How the list of strings that names an object becomes an identity: what goes in front, how many strings count."""
BY_METHOD = {Kind.OBJECT_OPCLASS: "operator class", Kind.OBJECT_OPFAMILY: "operator family"}
"""The access method comes first in the list, and last in the identity."""
PAIRS = {Kind.OBJECT_CAST: "cast", Kind.OBJECT_TRANSFORM: "transform"}


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
    if objtype in PAIRS:
        return (PAIRS[objtype], *(type_text(n) if isinstance(n, ast.TypeName) else n.sval for n in target))
    names = _flat(target)
    if objtype in BY_METHOD:
        return (BY_METHOD[objtype], *names[1:], names[0])
    group, length = GROUPS.get(objtype, (("other",), None))
    return (*group, *names[:length])


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
    ast.AlterDomainStmt: _alter_domain,
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
    ast.AlterEventTrigStmt: lambda n: ("event trigger state", ("event trigger", n.trigname), None),
    ast.CreatePublicationStmt: lambda n: ("publication", ("publication", n.pubname), None),
    ast.AlterPublicationStmt: _alter_publication,
    ast.CreatePLangStmt: lambda n: ("language", ("language", n.plname), None),
    ast.CreateAmStmt: lambda n: ("access method", ("access method", n.amname), None),
    ast.CreateFdwStmt: lambda n: ("foreign data wrapper", ("foreign data wrapper", n.fdwname), None),
    ast.CreateForeignServerStmt: lambda n: ("server", ("server", n.servername), None),
    ast.CreateUserMappingStmt: _user_mapping,
    ast.CreateCastStmt: lambda n: ("cast", ("cast", type_text(n.sourcetype), type_text(n.targettype)), None),
    ast.CreateTransformStmt: lambda n: ("transform", ("transform", type_text(n.type_name), n.lang), None),
    ast.CommentStmt: _about("comment"),
    ast.SecLabelStmt: _about("label"),
    ast.AlterOwnerStmt: _about("owner"),
    ast.GrantStmt: _grant,
    ast.AlterDefaultPrivilegesStmt: lambda n: ("acl", ("other", "default privileges"), None),
    ast.VariableSetStmt: _setting,
}
