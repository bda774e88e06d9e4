"""Chooses the statements of the dump that a clone runs, by its options and by what the target already has.

Pure.  Everything is kept unless one of the rules below says why not.  What the user did not ask to leave out is
noted; what merely hangs on a statement that is left out (its comment, its owner) goes without a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pglast import ast, enums

from clone_engine.ddl.columns import narrowed_table, standing_alone, uses, without_checks
from clone_engine.ddl.definitions import Ddl, parse_statement
from clone_engine.ddl.naming import Belongings
from clone_engine.ddl.nodes import name_of, strings
from clone_engine.ddl.retarget import Renames, mentions
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import LEFT, MADE, TABLES, Conflicts
from clone_engine.planning.needs import object_of
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import Options
from clone_engine.servers.needs import Needs
from clone_engine.servers.source import Source
from clone_engine.servers.target import ROUTINES, Existing, referenced, trigger_function

SILENT = ""
"""The reason of what goes without a note."""
POST = frozenset({
    "key",
    "index",
    "foreign key",
    "trigger",
    "rule",
    "policy",
    "statistics",
    "event trigger",
    "publication",
    "domain constraint",
})  # fmt: skip
"""pg_dump writes these after everything that is needed to load data."""
MAKES = MADE | POST | {"check"}
"""Statements that make what others hang on."""
ABOUT = frozenset({"comment", "owner", "acl", "label"})


class Item(NamedTuple):
    """A statement with what its place in the dump says."""

    ddl: Ddl
    late: bool
    """Whether pg_dump wrote it after the first statement of a kind in POST: a view that needs a primary key, …"""
    tablespace: str
    """default_tablespace in force, '' for the database's own."""
    method: str
    """default_table_access_method in force, '' before the first."""


def itemize(ddls: Iterable[Ddl]) -> list[Item]:
    """The statements with their places; settings become part of what follows them."""
    items: list[Item] = []
    late, settings = False, {"default_tablespace": "", "default_table_access_method": ""}
    for ddl in ddls:
        late = late or ddl.kind in POST
        if ddl.kind == "setting":
            if ddl.node.name in settings:
                settings[ddl.node.name] = _value(ddl.node)
        elif not _sets_search_path(ddl):
            items.append(Item(ddl, late, *settings.values()))
    return items


def _value(node: Any) -> str:
    return str(node.args[0].val.sval) if node.args else ""


def _sets_search_path(ddl: Ddl) -> bool:
    return isinstance(ddl.node, ast.SelectStmt) and "pg_catalog.set_config('search_path'" in ddl.sql


class Wanted(NamedTuple):
    """What the rules go by."""

    options: Options
    owned: Belongings
    final: Renames
    existing: Existing
    conflicts: Conflicts
    source: Source
    needs: Needs = Needs()
    missing: frozenset[str] = frozenset()
    """Columns of the cloned table that are left out."""
    unmet: Mapping[Identity, Name] = {}
    """What cannot be made because the target lacks something, with that."""


class Selection(NamedTuple):
    """The statements to run, in the dump's order, and what is left out with why."""

    items: list[Item]
    notes: list[tuple[str, str]]


