"""Takes out of a dump what needs a table that options leave out: views, functions, types, policies, …

Pure.  pg_dump leaves out the tables themselves, with what hangs on them.  What is taken out is noted; foreign keys and
inheritance stay in, for `selection.py` to decide by what the target has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import name_of
from clone_engine.ddl.retarget import mentions
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import TABLES
from clone_engine.planning.selection import ABOUT, MAKES, SILENT
from clone_engine.records.names import Name
from clone_engine.servers.source import Source

MENTIONED = frozenset({"relation", "type", "routine"})
"""Groups of identities whose members statements mention by schema and name."""


class Narrowed(NamedTuple):
    """The statements that are left, and what is taken out with why."""

    ddls: list[Ddl]
    notes: list[tuple[str, str]]


class Needing(NamedTuple):
    """A statement with what must be there for it."""

    ddl: Ddl
    names: frozenset[Name]


class Gone(NamedTuple):
    """What is known to be taken out, by name and by identity."""

    names: frozenset[Name]
    identities: frozenset[Identity] = frozenset()


def narrowed(ddls: list[Ddl], facts: Source) -> Narrowed:
    """`ddls` without what needs one of the tables that are left out, each with why it is.

    Their sequences go with them, but for those from which tables of the clone draw.
    """
    if not facts.left_out:
        return Narrowed(ddls, [])
    every = [Needing(ddl, _needs(ddl)) for ddl in _sequences_first(ddls, facts.drawn)]
    start = Gone(facts.idle.union(facts.left_out))
    gone = start
    while (more := _grown(start, every, gone)) != gone:
        gone = more
    reasons = [(one.ddl, _reason(one, gone)) for one in every]
    notes = [(f"table {name}", why) for name, why in facts.left_out.items()]
    notes += dict.fromkeys((ddl.label, reason) for ddl, reason in reasons if reason)
    return Narrowed([ddl for ddl, reason in reasons if reason is None], notes)


def _sequences_first(ddls: list[Ddl], drawn: frozenset[Name]) -> list[Ddl]:
    """`ddls` with these sequences before the first table: one that no longer inherits a default may now have it."""
    first = next((place for place, ddl in enumerate(ddls) if ddl.kind in TABLES), len(ddls))
    is_drawn = [ddl.kind == "sequence" and ddl.relation in drawn for ddl in ddls[first:]]
    rest = list(zip(ddls[first:], is_drawn, strict=True))
    return [*ddls[:first], *(ddl for ddl, moves in rest if moves), *(ddl for ddl, moves in rest if not moves)]


def _needs(ddl: Ddl) -> frozenset[Name]:
    parents = {name_of(parent) for parent in getattr(ddl.node, "inhRelations", None) or ()}
    own = {Name(*ddl.identity[1:3])} if len(ddl.identity) > 2 else set()
    return frozenset(mentions(ddl.node) - parents - own - {ddl.relation})


def _grown(start: Gone, every: Iterable[Needing], gone: Gone) -> Gone:
    """`start` with all that falls when `gone` is not there.  An overloaded routine counts as there while one is."""
    makers = [(one.ddl.identity, _reason(one, gone) is None) for one in every if one.ddl.kind in MAKES]
    lost = frozenset(identity for identity, stays in makers if not stays)
    there = {_name(identity) for identity, stays in makers if stays and identity[0] == "routine"}
    names = {_name(identity) for identity in lost if identity[0] in MENTIONED}
    return Gone(start.names | (names - there), lost)


def _name(identity: Identity) -> Name:
    return Name(*identity[1:3])


def _reason(one: Needing, gone: Gone) -> str | None:
    """Why a statement is taken out: SILENT if it merely hangs on what is; None if it stays."""
    ddl, needed = one
    if ddl.kind == "attach":  # a partition without its table stays, by itself
        return SILENT if name_of(ddl.node.cmds[0].def_.name) in gone.names else None
    if ddl.kind not in ABOUT | {"foreign key"} and (missing := needed & gone.names):
        return f"depends on {min(missing)}, which is left out" if ddl.kind in MAKES | {"alteration"} else SILENT
    return SILENT if ddl.relation in gone.names or ddl.identity in gone.identities else None
