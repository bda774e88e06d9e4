"""A clone of a schema's functions: the routines of a dump, the types they need, and what hangs on either.

Pure.  Tables and views are not brought: a routine that needs one is left out, and reported, unless the target has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.retarget import mentions
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.needs import object_of
from clone_engine.records.names import Name
from clone_engine.servers.target import ROUTINES, Existing

ALWAYS = frozenset({"schema", "setting", "session authorization"})
SYSTEM = frozenset({"", "pg_catalog", "information_schema"})


def of_routines(ddls: Iterable[Ddl], brought: Collection[Identity] = ()) -> list[Ddl]:
    """The statements of a dump that a clone of a schema's functions is made of, with those about what is `brought`."""
    ddls = list(ddls)
    kept = {ddl.identity for ddl in ddls if ddl.kind in ROUTINES}.union(_types_of_routines(ddls), brought)
    return [ddl for ddl in ddls if ddl.kind in ALWAYS or object_of(ddl) in kept]


def _types_of_routines(ddls: list[Ddl]) -> Iterator[Identity]:
    """The types that routines name, and those that these types name."""
    types = {ddl.identity: ddl for ddl in ddls if ddl.kind == "type"}
    waiting = [ddl for ddl in ddls if ddl.kind in ROUTINES]
    while waiting:
        for name in mentions(waiting.pop().node):
            found = types.pop(("type", *name), None)
            if found:
                yield found.identity
                waiting.append(found)


def needed_schemas(ddls: Iterable[Ddl]) -> set[str]:
    """The schemas in which statements name something."""
    return {name.schema for ddl in ddls for name in mentions(ddl.node)} - SYSTEM


def without_needs(ddls: list[Ddl], existing: Existing) -> dict[Identity, Name]:
    """The routines and types that cannot be made on the target, each with what is missing for it."""
    made = {ddl.identity for ddl in ddls}
    routines = existing.routine_names | {Name(*ddl.identity[1:3]) for ddl in ddls if ddl.kind in ROUTINES}
    missing: dict[Identity, Name] = {}
    for ddl in ddls:
        if ddl.kind not in {*ROUTINES, "type"}:
            continue
        for name in sorted(mentions(ddl.node)):
            kind = ("type", *name)
            there = name.schema in SYSTEM or name in routines or name in existing.relations or kind in existing.objects
            if not there and (kind not in made or kind in missing):
                missing[ddl.identity] = name
                break
    return missing