class Selector:
    """One pass over the dump.  What was left out so far decides about what hangs on it, which always comes later."""

    def __init__(self, wanted: Wanted, items: list[Item], unfinished: frozenset[Identity] = frozenset()) -> None:
        self.wanted = wanted
        self.unfinished = unfinished
        self.gone: set[Identity] = set()
        self.notes: list[tuple[str, str]] = []
        self.triggers: set[Identity] = set()
        self.keys: dict[Name, list[frozenset[str]]] = {}
        self.routines = {Name(*i.ddl.identity[1:3]) for i in items if i.ddl.kind in ROUTINES}
        self.late_views = {i.ddl.relation for i in items if i.late and i.ddl.kind == "view"}

    def keep(self, item: Item) -> Item | None:
        """The item to run, narrowed where the options ask for it, or None."""
        for rule in RULES:
            reason = rule(self, item)
            if reason is not None:
                self._leave_out(item.ddl, reason)
                return None
        return item._replace(ddl=self._changed(item.ddl))

    def _leave_out(self, ddl: Ddl, reason: str) -> None:
        if ddl.kind in MAKES:
            self.gone.add(ddl.identity)
            if ddl.kind == "key" and ddl.relation:
                self.gone.add(("relation", ddl.relation.schema, ddl.identity[-1]))
        if reason and (ddl.label, reason) not in self.notes:
            self.notes.append((ddl.label, reason))

    def _changed(self, ddl: Ddl) -> Ddl:
        """The statement as the options and the target want it; remembers keys for the foreign keys to come."""
        self._remember_key(ddl)
        if ddl.kind == "trigger":
            self.triggers.add(ddl.identity)
        if ddl.kind in TABLES:
            ddl = self._orphaned(ddl)
            if not self.wanted.options.constraints:
                ddl = without_checks(ddl)
            if self.wanted.missing:
                ddl, words = narrowed_table(ddl, self.wanted.missing)
                self.notes += [(ddl.label, text) for text in words]
        elif ddl.identity in self.wanted.conflicts.replaced and ddl.kind in ROUTINES:
            ddl = parse_statement(ddl.sql.replace("CREATE ", "CREATE OR REPLACE ", 1))
        return ddl

    def _orphaned(self, ddl: Ddl) -> Ddl:
        """A table whose parents are not part of the clone gets what it inherits as its own."""
        facts = self.wanted.source
        parents = [name_of(parent) for parent in getattr(ddl.node, "inhRelations", None) or ()]
        if ddl.relation is None or ddl.relation not in facts.inherited or self.wanted.owned.tables.issuperset(parents):
            return ddl
        listed = ", ".join(map(str, parents))
        self.notes.append((ddl.label, f"does not inherit from {listed}, not all of which is part of this clone"))
        columns = [column.name for column in facts.tables[ddl.relation].columns]
        return standing_alone(ddl, columns, facts.inherited[ddl.relation])

    def has_trigger(self, identity: Identity) -> bool:
        """Whether a trigger is made for a table, or for one that this is a partition of."""
        _, _, schema, table, name = identity
        facts = self.wanted.source.tables.get(Name(schema, table))
        parent = facts.parent if facts else None
        return identity in self.triggers or bool(parent and self.has_trigger(("on", "trigger", *parent, name)))

    def _remember_key(self, ddl: Ddl) -> None:
        if not ddl.relation:
            return
        if ddl.kind == "key":
            self.keys.setdefault(ddl.relation, []).append(frozenset(strings(ddl.node.cmds[0].def_.keys)))
        elif ddl.kind == "index" and ddl.node.unique and not ddl.node.whereClause:
            columns = frozenset(e.name or "" for e in ddl.node.indexParams)
            self.keys.setdefault(ddl.relation, []).append(columns)

    def is_swapped(self, ddl: Ddl) -> bool:
        """Whether this adds a table to a publication that the old table leaves when it is dropped."""
        return ddl.kind == "publication alteration" and ddl.relation in self.wanted.conflicts.swapped

    def is_gone(self, relation: Name | None) -> bool:
        return relation is not None and ("relation", *relation) in self.gone


def select(wanted: Wanted, items: list[Item]) -> Selection:
    """The statements to run and the notes.  PgError where the columns cannot make a table."""
    selector = Selector(wanted, items)
    kept = [changed for item in items if (changed := selector.keep(item))]
    # pg_dump writes some views twice: first a stand-in of NULLs, then the truth.  Never keep only the stand-in.
    unfinished = frozenset(i.ddl.identity for i in kept if i.ddl.kind == "view") & selector.gone
    if unfinished:
        first = selector
        selector = Selector(wanted, items, unfinished)
        kept = [changed for item in items if (changed := selector.keep(item))]
        return Selection(kept, first.notes + [note for note in selector.notes if note not in first.notes])
    return Selection(kept, selector.notes)


