"""Orders the chosen statements and the copies into steps, and says what must be done before what.

Pure.  The order of pg_dump is kept wherever nothing is won by leaving it.  Where a statement belongs is `slots.py`,
what a step needs in force is `statements.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.naming import Belongings, Naming
from clone_engine.ddl.retarget import Renames
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import TABLES, Conflicts
from clone_engine.planning.copies import Wish, copy_steps
from clone_engine.planning.early import early, longest_ways
from clone_engine.planning.formats import Ends
from clone_engine.planning.key_indexes import apart
from clone_engine.planning.large_objects import large_object_steps
from clone_engine.planning.selection import Item
from clone_engine.planning.slots import Sorter
from clone_engine.planning.statements import (
    NEEDS_METHOD,
    SESSION,
    Available,
    alone,
    briefly,
    build_cost,
    missing_schema,
    statements,
)
from clone_engine.planning.swap import swap_statements
from clone_engine.planning.tolerance import tolerance
from clone_engine.records.names import Name, quote_ident, quote_literal
from clone_engine.records.request import CloneRequest
from clone_engine.records.steps import AnyStep, Copy, Run, Statement
from clone_engine.servers.chosen import condition_of
from clone_engine.servers.journal import Entry
from clone_engine.servers.needs import Needs
from clone_engine.servers.source import Source
from clone_engine.servers.target import Existing, referenced

LATE = "late definitions"
OWNERS = "owners and privileges"
TAIL = "triggers and the rest"
SMALL = 1024 * 1024
"""Bytes of a table whose steps are done together with those of others."""
PER_TRANSACTION = 500
"""Statements of one step.  Each holds some locks to the end of its transaction, and a server that is set up as it comes
has room for about ten thousand."""
GATHERED = frozenset({"statistics", "index alteration"})
"""What says which statistics are gathered of a table."""
WHERE = re.compile(r"^\s*WHERE\s", re.IGNORECASE)

_Key = TypeVar("_Key", bound=Hashable)


class Inputs(NamedTuple):
    """Everything that the order depends on."""

    items: list[Item]
    source: Source
    owned: Belongings
    names: Naming
    existing: Existing
    conflicts: Conflicts
    request: CloneRequest
    parallel: int
    missing: frozenset[str]
    ungenerated: Mapping[Name, frozenset[str]]
    definitions_key: str
    stale: tuple[str, ...]
    needs: Needs
    kept: Mapping[Name, Sequence[Entry]]
    done: frozenset[str]
    """The keys of what earlier jobs have done."""


class Early:
    """Foreign keys that are made before their tables have rows: their identities, and the keys of the steps that make
    them, by the tables that they are of and refer to."""

    def __init__(self) -> None:
        self.keys: set[Identity] = set()
        self.of: dict[Name | None, list[str]] = {}
        self.to: dict[Name | None, list[str]] = {}
        self.referenced: dict[Name, set[Name]] = {}
        """By a table that waits for the rows of others, these others."""


class Graph:
    """Makes the steps.  Reads its inputs only; asking twice gives the same steps."""

    def __init__(self, inputs: Inputs) -> None:
        self._in = inputs
        self._made = frozenset(i.ddl.relation for i in inputs.items if i.ddl.kind in TABLES and i.ddl.relation)
        self._matviews = [i.ddl.relation for i in inputs.items if i.ddl.kind == "materialized view" and i.ddl.relation]
        self._parents = inputs.source.parents
        self._children: dict[Name, list[Name]] = {}
        for name, facts in inputs.source.tables.items():
            if facts.parent:
                self._children.setdefault(facts.parent, []).append(name)
        extensions = {i.ddl.identity[1] for i in inputs.items if i.ddl.kind == "extension"}
        self._installed = extensions - inputs.existing.extensions.keys()
        self._kept = {table for table, facts in inputs.source.tables.items() if facts.extension in self._installed}
        made = {i.ddl.identity[1] for i in inputs.items if i.ddl.kind == "access method"}
        self._available = Available(
            inputs.existing.tablespaces,
            inputs.existing.access_methods | made,
            inputs.existing.default_privileges,
            inputs.conflicts.replaced - inputs.conflicts.anew,
        )
        whole = frozenset(table for table in self._made if not self._lacks_rows(table))
        self._tolerance = tolerance(inputs.items, whole, inputs.names.final, inputs.needs)
        self._slots = Sorter(inputs.owned.tables, self._made, bool(inputs.names.staging), inputs.needs.brought).sorted(
            inputs.items
        )
        self._defined = self._last(inputs.definitions_key, "pre")
        self._keys = self._by_table("keys")
        self._foreign_keys = self._grouped("foreign keys", lambda ddl: ddl.identity)
        self._early = self._early_keys()
        self._bytes = sum(map(self._weight, self._made | self._kept))
        self._ways = longest_ways({t: self._weight(t) for t in self._made | self._kept}, self._early.referenced)
        self._copies = {table: list(self._copy_steps(table)) for table in sorted(self._made | self._kept)}
        self._large_objects = list(
            large_object_steps(inputs.source.large_objects, inputs.request.options.conflict, (inputs.definitions_key,))
        )
        self._indexes = self._grouped("indexes", lambda ddl: Name(*ddl.identity[1:3]))
        self._indexes_of: dict[Name, list[Name]] = {}
        for index, items in self._indexes.items():
            if relation := items[0].ddl.relation:
                self._indexes_of.setdefault(relation, []).append(index)
        self._parted: set[Name] = set()
        """Tables whose keys take over indexes that are built before."""
        self._part_keys()
        self._attachments: dict[Name, list[Item]] = {}
        for table, items in self._by_table("attach").items():
            self._attachments.setdefault(self._root(table), []).extend(items)
        self.swap_key = "swap" if inputs.names.staging else ""
        """The key of the step that puts new tables in the place of old ones; '' if none does."""
        self._tail_slots = ("last",) if self.swap_key else ("tail", "last")
        roots = (table for table in sorted(self._made) if self._root(table) == table)
        self._analyzed = dict.fromkeys(
            t for t in roots if inputs.request.include_data and inputs.source.tables[t].relkind != "f"
        )
        self._told_later = {
            inputs.owned.table_of(i.ddl.relation) for i in self._slots.get("tail", ()) if i.ddl.kind in GATHERED
        }

    def reported_tables(self) -> list[Name]:
        """The tables that the job counts: those with rows to copy, or all that it makes if none has."""
        copied = [table for table, steps in self._copies.items() if steps]
        return copied if self._in.request.include_data else sorted(self._made)

    def on_failure(self) -> Iterator[Statement]:
        """How to undo what is half done."""
        for staging in self._in.names.staging.values():
            yield Statement(f"DROP SCHEMA IF EXISTS {quote_ident(staging)} CASCADE", f"schema {staging}")

    def notes(self) -> Iterator[tuple[str, str]]:
        """What the order leaves out, with why."""
        for table, facts in self._in.source.tables.items():
            if facts.relkind == "f" and table in self._made and self._in.request.include_data:
                yield f"foreign table {table}", "its rows are not copied: they are on the foreign server"
        for place in sorted({item.tablespace for item in self._in.items} - self._available.tablespaces - {""}):
            reason = "is not there on the target, or may not be used; its objects are in the default tablespace"
            yield f"tablespace {place}", reason
        for name in sorted(self._installed & self._in.source.versions.keys()):
            there, here = self._in.source.versions[name], self._in.existing.available.get(name, "")
            if here and here != there:
                yield f"version of extension {name}", f"is {here} on the target, and {there} on the source"
        used = {item.method for item in self._in.items if item.ddl.kind in NEEDS_METHOD}
        for method in sorted(used - self._available.access_methods - {""}):
            yield f"access method {method}", "does not exist on the target; its tables have the default one"

    def steps(self) -> Iterator[AnyStep]:
        """All steps, each after those that it waits for."""
        yield from self._definitions()
        for copies in self._copies.values():
            yield from copies
        yield from self._large_objects
        yield from self._key_steps()
        yield from self._index_steps(self._made)
        yield from self._attach_steps()
        yield from self._foreign_key_steps()
        if self.swap_key:
            yield self._swap()
        else:
            yield from self._in_place()
            yield from self._matview_steps()
        yield from self._tail()
        yield from self._analyze_steps()

    # Statements ----------------------------------------------------------------------------------------------------

    def _statements(self, items: Iterable[Item], renames: Renames) -> Iterator[Statement]:
        """The statements of a step under the names that hold while it runs."""
        return statements(items, renames, self._in.names.final, self._available, self._tolerance)

    def _lacks_rows(self, table: Name) -> bool:
        """Whether options leave out rows of a table: some that `where` does not choose, or whole partitions."""
        tables = [table, *self._partitions(table)]
        return any(self._where(t)[1] for t in tables) or table in self._in.source.lacking

    def _run(
        self,
        key: str,
        phase: str,
        items: Iterable[Item],
        after: Iterable[str],
        *,
        built: bool = False,
        weight: int = 0,
        holds: tuple[str, ...] = (),
        small: bool = False,
    ) -> Run:
        """A step of these items."""
        names = self._in.names
        return Run(
            key=key,
            phase=phase,
            after=tuple(dict.fromkeys(after)),
            weight=weight,
            holds=holds,
            small=small,
            statements=tuple(self._statements(items, names.build if built else names.final)),
        )

    # The steps, in order -------------------------------------------------------------------------------------------

    def _in_turns(
        self, key: str, phase: str, items: list[Item], after: Iterable[str], *, built: bool = False
    ) -> Iterator[Run]:
        """Steps of some of these items each, one behind the other, undisturbed by other jobs, which may change what
        they change too; `_last` is the key of the last one."""
        for number in range(_parts(len(items))):
            some = items[number * PER_TRANSACTION : (number + 1) * PER_TRANSACTION]
            step = self._run(_part(key, number), phase, some, after, built=built)
            session, *made = step.statements
            yield msgspec.structs.replace(step, statements=(session, *alone(self._in.request.schema_name), *made))
            after = (step.key,)

    def _last(self, key: str, *slots: str) -> str:
        """The key of the last step that makes the items of these slots, of which the first step has `key`."""
        return _part(key, _parts(sum(len(self._slots.get(slot, ())) for slot in slots)) - 1)

    def _definitions(self) -> Iterator[Run]:
        first, *others = self._in_turns(
            self._in.definitions_key, "creating table", self._slots.get("pre", []), (), built=True
        )
        made = (i.ddl.identity[1] for i in self._slots.get("pre", ()) if i.ddl.kind == "schema")
        missing = sorted((self._in.source.schemas | self._in.needs.places) - self._in.existing.schemas - set(made))
        places = [statement for name in missing for statement in missing_schema(name)]
        for name in self._in.stale:
            places.append(Statement(f"DROP SCHEMA IF EXISTS {quote_ident(name)} CASCADE", f"schema {name}", True))
        for staging in self._in.names.staging.values():
            places.append(Statement(f"CREATE SCHEMA {quote_ident(staging)}", ""))
        before = 1 + len(alone(self._in.request.schema_name))
        found = first.statements
        yield msgspec.structs.replace(first, statements=(*found[:before], *places, *found[before:]))
        yield from others

    def _copy_steps(self, table: Name) -> Iterator[Copy]:
        inputs = self._in
        request = inputs.request
        facts = inputs.source.tables.get(table)
        if facts is None or not request.include_data:
            return
        ordinary = inputs.ungenerated.get(table, frozenset())
        columns = [
            c.name for c in facts.columns if c.name not in inputs.missing and (not c.generated or c.name in ordinary)
        ]
        rows_of, where = self._where(table)
        wish = Wish(
            target=inputs.names.build.relation(table),
            columns=columns,
            rows_of=rows_of,
            where=where,
            narrow=any(c.name in inputs.missing for c in facts.columns),
            as_query=bool(ordinary),
            # Without a snapshot, a row that is moved between the reading of two parts would be in neither.
            parallel=inputs.parallel if request.options.consistent and self._outweighs(table) else 1,
            ends=Ends(
                inputs.source.version,
                inputs.existing.version,
                same_types=self._of_one_snapshot,
                same_enums=not (inputs.needs.notes or any(kind == "type" for kind, *_ in inputs.conflicts.left)),
            ),
            fresh=table in self._made,
            replica=table in self._early.of,
            format=request.options.format,
            small=self._small(table) and not where,  # which may take any time
            kept=inputs.kept.get(table, ()),
        )
        yield from copy_steps(facts, wish, (self._defined, *self._early.of.get(table, ())))

    @property
    def _of_one_snapshot(self) -> bool:
        """Whether definitions and rows are of one moment."""
        return self._in.request.options.consistent and not self._in.done

    def _early_keys(self) -> Early:
        """The foreign keys that are made before their tables have rows; none unless all rows are of one snapshot."""
        inputs = self._in
        if not (inputs.existing.may_replicate and inputs.request.include_data and self._of_one_snapshot):
            return Early()
        whole = {
            table
            for table in self._made
            if (facts := inputs.source.tables.get(table)) and facts.relkind == "r" and not facts.parent
            if not self._lacks_rows(table)
        }
        keys = {table: [item.ddl for item in items if item.ddl.kind == "key"] for table, items in self._keys.items()}
        firsts = [items[0].ddl for items in self._foreign_keys.values() if items[0].ddl.kind == "foreign key"]
        found = Early()
        for ddl in early(firsts, keys, whole):
            found.keys.add(ddl.identity)
            child, parent = ddl.relation, referenced(ddl)
            assert child and parent
            found.referenced.setdefault(child, set()).add(parent)
            for table, where in ((child, found.of), (parent, found.to)):
                where.setdefault(table, []).append(_foreign_key_step(ddl))
        return found

    def _outweighs(self, table: Name) -> bool:
        """Whether copiers would be idle while one of them copies this table and those that wait for it or it for."""
        return self._ways[table] * self._in.parallel > self._bytes

    def _where(self, table: Name) -> tuple[str, str]:
        """The condition for the rows of a table, after the name by which it may call the table."""
        request = self._in.request
        if request.table_name:
            return request.table_name, request.options.where
        if table in self._kept:
            return table.name, WHERE.sub("", self._in.source.tables[table].condition)
        found = condition_of(table, self._parents, request)
        return (found[0].name, found[1]) if found else (table.name, "")

    def _data_of(self, table: Name) -> list[str]:
        """The keys of all copies into a table and its partitions; the definitions if there are none."""
        tables = [table, *self._partitions(table)]
        return [step.key for t in tables for step in self._copies.get(t, ())] or [self._defined]

    def _partitions(self, table: Name) -> Iterator[Name]:
        for child in self._children.get(table, ()):
            yield child
            yield from self._partitions(child)

    def _root(self, table: Name) -> Name:
        facts = self._in.source.tables.get(table)
        return self._root(facts.parent) if facts and facts.parent in self._made else table

    def _grouped(self, slot: str, key: Callable[[Ddl], _Key]) -> dict[_Key, list[Item]]:
        """The items of a slot by what they are about: a statement with the comments on what it makes."""
        found: dict[_Key, list[Item]] = {}
        for item in self._slots.get(slot, ()):
            found.setdefault(key(item.ddl), []).append(item)
        return found

    def _by_table(self, slot: str) -> dict[Name, list[Item]]:
        found: dict[Name, list[Item]] = {}
        for item in self._slots.get(slot, ()):
            table = self._in.owned.table_of(item.ddl.relation)
            if table:
                found.setdefault(table, []).append(item)
        return found

    def _weight(self, table: Name) -> int:
        facts = self._in.source.tables.get(table)
        return facts.bytes if facts else 0

    def _small(self, table: Name) -> bool:
        """Whether what is done with a table takes a moment, and nobody else knows of the table yet."""
        facts = self._in.source.tables.get(table)
        return table in self._made and facts is not None and facts.relkind == "r" and facts.bytes <= SMALL

    def _part_keys(self) -> None:
        """Have the indexes of keys built beside the table's others, where nothing waits for the keys."""
        for table, items in self._keys.items():
            if not self._may_be_parted(table):
                continue
            pairs = {n: pair for n, item in enumerate(items) if item.ddl.kind == "key" and (pair := apart(item.ddl))}
            names = [Name(*pair.building.identity[1:3]) for pair in pairs.values()]
            if not self._are_parted(table, names):
                continue
            self._parted.add(table)
            self._indexes_of[table] = [*names, *self._indexes_of.get(table, ())]
            for name, (n, pair) in zip(names, pairs.items(), strict=True):
                self._indexes[name] = [items[n]._replace(ddl=pair.building)]
                items[n] = items[n]._replace(ddl=pair.taking)

    def _may_be_parted(self, table: Name) -> bool:
        """Whether its keys may take over indexes, and it is large enough, or might have been for an earlier job."""
        facts = self._in.source.tables.get(table)
        plain = facts is not None and facts.relkind == "r" and table in self._made
        return plain and bool(self._in.done or not self._small(table))

    def _are_parted(self, table: Name, key_indexes: Collection[Name]) -> bool:
        # What an earlier job has begun goes on as it began, whatever the table looks like now.
        if f"constraints of {table}" in self._in.done:
            return False
        if any(f"index {index}" in self._in.done for index in key_indexes):
            return True
        builds = len(key_indexes) + len(self._indexes_of.get(table, ()))
        return bool(key_indexes) and builds > 1 and not self._small(table) and table not in self._early.to

    def _key_steps(self) -> Iterator[Run]:
        for table, items in self._keys.items():
            parted = table in self._parted
            yield self._run(
                f"constraints of {table}",
                "creating constraints",
                items,
                [f"index {index}" for index in self._indexes_of[table]] if parted else self._data_of(table),
                built=True,
                weight=0 if parted else self._weight(table),
                holds=(str(table),),
                small=self._small(table),
            )

    def _index_steps(self, relations: Iterable[Name], after: str = "") -> Iterator[Run]:
        """One step per index.  They follow keys that build their own, which lock the table for themselves anyway."""
        for table in sorted(relations):
            locked = table in self._keys and table not in self._parted
            data = [f"constraints of {table}"] if locked else self._data_of(table)
            data = [*data, *self._early.to.get(table, ())]  # which lock it against index builds
            for index in self._indexes_of.get(table, ()):
                yield self._run(
                    f"index {index}",
                    "creating indexes",
                    self._indexes[index],
                    [after] if after else data,
                    built=table in self._made,
                    weight=round(self._weight(table) * build_cost(self._indexes[index][0].ddl)),
                    small=self._small(table),
                )

    def _made_of(self, table: Name) -> list[str]:
        """The keys of the steps after which a table and its partitions have their data, keys and indexes."""
        tables = [table, *self._partitions(table)]
        keys = [f"constraints of {t}" for t in tables if t in self._keys]
        indexes = [f"index {index}" for t in tables for index in self._indexes_of.get(t, ())]
        return [*self._data_of(table), *keys, *indexes]

    def _attach_steps(self) -> Iterator[Run]:
        for root, items in self._attachments.items():
            after = self._made_of(root)
            yield self._run(
                f"index partitions of {root}", "creating indexes", items, after, built=True, holds=(str(root),)
            )

    def _complete(self, table: Name) -> list[str]:
        """The keys after which foreign keys may refer to a table: its root's, with all partitions attached."""
        root = self._root(table)
        attach = [f"index partitions of {root}"] if root in self._attachments else []
        return [*self._made_of(root), *attach]

    def _all_complete(self) -> list[str]:
        """Everything that comes before late definitions."""
        # Once for each root: it knows of all its partitions, and there may be thousands.
        roots = dict.fromkeys(self._root(table) for table in sorted(self._made))
        keys = [key for table in roots for key in self._complete(table)]
        # What comes behind locks tables, for which it would wait, and not for long, while they are analyzed.
        analyzed = [_analyze_step(table) for table in roots if self._is_analyzed_at_once(table)]
        return list(dict.fromkeys([self._defined, *keys, *analyzed]))

    def _in_place(self) -> Iterator[Run]:
        if late := self._slots.get("late"):
            yield from self._in_turns(LATE, "creating table", late, self._all_complete())
        values = list(self._sequence_statements())
        for number in range(_parts(len(values)) if values else 0):
            yield Run(
                key=_part("sequence values", number),
                phase="setting sequences",
                after=(self._defined,),
                statements=tuple(values[number * PER_TRANSACTION : (number + 1) * PER_TRANSACTION]),
                unlogged=any(sequence.unlogged for sequence in self._in.source.sequences),
            )
        if owners := self._slots.get("owners"):
            # After all that needs the tables: the owner may be one that the caller cannot act for, and grants may
            # keep him out.  And not beside foreign keys: each locks two tables, this locks many, in another order.
            before = [self._last(LATE, "late")] if "late" in self._slots else self._all_complete()
            before += self._foreign_key_keys()
            yield from self._in_turns(OWNERS, "creating constraints", owners, before)

    def _sequence_statements(self) -> Iterator[Statement]:
        """setval for every sequence that is made, and under replace and rename for those left in place."""
        if not self._in.request.include_data:
            return
        made = {i.ddl.relation for i in self._in.items if i.ddl.kind == "sequence"}
        for sequence in self._in.source.sequences:
            identity = sequence.table in self._made and self._in.owned.columns.get(sequence.name)
            kept = ("relation", *sequence.name) in self._in.conflicts.left and self._in.conflicts.swapped
            if sequence.column in self._in.missing and sequence.table in self._made:
                continue
            if sequence.name in made or identity or kept or sequence.extension in self._installed:
                name = self._in.names.final.relation(sequence.name)
                called = "true" if sequence.is_called else "false"
                yield Statement(
                    f"SELECT pg_catalog.setval({quote_literal(name.sql)}, {sequence.last_value}, {called})",
                    f"sequence {name}",
                )

    def _swap(self) -> Run:
        """Everything that must change at once: tables, views with their rows, owners, privileges, policies, triggers.

        Foreign keys are made before, in the staging schemas.  Materialized views are not built there: functions
        that they call would still read the old tables.
        """
        inputs = self._in
        tables = [i.ddl.relation for i in self._slots.get("pre", ()) if i.ddl.kind in TABLES and i.ddl.relation]
        rest = [item for slot in ("late", "owners") for item in self._slots.get(slot, ())]
        session, *made_anew = self._statements(rest, inputs.names.final)
        made_anew += [statement for step in self._matview_steps() for statement in step.statements]
        made_anew += self._statements(self._slots.get("tail", ()), inputs.names.final)
        # Last, since a rollback does not undo setval: of sequences that are there already it must be the only change.
        values = self._sequence_statements()
        lock = briefly(t for t in inputs.conflicts.swapped if inputs.existing.relations[t].relkind != "f")
        moves = swap_statements(
            tables, inputs.names, inputs.conflicts, inputs.existing, inputs.request.options.conflict
        )
        return Run(
            key=self.swap_key,
            phase="swapping tables",
            after=(*self._all_complete(), *self._foreign_key_keys()),
            statements=(session, *alone(inputs.request.schema_name), *lock, *moves, *made_anew, *values),
            patient=True,
        )

    def _foreign_key_keys(self) -> list[str]:
        return [_foreign_key_step(items[0].ddl) for items in self._foreign_keys.values()]

    def _foreign_key_steps(self) -> Iterator[Run]:
        for key, items in zip(self._foreign_key_keys(), self._foreign_keys.values(), strict=True):
            ddl = items[0].ddl
            ends = [end for end in (ddl.relation, referenced(ddl)) if end]
            if ddl.identity in self._early.keys:
                yield self._early_step(key, items, ends)
                continue
            after = [key for end in ends if end in self._made or end in self._kept for key in self._complete(end)]
            yield self._run(
                key,
                "creating constraints",
                items,
                after or [self._defined],
                built=True,
                weight=sum(map(self._weight, ends)),
                holds=tuple(sorted({str(self._root(end)) for end in ends})),
                small=all(map(self._small, ends)),
            )

    def _early_step(self, key: str, items: list[Item], ends: list[Name]) -> Run:
        _, parent = ends
        return self._run(
            key,
            "creating constraints",
            items,
            [f"constraints of {parent}"],
            built=True,
            holds=tuple(sorted(map(str, ends))),
            small=all(map(self._small, ends)),
        )

    def _matview_steps(self) -> Iterator[Run]:
        """Fills materialized views as on the source, each after those that it reads, and then indexes them."""
        before = self._before_matviews()
        for view in self._matviews:
            facts = self._in.source.matviews.get(view)
            last = before
            if self._is_filled(view) and facts:
                final = self._in.names.final.relation(view)
                read = [f"materialized view {v}" for v in sorted(facts.reads) if v in self._matviews]
                last = f"materialized view {view}"
                yield Run(
                    key=last,
                    phase="refreshing materialized views",
                    after=(before, *read),
                    statements=(
                        Statement(SESSION, ""),
                        Statement(f"REFRESH MATERIALIZED VIEW {final.sql}", f"materialized view {final}"),
                    ),
                )
            yield from self._index_steps([view], last)

    def _is_filled(self, view: Name) -> bool:
        facts = self._in.source.matviews.get(view)
        if not (facts and facts.populated and self._in.request.include_data and view in self._matviews):
            return False
        return all(self._is_filled(v) for v in facts.reads)

    def _before_matviews(self) -> str:
        """The last step that matviews wait for: their owners must be able to read what they read."""
        return next(
            (self._last(key, slot) for key, slot in ((OWNERS, "owners"), (LATE, "late")) if slot in self._slots),
            self._defined,
        )

    def _tail(self) -> Iterator[Run]:
        """What is left, in pg_dump's order.  Made even if nothing is: what comes after waits for it alone."""
        # Last are publications, and event triggers, which must not see what the clone does.
        items = [item for slot in self._tail_slots for item in self._slots.get(slot, ())]
        yield from self._in_turns(TAIL, "creating triggers", items, self._before_tail())

    def _before_tail(self) -> list[str]:
        others = [step.key for step in self._large_objects]
        others += [step.key for table in sorted(self._kept) for step in self._copies[table]]
        if self.swap_key:
            return [self.swap_key, *others]
        foreign = self._foreign_key_keys()
        matviews = [step.key for step in self._matview_steps()]
        slots = {"late": LATE, "owners": OWNERS}
        return [
            *others,
            *self._all_complete(),
            *(self._last(key, slot) for slot, key in slots.items() if slot in self._slots),
            *foreign,
            *matviews,
        ]

    def _is_analyzed_at_once(self, table: Name) -> bool:
        """Whether ANALYZE comes as soon as the table is whole, while it is still the caller's: not where it is swapped,
        or what is to be gathered of it is said later."""
        told_later = self._told_later & {table, *self._partitions(table)}
        return table in self._analyzed and not (told_later or self.swap_key)

    def _analyze_steps(self) -> Iterator[Run]:
        """ANALYZE, where it can at once; last of the others.  That of a partitioned table does its partitions too."""
        last = (self._last(TAIL, *self._tail_slots),)
        for relation in [*self._analyzed, *(v for v in self._matviews if self._is_filled(v))]:
            name = self._in.names.final.relation(relation)
            yield Run(
                key=_analyze_step(relation),
                phase="analyzing",
                after=tuple(self._complete(relation)) if self._is_analyzed_at_once(relation) else last,
                weight=self._weight(relation),
                holds=(str(relation),),
                small=self._small(relation),
                statements=(Statement(f"ANALYZE {name.sql}", f"statistics of {name}", tolerated=True),),
            )


def _analyze_step(relation: Name) -> str:
    return f"analyze {relation}"


def _foreign_key_step(ddl: Ddl) -> str:
    return f"foreign key {ddl.identity[-1]} of {ddl.relation}"


def _parts(statements: int) -> int:
    """In how many steps this number of statements is run; one if there are none."""
    return max(1, -(-statements // PER_TRANSACTION))


def _part(key: str, number: int) -> str:
    """The key of the step of this number; the first has the plain one."""
    return f"part {number + 1} of {key}" if number else key
