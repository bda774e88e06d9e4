"""Puts newly built tables in the place of existing ones, in one transaction.

Pure: statements only.  Until that transaction commits the old tables are whole; if it fails they stay, and the
staging schema is dropped with everything in it.  Which tables make way is `conflict.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clone_engine.ddl.naming import Naming
from clone_engine.planning.conflict import Conflicts
from clone_engine.records.names import Name, old_name, quote_ident
from clone_engine.records.request import Conflict
from clone_engine.records.steps import Statement
from clone_engine.servers.target import Existing

RENAME = {"i": "INDEX", "I": "INDEX", "S": "SEQUENCE", "X": "STATISTICS"}


def swap_statements(
    tables: Iterable[Name],
    names: Naming,
    conflicts: Conflicts,
    existing: Existing,
    conflict: Conflict,
) -> Iterator[Statement]:
    """Out with the old, in with the new.  `tables` are the source names of all tables built in staging schemas."""
    for drop in conflicts.drops:
        yield Statement(drop.sql, drop.object)
    if conflict == "rename":
        yield from _moved_away(conflicts.swapped, existing)
    elif conflicts.swapped:
        foreign = [name for name in conflicts.swapped if existing.relations[name].relkind == "f"]
        yield from _dropped("FOREIGN TABLE", foreign)
        yield from _dropped("TABLE", [name for name in conflicts.swapped if name not in foreign])
    for table in tables:
        built, final = names.build.relation(table), names.final.relation(table)
        yield Statement(f"ALTER TABLE {built.sql} SET SCHEMA {quote_ident(final.schema)}", f"table {final}")
    for staging in names.staging.values():
        yield Statement(f"DROP SCHEMA {quote_ident(staging)}", "")
    for action in conflicts.restored:
        yield Statement(action.sql, action.object)


def _dropped(kind: str, names: list[Name]) -> Iterator[Statement]:
    """All in one statement: they may refer to each other.  RESTRICT: nothing outside the clone is dropped with them."""
    if names:
        listed, shown = ", ".join(name.sql for name in names), ", ".join(map(str, names))
        yield Statement(f"DROP {kind} {listed} RESTRICT", f"{kind.lower()} {shown} (old)")


def _moved_away(swapped: Iterable[Name], existing: Existing) -> Iterator[Statement]:
    """Renames old tables with their indexes, owned sequences and statistics to the first free name_old, name_old2, …

    Constraints with an index are renamed by renaming the index.
    """
    taken = set(existing.relations)
    taken_statistics = set(existing.statistics)
    for table in swapped:
        for name, relkind in existing.belongings(table):
            names = taken_statistics if relkind == "X" else taken
            moved = _free(name, names)
            kind = RENAME[relkind]
            yield Statement(
                f"ALTER {kind} {name.sql} RENAME TO {quote_ident(moved.name)}", f"{kind.lower()} {name} to {moved.name}"
            )
        moved = _free(table, taken)
        yield Statement(
            f"ALTER TABLE {table.sql} RENAME TO {quote_ident(moved.name)}", f"table {table} to {moved.name}"
        )


def _free(name: Name, taken: set[Name]) -> Name:
    """The name to move to, which is then taken."""
    moved = Name(name.schema, old_name(name.name, {n.name for n in taken if n.schema == name.schema}))
    taken.add(moved)
    return moved