# The rules: each gives the reason to leave a statement out, SILENT, or None to keep it ------------------------------


def _left_in_place(s: Selector, item: Item) -> str | None:
    ddl, left = item.ddl, s.wanted.conflicts.left
    if ddl.kind == "attach":
        return _left_unattached(s, ddl)
    if ddl.identity in left and not s.is_swapped(ddl):
        makes = ddl.label == left[ddl.identity]
        return LEFT if makes and ddl.kind != "schema" else SILENT
    if ddl.identity[0] == "domain constraint" and ("type", *ddl.identity[1:3]) in left:
        return SILENT
    table = s.wanted.owned.table_of(ddl.relation)
    if table and ("relation", *table) in left:
        return SILENT
    return None


def _left_unattached(s: Selector, ddl: Ddl) -> str | None:
    """The partitioned table or the partition is left as it is; if both are, so is what they are to each other."""
    partition, left = _attached(ddl), s.wanted.conflicts.left
    table = s.wanted.owned.table_of(ddl.relation)
    there = [("relation", *partition) in left, table is not None and ("relation", *table) in left]
    if all(there):
        return SILENT
    why = "that would add rows to a table" if there[1] else "that is a table"
    return f"its partition {partition} is not attached: {why} that is left as it is" if any(there) else None


def _attached(ddl: Ddl) -> Name:
    """The partition (or partition's index) that a statement attaches."""
    return name_of(ddl.node.cmds[0].def_.name)


def _unmet(s: Selector, item: Item) -> str | None:
    if item.ddl.identity not in s.wanted.unmet:
        return None
    needed = s.wanted.unmet[item.ddl.identity]
    return f"needs {needed}, which does not exist on the target" if item.ddl.kind in MAKES else SILENT


SWITCHES: dict[str, str] = {
    "index": "indexes",
    "key": "constraints",
    "check": "constraints",
    "foreign key": "constraints",
    "trigger": "triggers",
    "trigger state": "triggers",
    "materialized view": "matviews",
}


def _switched_off(s: Selector, item: Item) -> str | None:
    option = SWITCHES.get(item.ddl.kind)
    return SILENT if option and not getattr(s.wanted.options, option) else None


def _needs_keys(s: Selector, item: Item) -> str | None:
    if s.wanted.options.constraints:
        return None
    ddl = item.ddl
    needs = ddl.relation in s.late_views if ddl.kind == "view" else item.late and ddl.kind in MADE_LATE
    return "needs a primary key, and constraints are left out" if needs else None


MADE_LATE = {*ROUTINES, "materialized view"}


def _hangs_on_gone(s: Selector, item: Item) -> str | None:
    ddl, table_of = item.ddl, s.wanted.owned.table_of
    gone = (
        (ddl.identity in s.gone and not s.is_swapped(ddl))
        or ddl.identity in s.unfinished
        or s.is_gone(ddl.relation)
        or s.is_gone(table_of(ddl.relation))
        or (ddl.kind in {"index attach", "attach"} and s.is_gone(_attached(ddl)))
        or (ddl.kind in {"cluster", "replica identity"} and s.is_gone(_index_of(ddl)))
        or (ddl.kind == "trigger state" and not s.has_trigger(ddl.identity))
        or (ddl.identity[:2] == ("on", "constraint") and not s.wanted.options.constraints)
    )
    return SILENT if gone else None


def _index_of(ddl: Ddl) -> Name:
    """The index that CLUSTER ON or REPLICA IDENTITY USING INDEX names."""
    command = ddl.node.cmds[0]
    return Name(ddl.relation.schema if ddl.relation else "", command.name or command.def_.name)


