"""The statements that bring what a clone needs from outside of itself, and their place among its own.

Pure.  What is lacking is `servers/needs.py`; a table or view is never brought, and what follows from that is a rule
of `selection.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pglast import ast

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import strings
from clone_engine.ddl.retarget import mentions
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import TABLES
from clone_engine.records.names import Name
from clone_engine.servers.needs import Needs


def object_of(ddl: Ddl) -> Identity:
    """What a statement makes or is about; for a domain's constraint the domain."""
    return ("type", *ddl.identity[1:3]) if ddl.identity[0] == "domain constraint" else ddl.identity


def brought(ddls: Iterable[Ddl], needs: Needs) -> list[Ddl]:
    """The statements about what is needed, and nothing else."""
    return [ddl for ddl in ddls if object_of(ddl) in needs.brought]


def unneeded(ddls: Iterable[Ddl], needs: Needs) -> list[Ddl]:
    """The other statements."""
    return [ddl for ddl in ddls if object_of(ddl) not in needs.brought]


def without_others(ddls: Iterable[Ddl], needs: Needs) -> list[Ddl]:
    """A schema's dump without what else is in the other schemas of which it holds something needed."""
    return [ddl for ddl in ddls if _schema_of(ddl) not in needs.schemas or object_of(ddl) in needs.brought]


def _schema_of(ddl: Ddl) -> str:
    """The schema of what a statement makes or is about; '' for what is in none."""
    if isinstance(ddl.node, ast.AlterDefaultPrivilegesStmt):
        return next((strings(o.arg)[0] for o in ddl.node.options or () if o.defname == "schemas"), "")
    if ddl.identity[0] == "schema":
        return ddl.identity[1]
    names = ddl.identity[2:] if ddl.identity[0] == "on" else ddl.identity[1:]
    return names[0] if len(names) > 1 else ""


def among(needed: Iterable[Ddl], ddls: Iterable[Ddl], needs: Needs) -> list[Ddl]:
    """`ddls` of some tables with the needed statements: sequences first, then those that need none of these tables, and
    behind the tables the others (a function of their row type).  Constraints of domains that are not proven come last:
    rows may break them."""
    first, rest = list[Ddl](), list[Ddl]()
    for ddl in ddls:
        (first if ddl.kind == "sequence" and ddl.relation in needs.sequences else rest).append(ddl)
    known = {ddl.relation for ddl in rest if ddl.kind in TABLES}
    before, behind, last, waiting = [], [], [], set[Identity]()
    for ddl in needed:
        if ddl.identity[0] == "domain constraint":
            last.append(ddl)
        elif object_of(ddl) in waiting or mentions(ddl.node) & known:
            behind.append(ddl)
            waiting.add(object_of(ddl))
            known.add(Name(*ddl.identity[1:3]))
        else:
            before.append(ddl)
    place = max((place for place, ddl in enumerate(rest, 1) if ddl.kind in TABLES), default=0)
    return [*first, *before, *rest[:place], *behind, *rest[place:], *last]
