"""What the target already has under the names that a clone would make.

Facts only, read once before anything is made; what they mean for the clone is `conflict.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import psycopg

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import name_of, strings
from clone_engine.ddl.subjects import Identity
from clone_engine.records.names import Name, quote_ident
from clone_engine.servers.queries import rows
from clone_engine.servers.server_error import from_psycopg

ROUTINES = {"function", "procedure", "aggregate"}
PARAMETER_PRIVILEGES = 150000
MAY_REPLICATE = "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET')"
IS_SUPERUSER = "SELECT pg_catalog.current_setting('is_superuser')::bool"
NOT_OBJECTS = frozenset({"schema", "tablespace", "extension", "available extension"})
"""What target_places.sql lists that has a field of its own."""


class Present(NamedTuple):
    """One relation of the target (or statistics object, relkind X) and the table it belongs to or is part of."""

    relkind: str
    table: Name | None


class Existing(NamedTuple):
    """What is there.  The defaults are an empty target of the newest version."""

    version: int = 180000
    """As server_version_num."""
    schemas: frozenset[str] = frozenset()
    tablespaces: frozenset[str] = frozenset()
    relations: Mapping[Name, Present] = {}
    statistics: Mapping[Name, Present] = {}
    objects: frozenset[Identity] = frozenset()
    """Types, routines of the dump, collations, languages, … by the identities of the dump's statements."""
    routine_names: frozenset[Name] = frozenset()
    extensions: Mapping[str, str] = {}
    """Installed extensions with their versions."""
    available: Mapping[str, str] = {}
    """Extensions that could be installed, with the version that would be."""
    default_privileges: Mapping[str, tuple[str, ...]] = {}
    """Of the caller: pg_default_acl.defaclobjtype with the grantees, quoted, that are not the caller."""
    may_replicate: bool = False
    """Whether the caller may set session_replication_role, and so load rows without the triggers of foreign keys."""

    @property
    def access_methods(self) -> frozenset[str]:
        """The names of the target's access methods."""
        return frozenset(identity[1] for identity in self.objects if identity[0] == "access method")

    def belongings(self, table: Name) -> list[tuple[Name, str]]:
        """Indexes, owned sequences and statistics of a table, each with its relkind."""
        both = (*self.relations.items(), *self.statistics.items())
        return [(name, p.relkind) for name, p in both if p.table == table and p.relkind in {"i", "I", "S", "X"}]


def schemas_named(ddls: Iterable[Ddl]) -> set[str]:
    """The schemas in which statements make something or expect a referenced table or a trigger function."""
    found: set[str] = set()
    for ddl in ddls:
        if ddl.kind in {"foreign key", "trigger"}:
            found.add((referenced(ddl) or trigger_function(ddl)).schema)
        if ddl.relation:
            found.add(ddl.relation.schema)
        elif ddl.kind == "schema" or len(ddl.identity) > 2:
            found.add(ddl.identity[1])
    return found


def referenced(ddl: Ddl) -> Name | None:
    """The table that a foreign key refers to."""
    return name_of(ddl.node.cmds[0].def_.pktable) if ddl.kind == "foreign key" else None


def trigger_function(ddl: Ddl) -> Name:
    """The function that a trigger calls; its schema is '' for those of pg_catalog."""
    *schema, name = strings(ddl.node.funcname)
    return Name(schema[0] if schema else "", name)


def read_target(connection: psycopg.Connection[Any], ddls: Iterable[Ddl], schemas: Iterable[str]) -> Existing:
    """What the target has in `schemas`, and which of the dump's objects.  PgError with the server's words."""
    listed = sorted(schemas)
    places = rows(connection, "target_places")
    found = [
        (row.relkind, Name(row.schema, row.name), Name(row.table_schema, row.table_name) if row.table_name else None)
        for row in rows(connection, "target_relations", [listed])
    ]
    objects = rows(connection, "target_objects", [listed])
    routines = frozenset(Name(o.schema, o.name) for o in objects if o.kind == "routine")
    operators = frozenset(Name(o.schema, o.name) for o in objects if o.kind == "operator")
    plain = {(o.kind, o.schema, o.name, *([o.method] if o.method else [])) for o in objects}
    outside = {(p.kind, p.name, *([p.other] if p.other else [])) for p in places if p.kind not in NOT_OBJECTS}
    return Existing(
        version=connection.info.server_version,
        schemas=frozenset(p.name for p in places if p.kind == "schema"),
        tablespaces=frozenset(p.name for p in places if p.kind == "tablespace"),
        extensions={p.name: p.other for p in places if p.kind == "extension"},
        available={p.name: p.other for p in places if p.kind == "available extension"},
        relations={name: Present(kind, table) for kind, name, table in found if kind != "X"},
        statistics={name: Present(kind, table) for kind, name, table in found if kind == "X"},
        objects=frozenset(plain | outside) | _by_types(connection, ddls, routines | operators),
        routine_names=routines,
        default_privileges={r.kind: tuple(r.grantees or ()) for r in rows(connection, "default_privileges")},
        may_replicate=_may_replicate(connection),
    )


def _may_replicate(connection: psycopg.Connection[Any]) -> bool:
    query = MAY_REPLICATE if connection.info.server_version >= PARAMETER_PRIVILEGES else IS_SUPERUSER
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def _by_types(connection: psycopg.Connection[Any], ddls: Iterable[Ddl], names: frozenset[Name]) -> set[Identity]:
    """Those routines, operators, casts and transforms of the dump that the target has with the very same types."""
    return {
        ddl.identity
        for ddl in ddls
        if ddl.kind in OF_TYPES or (ddl.identity[0] in OID and Name(*ddl.identity[1:3]) in names)
        if oid_of(connection, ddl)
    }


OID = {
    "routine": "SELECT pg_catalog.to_regprocedure(%s)::oid::bigint",
    "operator": "SELECT pg_catalog.to_regoperator(%s)::oid::bigint",
    "cast": "SELECT oid::bigint FROM pg_catalog.pg_cast"
    " WHERE castsource = pg_catalog.to_regtype(%s) AND casttarget = pg_catalog.to_regtype(%s)",
    "transform": "SELECT t.oid::bigint FROM pg_catalog.pg_transform t"
    " JOIN pg_catalog.pg_language l ON l.oid = t.trflang"
    " WHERE t.trftype = pg_catalog.to_regtype(%s) AND l.lanname = %s",
}
OF_TYPES = frozenset({"cast", "transform"})


def oid_of(connection: psycopg.Connection[Any], ddl: Ddl) -> int:
    """The oid of the target's object that is told apart by types and that the dump makes; 0 if it has none.

    Types that the server does not know are those of an object that it does not have.
    """
    if ddl.kind not in {*ROUTINES, *OF_TYPES, "operator"}:
        return 0
    try:
        with connection.transaction():
            found = connection.execute(OID[ddl.identity[0]], _signature(ddl)).fetchone()
    except psycopg.Error as error:
        if error.sqlstate and error.sqlstate.startswith("42"):
            return 0
        raise from_psycopg(error) from error
    return int(found[0] or 0) if found else 0


def _signature(ddl: Ddl) -> list[str]:
    """What OID asks with."""
    group, *names = ddl.identity
    if group in OF_TYPES:
        return names
    schema, name, types = names
    # An operator's symbol is not quoted in regoperator's syntax.
    return [f"{Name(schema, name).sql if group == 'routine' else f'{quote_ident(schema)}.{name}'}({types})"]