def _uses_missing_column(s: Selector, item: Item) -> str | None:
    missing, ddl, owned = s.wanted.missing, item.ddl, s.wanted.owned
    if not missing or ddl.kind in TABLES or object_of(ddl) in s.wanted.needs.brought:
        return None
    if ddl.relation and owned.columns.get(ddl.relation) in missing:
        return SILENT
    if ddl.kind == "alteration" and any(c.name in missing for c in ddl.node.cmds):
        return SILENT
    if ddl.kind == "comment" and ddl.node.objtype == enums.ObjectType.OBJECT_COLUMN:
        return SILENT if strings(ddl.node.object)[-1] in missing else None
    if uses(ddl.node, missing, owned.tables):
        return SILENT if ddl.kind == "acl" else "uses a column that is left out"
    return None


def _outside(s: Selector, item: Item) -> str | None:
    """Being attached to something that is not part of the clone."""
    ddl, owned = item.ddl, s.wanted.owned
    if ddl.kind == "attach" and ddl.relation not in owned.tables:
        return f"its partition {_attached(ddl)} is not attached: the partitioned table is not part of this clone"
    return SILENT if ddl.kind == "index attach" and ddl.relation not in owned.indexes else None


def _trigger_without_function(s: Selector, item: Item) -> str | None:
    if item.ddl.kind != "trigger":
        return None
    function = trigger_function(item.ddl)
    known = not function.schema or function in s.routines or function in s.wanted.existing.routine_names
    known = known or ("routine", *function, "") in s.wanted.needs.provided
    return None if known else f"its function {function} does not exist on the target"


def _foreign_key_without_table(s: Selector, item: Item) -> str | None:
    table = referenced(item.ddl)
    if table is None:
        return None
    if table not in s.wanted.owned.tables:
        # A table of the source that the dump does not make comes with its extension.
        known = table in s.wanted.existing.relations or table in s.wanted.source.tables
        return None if known else f"the table {table} does not exist on the target"
    columns = frozenset(strings(item.ddl.node.cmds[0].def_.pk_attrs))
    made = ("relation", *table) not in s.wanted.conflicts.left
    without_key = made and columns not in s.keys.get(table, [])
    return f"the key of {table} that it refers to is left out" if without_key else None


def _mentions_gone(s: Selector, item: Item) -> str | None:
    """Views and the like that read something that is left out, and so would be missing on the target."""
    if item.ddl.kind in ABOUT or not s.gone:
        return None
    left, table_of = s.wanted.conflicts.left, s.wanted.owned.table_of
    named = sorted(mentions(item.ddl.node))
    gone = [n for n in named if s.is_gone(n) and ("relation", *(table_of(n) or n)) not in left]
    return f"depends on {gone[0]}, which is left out" if gone else None


def _lacking_table(s: Selector, item: Item) -> str | None:
    """Reading a table or view outside of the clone that the target lacks.  PgError 42P01 where the clone would not be
    complete without what does."""
    ddl = item.ddl
    if not s.wanted.needs.relations or ddl.kind in ABOUT | LINKING:
        return None
    parents = {name_of(parent) for parent in getattr(ddl.node, "inhRelations", None) or ()}
    stands_alone = parents if ddl.relation in s.wanted.source.inherited else set()
    lacking = sorted(s.wanted.needs.relations.intersection(mentions(ddl.node)) - stands_alone)
    if not lacking:
        return None
    if ddl.kind == "rule" or (ddl.kind == "policy" and ddl.node.permissive):
        return f"the table {lacking[0]} does not exist on the target"
    raise PgError(
        "42P01",
        f"pgclone: {ddl.label} needs {lacking[0]}, which does not exist on the target",
        detail="Nothing is changed.",
        hint="Clone that, or its schema, first; pgclone_database brings all schemas at once.",
    )


LINKING = frozenset({"foreign key", "attach", "index attach"})
"""What only ties a table of the clone to another one."""
RULES: tuple[Callable[[Selector, Item], str | None], ...] = (
    _left_in_place,
    _unmet,
    _switched_off,
    _needs_keys,
    _hangs_on_gone,
    _uses_missing_column,
    _outside,
    _trigger_without_function,
    _foreign_key_without_table,
    _mentions_gone,
    _lacking_table,
)
