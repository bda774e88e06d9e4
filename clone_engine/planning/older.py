"""Fits the chosen statements to a target that is older than the source: what it does not know is put in older words,
left out, or fails the clone before anything is made.

Pure.  What rows or their meaning depend on is never left out.  Which version brought what is `features.py`; what cannot
be told from a statement's text (functions, types, settings) the target itself refuses: `advice` is for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pglast import ast, enums

from clone_engine.ddl.definitions import Ddl, label_of, parse_statement, parsed
from clone_engine.ddl.features import features
from clone_engine.ddl.nodes import name_of, strings, walk
from clone_engine.ddl.retarget import rewritten
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.conflict import TABLES
from clone_engine.planning.selection import ABOUT, MAKES, Item
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, quote_ident

C = enums.ConstrType
PER_MAJOR = 10000
NAMES_NOT_NULL, MAINTAIN, NAMES_OF_DOMAINS, UNLOGGED_SEQUENCES = 18, 17, 17, 15
"""The versions that brought what is put in older words here."""
LISTED = 20
"""How many of the objects that a target does not know an error names."""


class Fitted(NamedTuple):
    """The statements for the target, in their order, and what is left out or changed, with why."""

    items: list[Item]
    notes: list[tuple[str, str]]


def fitted(items: list[Item], source_version: int, target_version: int) -> Fitted:
    """`items` as a server of `target_version` (server_version_num) can run them; unchanged if it is not the older.

    PgError 0A000, naming them, if there are some that it does not know and that the clone cannot do without.
    """
    if target_version // PER_MAJOR >= source_version // PER_MAJOR:
        return Fitted(items, [])
    fitter = Fitter(target_version // PER_MAJOR, items)
    kept = [fit for item in items for fit in fitter.fit(item)]
    if fitter.refused:
        raise _refusal(fitter.refused, fitter.major)
    return Fitted(kept, list(dict.fromkeys(fitter.notes)))


def advice(source_version: int, target_version: int) -> str:
    """What to do about a definition or a value that the target refuses; '' if it is no older than the source."""
    source, target = source_version // PER_MAJOR, target_version // PER_MAJOR
    if target >= source:
        return ""
    return (
        f"The target, PostgreSQL {target}, is older than the source, PostgreSQL {source}, and may not know this: leave "
        f"it out, change it on the source, or clone into PostgreSQL {source} or newer."
    )


class Fitter:
    """One pass over the statements.  What was left out so far decides about what is said of it, which comes later."""

    def __init__(self, major: int, items: Iterable[Item]) -> None:
        self.major = major
        self.gone: set[Identity] = set()
        self.nameless: set[Identity] = set()
        """NOT NULL constraints that have no names on the target."""
        self.notes: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []
        """What the clone cannot do without, with the name of what the target lacks."""
        creates = [_body(item.ddl.node) for item in items if item.ddl.kind in TABLES]
        self._parents = {("relation", *name_of(parent)) for c in creates for parent in c.inhRelations or ()}
        self._partitioned = {name_of(c.relation) for c in creates if c.partspec}

    def fit(self, item: Item) -> Iterator[Item]:
        """The statements to run for one: itself, another or none, and perhaps one that follows it."""
        if item.ddl.identity in self.nameless:
            self._leave_out(item.ddl, f"PostgreSQL {self.major} has no names for NOT NULL constraints")
            return
        if item.ddl.identity in self.gone:
            if item.ddl.kind not in ABOUT | {"publication alteration", "event trigger state"}:
                self._leave_out(item.ddl, "what it belongs to is left out")
            return
        for ddl in self._in_older_words(item.ddl):
            found = features(ddl.node, of_partitioned=ddl.relation in self._partitioned)
            lacking = [feature for feature in found if feature.since > self.major]
            spare = next((feature.name for feature in lacking if feature.spare), "")
            if spare:
                self._leave_out(ddl, f"PostgreSQL {self.major} has no {spare}")
            elif lacking:
                self.refused.append((ddl.label, lacking[0].name))
            else:
                yield item._replace(ddl=ddl)

    def _leave_out(self, ddl: Ddl, reason: str) -> None:
        if ddl.kind in MAKES:
            self.gone.add(ddl.identity)
        self.notes.append((ddl.label, reason))

    def _in_older_words(self, ddl: Ddl) -> Iterator[Ddl]:
        if self.major < MAINTAIN and ddl.kind == "acl":
            yield from self._without_maintain(ddl)
        elif self.major < NAMES_NOT_NULL and ddl.kind in TABLES:
            yield from self._with_nameless_not_nulls(ddl)
        elif self.major < NAMES_OF_DOMAINS and isinstance(ddl.node, ast.CreateDomainStmt):
            names = (c.conname for c in filter(_is_not_null, ddl.node.constraints or ()))
            self.nameless |= {("domain constraint", *strings(ddl.node.domainname), name) for name in names if name}
            yield ddl
        elif self.major < UNLOGGED_SEQUENCES and ddl.kind == "sequence":
            yield self._logged(ddl)
        else:
            yield ddl

    def _without_maintain(self, ddl: Ddl) -> Iterator[Ddl]:
        """GRANT or REVOKE without the privilege; nothing if it is the only one."""
        tree = parsed(ddl.sql)
        grant: Any = tree.action if isinstance(tree, ast.AlterDefaultPrivilegesStmt) else tree
        left = tuple(p for p in grant.privileges or () if p.priv_name != "maintain")
        if left == (grant.privileges or ()):
            yield ddl
            return
        self.notes.append((ddl.label, f"PostgreSQL {self.major} has no privilege MAINTAIN"))
        if left:
            grant.privileges = left
            yield rewritten(tree)

    def _logged(self, ddl: Ddl) -> Ddl:
        if ddl.node.sequence.relpersistence != "u":
            return ddl
        tree = parsed(ddl.sql)
        tree.sequence.relpersistence = "p"
        label = label_of("persistence of", ddl.identity)
        self.notes.append((label, f"is logged: PostgreSQL {self.major} has no unlogged sequences"))
        return rewritten(tree)

    def _with_nameless_not_nulls(self, ddl: Ddl) -> Iterator[Ddl]:
        """CREATE TABLE whose NOT NULL constraints are properties of columns, as they were before they had names.

        Those that say NO INHERIT stay as they are where a table inherits from this one: its rows may have NULLs.
        """
        found = [node for node in walk(ddl.node) if _is_not_null(node)]
        self.nameless |= {("on", "constraint", *ddl.identity[1:], node.conname) for node in found if node.conname}
        apart = [node for node in _elements(ddl.node) if _is_not_null(node)]
        private = [node for node in found if node.is_no_inherit and ddl.identity not in self._parents]
        if not apart and not private:
            yield ddl
            return
        tree = parsed(ddl.sql)
        _body(tree).tableElts = tuple(e for e in _elements(tree) if not _is_not_null(e)) or None
        if private:
            reason = f"is inherited: PostgreSQL {self.major} has no NOT NULL constraints that are NO INHERIT"
            names = [str(node.conname or "NOT NULL") for node in private]
            self.notes += [(label_of("check", ("on", "constraint", *ddl.identity[1:], name)), reason) for name in names]
            for node in filter(_is_not_null, walk(tree)):
                node.is_no_inherit = False
        yield rewritten(tree)
        table = Name(*ddl.identity[1:]).sql
        for column in (name for node in apart for name in strings(node.keys)):
            yield parse_statement(f"ALTER TABLE ONLY {table} ALTER COLUMN {quote_ident(column)} SET NOT NULL")


def _body(tree: Any) -> Any:
    return tree.base if isinstance(tree, ast.CreateForeignTableStmt) else tree


def _elements(tree: Any) -> tuple[Any, ...]:
    return _body(tree).tableElts or ()


def _is_not_null(node: Any) -> bool:
    return isinstance(node, ast.Constraint) and node.contype == C.CONSTR_NOTNULL


def _refusal(refused: list[tuple[str, str]], major: int) -> PgError:
    label, lacking = refused[0]
    others = [f"{other}: {name}" for other, name in refused[:LISTED]]
    more = [f"and {len(refused) - LISTED} more"] if len(refused) > LISTED else []
    return PgError(
        "0A000",
        f"pgclone: {label} cannot be made on the target: PostgreSQL {major} has no {lacking}",
        detail="\n".join(["Nothing is changed.", *others, *more]),
        hint="Leave it out (options tables, exclude_tables, constraints, indexes), change it on the source, or clone "
        "into a newer PostgreSQL.",
    )
