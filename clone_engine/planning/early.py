"""Which foreign keys may be made before the rows that they bind are there, so that nobody need check these again.

A key that the source has as valid holds for all rows of one snapshot.  It is made while its table is empty and what it
refers to is whole; then the rows are loaded by a role that may leave out the triggers of keys.  Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.nodes import strings
from clone_engine.records.names import Name
from clone_engine.servers.target import referenced


def early(foreign_keys: Iterable[Ddl], keys: Mapping[Name, Collection[Ddl]], tables: Collection[Name]) -> list[Ddl]:
    """Those of `foreign_keys` that may be: between two of `tables`, which are ordinary ones that are cloned whole, to
    one of the referenced table's `keys`; but none that would have tables wait for each other in a circle."""
    found = [ddl for ddl in foreign_keys if _is_plain(ddl) and _ends(ddl, tables) and _has_key(ddl, keys)]
    back = set(_closing_circles(found))
    return [ddl for ddl in found if (ddl.relation, referenced(ddl)) not in back]


def longest_ways(weights: Mapping[Name, int], parents: Mapping[Name, Collection[Name]]) -> dict[Name, int]:
    """For each table the weight of the heaviest chain that it is in: itself, one of its `parents`, one of theirs … and
    so in the other direction.  There must be no circle among them."""
    order = [table for table in TopologicalSorter(parents).static_order() if table in weights]
    up, down = dict(weights), dict(weights)
    for table in order:
        up[table] += max((up[parent] for parent in parents.get(table, ())), default=0)
    for table in reversed(order):
        for parent in parents.get(table, ()):
            down[parent] = max(down[parent], weights[parent] + down[table])
    return {table: up[table] + down[table] - weight for table, weight in weights.items()}


def _is_plain(ddl: Ddl) -> bool:
    """Whether the source has checked the key, and does so always."""
    definition = ddl.node.cmds[0].def_
    return definition.is_enforced and not (definition.skip_validation or definition.fk_with_period)


def _ends(ddl: Ddl, tables: Collection[Name]) -> bool:
    return ddl.relation != referenced(ddl) and ddl.relation in tables and referenced(ddl) in tables


def _has_key(ddl: Ddl, keys: Mapping[Name, Collection[Ddl]]) -> bool:
    parent = referenced(ddl)
    assert parent is not None
    wanted = set(strings(ddl.node.cmds[0].def_.pk_attrs))
    return any(wanted == columns for columns in map(_columns, keys.get(parent, ())))


def _columns(key: Ddl) -> set[str]:
    """The columns of a primary key or of a unique constraint; none for other constraints."""
    definition: Any = key.node.cmds[0].def_
    return set(strings(definition.keys or ()))


def _closing_circles(found: Iterable[Ddl]) -> Iterator[tuple[Name | None, Name | None]]:
    """(table, referenced table) of keys without which no table waits, however indirectly, for itself."""
    waits_for: dict[Name, list[Name]] = {}
    for ddl in found:
        parent = referenced(ddl)
        assert ddl.relation and parent
        waits_for.setdefault(ddl.relation, []).append(parent)
    done: set[Name] = set()
    for start in sorted(waits_for):
        # Depth first, without recursion: chains may be long.
        path: dict[Name, Iterator[Name]] = {} if start in done else {start: iter(waits_for[start])}
        while path:
            table = next(reversed(path))
            parent = next(path[table], None)
            if parent is None:
                del path[table]
                done.add(table)
            elif parent in path:
                yield table, parent
            elif parent not in done:
                path[parent] = iter(waits_for.get(parent, ()))
