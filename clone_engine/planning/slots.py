"""Says of each chosen statement in which part of a clone it belongs.

Pure.  The kinds of statements and the place of each are the table SLOTS; what is not in it is a definition and keeps
pg_dump's order.  The steps that the parts become are `graph.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.retarget import mentions
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import TABLES, VIEWS
from clone_engine.planning.selection import ABOUT, Item
from clone_engine.records.names import Name

SLOTS: dict[str, str] = {
    "key": "keys",
    "check": "keys",
    "index": "indexes",
    "index attach": "attach",
    "foreign key": "foreign keys",
    "owner": "owners",
    "acl": "owners",
    "label": "owners",
    "session authorization": "owners",
    "index alteration": "tail",
    "cluster": "tail",
    "replica identity": "tail",
    "statistics": "tail",
    "statistics alteration": "tail",
    "trigger": "tail",
    "trigger state": "tail",
    "rule": "tail",
    "rule state": "tail",
    "policy": "tail",
    "row security": "tail",
    "publication": "last",
    "publication alteration": "last",
    "event trigger": "last",
    "event trigger state": "last",
}
"""Where statements go that are not definitions.  The others: `pre`, before all data, if pg_dump wrote them there,
else `late`, once keys and indexes are made."""
MADE_LATE = frozenset({"tail", "last"})
"""Slots that come after the owners; the owners of what they make come there too."""
ALWAYS_PRE = frozenset({"schema", "extension", "sequence", "sequence alteration", "attach", *TABLES})


class Sorter(NamedTuple):
    """What the place of a statement depends on."""

    tables: frozenset[Name]
    """All tables of the dump."""
    made: frozenset[Name]
    """Those that the clone makes."""
    staging: bool
    """Whether they are built beside old ones and swapped in."""
    brought: Collection[Identity] = ()
    """What comes along because tables need it.  It is whole when it is made: who finds it there leaves it as it is."""

    def sorted(self, items: Iterable[Item]) -> dict[str, list[Item]]:
        """The items by slot, each slot in the dump's order: pre, late, and those of SLOTS."""
        slots: dict[str, list[Item]] = {}
        placed: dict[Identity, str] = {}
        after_swap: set[Identity] = set()
        for item in items:
            slot = self._slot(item, placed, after_swap)
            slots.setdefault(slot, []).append(item)
            if item.ddl.kind not in ABOUT:
                placed.setdefault(item.ddl.identity, slot)
            if item.ddl.kind == "key" and item.ddl.relation:  # and its index
                placed.setdefault(("relation", item.ddl.relation.schema, item.ddl.identity[-1]), slot)
        return slots

    def _slot(self, item: Item, placed: Mapping[Identity, str], after_swap: set[Identity]) -> str:
        ddl = item.ddl
        if ddl.kind == "comment":
            return _slot_of_comment(ddl, placed)
        slot = SLOTS.get(ddl.kind)
        if slot:
            made = placed.get(ddl.identity, "")
            return made if slot == "owners" and (made in MADE_LATE or ddl.identity in self.brought) else slot
        of_table = ddl.kind == "alteration" and ddl.relation in self.tables
        if item.late and ddl.kind not in ALWAYS_PRE and not of_table:
            return "late"
        if self.staging and self._waits_for_swap(ddl, after_swap):
            after_swap.add(ddl.identity)
            return "late"
        return "pre"

    def _waits_for_swap(self, ddl: Ddl, after_swap: set[Identity]) -> bool:
        """Whether this must not exist before the swap: it would be, or be mixed up with, what the old tables have."""
        if ddl.kind in ALWAYS_PRE:
            return False
        if ddl.kind in VIEWS or ddl.kind == "other" or ddl.identity in after_swap:
            return True
        if ddl.kind == "alteration":
            return ddl.relation not in self.tables
        named = mentions(ddl.node)
        return bool(named & self.made) or any(Name(*i[1:3]) in named for i in after_swap)


def _slot_of_comment(ddl: Ddl, placed: Mapping[Identity, str]) -> str:
    """A comment goes with what it is about; one on a constraint within CREATE TABLE with the table."""
    if ddl.identity in placed:
        return placed[ddl.identity]
    if ddl.relation:
        return placed.get(("relation", *ddl.relation)) or "pre"
    return "pre" if ddl.identity[0] in {"schema", "extension", "type", "domain constraint", "routine"} else "tail"
