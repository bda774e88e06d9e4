"""What a clone goes on without, and says so: what the caller has no right to make, and what hangs on it.

Pure.  Rows never depend on what is in here: what holds rows, or is needed for them, is never in OPTIONAL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from pglast import ast, enums

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import strings
from clone_engine.ddl.retarget import Renames, retargeted
from clone_engine.ddl.subjects import Identity, identity_of
from clone_engine.planning.selection import Item
from clone_engine.records.names import Name
from clone_engine.servers.needs import Needs
from clone_engine.servers.target import ROUTINES, referenced

TOLERATED = frozenset({"owner", "acl", "label", "session authorization"})
"""Whatever they fail with, the copy is not spoiled: the role may not exist on the target."""
NO_RIGHT, NO_ROLE, NOT_AVAILABLE = "42501", "42704", "0A000"
NO_FILE = "58P01"
"""What PostgreSQL 14 says of an extension that is not available."""
OPTIONAL: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ROUTINES, (NO_RIGHT,)),
    "access method": (NO_RIGHT,),
    "cast": (NO_RIGHT,),
    "comment": (NO_RIGHT,),
    "event trigger": (NO_RIGHT,),
    "event trigger state": (NO_RIGHT,),
    "extension": (NO_RIGHT, NOT_AVAILABLE, NO_FILE),
    "foreign data wrapper": (NO_RIGHT,),
    "foreign table": (NO_RIGHT,),
    "language": (NO_RIGHT,),
    "operator class": (NO_RIGHT,),
    "operator family": (NO_RIGHT,),
    "operator family alteration": (NO_RIGHT,),
    "policy": (NO_ROLE,),
    "publication": (NO_RIGHT,),
    "publication alteration": (NO_RIGHT,),
    "server": (NO_RIGHT,),
    "text search parser": (NO_RIGHT,),
    "text search template": (NO_RIGHT,),
    "transform": (NO_RIGHT,),
    "type": (NO_RIGHT,),
    "type alteration": (NO_RIGHT,),
    "user mapping": (NO_RIGHT, NO_ROLE),
}
"""Kinds of statements with the SQLSTATEs that are reported, and do not fail the clone."""
ABOUT = {"comment", "event trigger state", "operator family alteration", "publication alteration", "type alteration"}
MAKERS = (OPTIONAL.keys() - ABOUT) | {"trigger"}
"""Those that make what others can be about; a trigger is only left out with its function."""


class Tolerance(NamedTuple):
    """What the statements of one clone may fail with."""

    whole: frozenset[Name]
    """The tables that the clone makes, with all their rows."""
    labels: Mapping[Identity, str]
    """Objects that the clone may go on without, as the report names them."""
    needed: Collection[Identity] = ()
    """Objects of other schemas that tables need: without them the tables would fail, with less to say."""

    def all(self, ddl: Ddl) -> bool:
        """Whether the clone is good without this, whatever it fails with.

        A foreign key to a table outside the clone, or to one of which options leave out rows, may find rows missing.
        """
        if ddl.kind == "foreign key":
            return referenced(ddl) not in self.whole
        return ddl.kind in TOLERATED or (ddl.kind == "comment" and ddl.identity[0] == "extension")

    def some(self, ddl: Ddl) -> tuple[str, ...]:
        """The SQLSTATEs that do not fail the clone."""
        if ddl.kind == "alteration" and ddl.node.cmds[0].subtype == enums.AlterTableType.AT_SetCompression:
            return (NOT_AVAILABLE,)  # values arrive all the same; the server was built without lz4
        # Without a restrictive policy there would be more to see than on the source.
        if ddl.kind == "policy" and not ddl.node.permissive:
            return ()
        is_needed = ddl.identity in self.needed and ddl.kind in MAKERS - {"extension"}
        return () if is_needed and not _for_trigger(ddl) else OPTIONAL.get(ddl.kind, ())

    def needs(self, ddl: Ddl) -> tuple[str, ...]:
        """Objects that the clone may go on without, but not make this without."""
        used = [*_used(ddl.node), *(() if ddl.kind in MAKERS else (ddl.identity,))]
        return tuple(self.labels[identity] for identity in used if identity in self.labels)


def tolerance(items: Iterable[Item], whole: frozenset[Name], final: Renames, needs: Needs) -> Tolerance:
    """What the statements `items` of a clone may fail with; reported under their `final` names."""
    labels = {i.ddl.identity: retargeted(i.ddl, final).label for i in items if i.ddl.kind in MAKERS}
    return Tolerance(whole, {**needs.provided, **labels}, needs.brought)


def _for_trigger(ddl: Ddl) -> bool:
    """Whether this is a trigger's function.  The clone may go on without it, and then without the trigger."""
    return ddl.kind == "function" and strings(getattr(ddl.node.returnType, "names", ()))[-1:] == ("trigger",)


def _used(node: Any) -> Iterable[Identity]:
    reader = USED.get(type(node))
    return reader(node) if reader else ()


def _routine(names: Any, types: str = "") -> Identity:
    return ("routine", *strings(names), types)


def _language_of(node: Any) -> Iterable[Identity]:
    return [("language", option.arg.sval) for option in node.options or () if option.defname == "language"]


def _functions_of_wrapper(node: Any) -> Iterable[Identity]:
    types = {"handler": "", "validator": "text[], oid"}
    return [_routine(o.arg, types[o.defname]) for o in node.func_options or () if o.defname in types]


def _functions(*functions: Any) -> list[Identity]:
    return [identity_of(enums.ObjectType.OBJECT_FUNCTION, function) for function in functions if function]


USED: dict[type, Callable[[Any], Iterable[Identity]]] = {
    ast.CreateFunctionStmt: _language_of,
    ast.CreatePLangStmt: lambda n: [_routine(n.plhandler)],
    ast.CreateAmStmt: lambda n: [_routine(n.handler_name, "internal")],
    ast.CreateFdwStmt: _functions_of_wrapper,
    ast.CreateForeignServerStmt: lambda n: [("foreign data wrapper", n.fdwname)],
    ast.CreateUserMappingStmt: lambda n: [("server", n.servername)],
    ast.CreateForeignTableStmt: lambda n: [("server", n.servername)],
    ast.CreateCastStmt: lambda n: _functions(n.func),
    ast.CreateTransformStmt: lambda n: [("language", n.lang), *_functions(n.fromsql, n.tosql)],
    ast.CreateTrigStmt: lambda n: [_routine(n.funcname)],
    ast.CreateEventTrigStmt: lambda n: [_routine(n.funcname)],
}
"""What each statement names of what is optional."""
