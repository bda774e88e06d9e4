"""Takes back what the target's default privileges do to new objects: pg_dump's GRANTs start from PostgreSQL's own.

Pure.  The GRANTs and REVOKEs of the source are statements of the dump, and come later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pglast import ast, enums

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import strings
from clone_engine.records.names import Name, quote_ident
from clone_engine.servers.target import ROUTINES

DefaultPrivileges = Mapping[str, tuple[str, ...]]
"""As `Existing.default_privileges`."""


class Class(NamedTuple):
    """A class of objects that default privileges are for."""

    kind: str
    """pg_default_acl.defaclobjtype."""
    word: str
    """What GRANT calls it."""
    public: str = ""
    """What PostgreSQL gives everybody with a new one."""


TABLE = Class("r", "TABLE")
CLASSES: Mapping[str, Class] = {
    "table": TABLE,
    "foreign table": TABLE,
    "view": TABLE,
    "materialized view": TABLE,
    "sequence": Class("S", "SEQUENCE"),
    "type": Class("T", "TYPE", "USAGE"),
    "schema": Class("n", "SCHEMA"),
    **dict.fromkeys(ROUTINES, Class("f", "ROUTINE", "EXECUTE")),
}


def as_built_in(ddl: Ddl, defaults: DefaultPrivileges) -> Iterator[str]:
    """Statements, to be run behind `ddl`, that give the object it makes the privileges it has without defaults."""
    sequence = _identity_sequence(ddl)
    found = CLASSES.get("sequence" if sequence else ddl.kind)
    if not found or found.kind not in defaults:
        return
    object_ = f"{found.word} {sequence.sql if sequence else _name(ddl)}"
    if grantees := defaults[found.kind]:
        yield f"REVOKE ALL ON {object_} FROM {', '.join(grantees)}"
    yield f"GRANT ALL ON {object_} TO CURRENT_USER"
    if found.public:
        yield f"GRANT {found.public} ON {object_} TO PUBLIC"


def _identity_sequence(ddl: Ddl) -> Name | None:
    """The sequence that ALTER TABLE … ADD GENERATED … AS IDENTITY makes."""
    for command in (ddl.node.cmds or ()) if isinstance(ddl.node, ast.AlterTableStmt) else ():
        if command.subtype == enums.AlterTableType.AT_AddIdentity:
            return next(
                (Name(*strings(o.arg)) for o in command.def_.options or () if o.defname == "sequence_name"), None
            )
    return None


def _name(ddl: Ddl) -> str:
    if ddl.kind == "schema":
        return quote_ident(ddl.identity[1])
    if ddl.relation:
        return ddl.relation.sql
    return Name(*ddl.identity[1:3]).sql + (f"({ddl.identity[3]})" if ddl.kind in ROUTINES else "")
