"""Where a statement's tree names something of ours: calls, the view in FROM, its columns, what would write to it.

Walks any tree, knowing only the few nodes that give names a meaning: WITH, FROM, calls, select lists.  Decides
nothing; what becomes of each occurrence is `rewrite.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pglast import ast

from proxy.calls import names
from proxy.calls.names import Reference
from proxy.calls.signatures import Role, Signature

Node = Any
"""A node of a known kind.  To pglast's annotations every attribute may be None, which is not so for one just parsed."""


class Call(NamedTuple):
    """A call of a function of ours."""

    node: Node
    """A FuncCall."""
    reference: Reference
    candidates: tuple[Signature, ...]
    """The functions of that name; which of them is meant, the arguments tell."""
    source: Node
    """The RangeFunction that it is, if it is an item of FROM; else None."""
    inside_action: bool
    """Whether it stands in an argument of an action."""

    @property
    def role(self) -> Role:
        """What it does, which is the same for all candidates."""
        return self.candidates[0].role

    @property
    def returns_set(self) -> bool:
        """Whether it returns rows, which is the same for all candidates too."""
        return bool(self.candidates[0].columns)


class View(NamedTuple):
    """The view as an item of FROM, as the target of a statement that writes, or before one of its columns."""

    node: Node
    """A RangeVar, or the ColumnRef."""
    reference: Reference
    sampled: bool = False


class Item(NamedTuple):
    """An item of a select list or of RETURNING whose column has its name from a call of ours."""

    node: Node
    """A ResTarget."""
    name: str


class Scope(NamedTuple):
    """What the surroundings of a node say about the names in it."""

    ctes: frozenset[str] = frozenset()
    source: bool = False
    """The node is an item of FROM; only there a relation's name is a reference."""
    sampled: bool = False
    inside_action: bool = False


@dataclass
class Occurrences:
    """All that was found in one statement, each list in the order of the text."""

    calls: list[Call] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    written: list[View] = field(default_factory=list)
    """The view as the target of INSERT, UPDATE, DELETE or MERGE."""
    columns: list[View] = field(default_factory=list)
    """Columns that are qualified with the view and its schema.  Without the view in FROM they are nothing of ours."""
    items: list[Item] = field(default_factory=list)
    extension: Reference | None = None
    """The extension, if the statement creates it unless it exists."""

    @property
    def references(self) -> frozenset[Reference]:
        """The names."""
        columns = self.columns if self.views else ()
        named = frozenset(found.reference for found in (*self._named, *columns))
        return named | {self.extension} if self.extension else named

    @property
    def first(self) -> Any:
        """Where the first call or view is in the text; only if there are any."""
        return min(found.node.location for found in self._named)

    @property
    def _named(self) -> list[Call | View]:
        return [*self.calls, *self.views, *self.written]


def occurrences(tree: ast.Node, left_alone: frozenset[Reference] = frozenset()) -> Occurrences:
    """What of ours the tree names, apart from the names in `left_alone`."""
    finder = _Finder(left_alone)
    finder.walk(tree)
    found = finder.found
    located: list[Any]
    for located in (found.calls, found.views, found.written, found.items):
        located.sort(key=lambda each: each.node.location)
    return found


def relation(node: Node, left_alone: frozenset[Reference]) -> Reference | None:
    """The view's name if this relation is the view."""
    if node is None or not names.is_view(node.schemaname, node.relname):
        return None
    reference = Reference("view", node.schemaname, node.relname, node.catalogname)
    return None if reference in left_alone else reference


def extension(node: Node, left_alone: frozenset[Reference]) -> Reference | None:
    """The extension's name if this statement creates it unless it exists."""
    if not isinstance(node, ast.CreateExtensionStmt) or node.extname != names.EXTENSION or not node.if_not_exists:
        return None
    reference = Reference("extension", None, names.EXTENSION)
    return None if reference in left_alone else reference


def function(node: Node, left_alone: frozenset[Reference]) -> tuple[Reference, tuple[Signature, ...]] | None:
    """The name and the functions of that name if this node is a call of ours."""
    if not isinstance(node, ast.FuncCall) or len(node.funcname or ()) > 3:
        return None
    database, schema, name = [None, None, *(part.sval for part in node.funcname or ())][-3:]
    candidates = names.functions(schema, name)
    reference = Reference("function", schema, name, database)
    return (reference, candidates) if candidates and reference not in left_alone else None


def _has_field(node: Node) -> bool:
    """Whether (…).field or (…)[1].field is selected: then the column is named by the field."""
    return any(isinstance(part, ast.String) for part in node.indirection)


Inner = Iterator[tuple[Any, Scope]]


class _Finder:
    def __init__(self, left_alone: frozenset[Reference]) -> None:
        self.left_alone = left_alone
        self.found = Occurrences()

    def walk(self, tree: Any) -> None:
        # A stack of our own: long chains of operators are deep trees, deeper than Python recurses.
        pending: list[tuple[Any, Scope]] = [(tree, Scope())]
        while pending:
            node, scope = pending.pop()
            if isinstance(node, tuple):
                pending.extend((each, scope) for each in node)
            elif isinstance(node, ast.Node):
                inner = _INNER.get(type(node), _Finder.children)
                pending.extend(inner(self, node, scope))

    def children(self, node: ast.Node, scope: Scope, *but: str) -> Inner:
        """All parts of a node, none of them an item of FROM."""
        scope = scope._replace(source=False, sampled=False)
        for name in node:
            value = getattr(node, name)
            if isinstance(value, (tuple, ast.Node)) and name not in but:
                yield value, scope

    def query(self, node: Any, scope: Scope) -> Inner:
        scope = yield from self.with_clause(node.withClause, scope._replace(source=False))
        source = _SOURCES.get(type(node), "")
        yield from self.children(node, scope, "withClause", source)
        if source:
            yield getattr(node, source), scope._replace(source=True)
        if isinstance(node, ast.SelectStmt):
            self.items(node.targetList)
        elif reference := relation(node.relation, self.left_alone):
            self.found.written.append(View(node.relation, reference))

    def with_clause(self, clause: Any, scope: Scope) -> Any:
        """Yields the queries of WITH and returns the scope of the rest."""
        if clause is None:
            return scope
        inner = scope._replace(ctes=scope.ctes | {cte.ctename for cte in clause.ctes})
        for cte in clause.ctes:
            # Without RECURSIVE a query sees only the ones before it.
            yield cte, inner if clause.recursive else scope
            scope = scope._replace(ctes=scope.ctes | {cte.ctename})
        return inner

    def returning(self, node: Node, scope: Scope) -> Inner:
        self.items(node.exprs)
        yield from self.children(node, scope)

    def items(self, targets: Any) -> None:
        for target in targets or ():
            if target.name is None and (name := self.column_name(target.val)):
                self.found.items.append(Item(target, name))

    def column_name(self, node: Any) -> str:
        """The name that PostgreSQL gives an unnamed column, if a call of ours is where it comes from."""
        while True:
            if isinstance(node, (ast.TypeCast, ast.CollateClause)):
                node = node.arg
            elif isinstance(node, ast.CaseExpr):
                node = node.defresult
            elif isinstance(node, ast.A_Indirection) and not _has_field(node):
                node = node.arg
            else:
                found = function(node, self.left_alone)
                return found[0].name if found else ""

    def range_var(self, node: Node, scope: Scope) -> Inner:
        shadowed = node.schemaname is None and node.relname in scope.ctes
        if scope.source and not shadowed and (reference := relation(node, self.left_alone)):
            self.found.views.append(View(node, reference, scope.sampled))
        return
        yield

    def join(self, node: Node, scope: Scope) -> Inner:
        yield node.larg, scope
        yield node.rarg, scope
        yield from self.children(node, scope, "larg", "rarg")

    def table_sample(self, node: Node, scope: Scope) -> Inner:
        yield node.relation, scope._replace(sampled=True)
        yield from self.children(node, scope, "relation")

    def range_function(self, node: Node, scope: Scope) -> Inner:
        scope = scope._replace(source=False)
        for call, *_ in node.functions:
            if self.add_call(call, scope, node):
                yield from self.arguments(call, scope)
            else:
                yield call, scope

    def func_call(self, node: Node, scope: Scope) -> Inner:
        self.add_call(node, scope, None)
        yield from self.arguments(node, scope)

    def add_call(self, node: Node, scope: Scope, source: Node) -> bool:
        found = function(node, self.left_alone)
        if found:
            self.found.calls.append(Call(node, *found, source, scope.inside_action))
        return bool(found)

    def arguments(self, node: Node, scope: Scope) -> Inner:
        found = function(node, self.left_alone)
        action = bool(found and found[1][0].role == "action")
        yield from self.children(node, scope._replace(inside_action=scope.inside_action or action))

    def column_ref(self, node: Node, scope: Scope) -> Inner:
        qualified = node.fields[:-1] if len(node.fields) in (3, 4) else ()
        if qualified and all(isinstance(part, ast.String) for part in qualified):
            database, schema, name = [None, *(part.sval for part in qualified)][-3:]
            reference = Reference("view", schema, name, database)
            if names.is_view(schema, name) and reference not in self.left_alone:
                self.found.columns.append(View(node, reference))
        return
        yield

    def multi_assign_ref(self, node: Node, scope: Scope) -> Inner:
        # (a, b) = (SELECT …): the same node stands in the tree once for each column.
        if node.colno == 1:
            yield from self.children(node, scope)

    def call_stmt(self, node: Node, scope: Scope) -> Inner:
        # The procedure itself is the server's: ours are functions.
        yield from self.children(node.funccall, scope)


_SOURCES: dict[type, str] = {
    ast.SelectStmt: "fromClause",
    ast.UpdateStmt: "fromClause",
    ast.DeleteStmt: "usingClause",
    ast.MergeStmt: "sourceRelation",
}
"""The part of a query that lists what it reads from."""

_INNER: dict[type, Callable[[_Finder, Any, Scope], Inner]] = {
    ast.SelectStmt: _Finder.query,
    ast.InsertStmt: _Finder.query,
    ast.UpdateStmt: _Finder.query,
    ast.DeleteStmt: _Finder.query,
    ast.MergeStmt: _Finder.query,
    ast.ReturningClause: _Finder.returning,
    ast.RangeVar: _Finder.range_var,
    ast.JoinExpr: _Finder.join,
    ast.RangeTableSample: _Finder.table_sample,
    ast.RangeFunction: _Finder.range_function,
    ast.FuncCall: _Finder.func_call,
    ast.ColumnRef: _Finder.column_ref,
    ast.MultiAssignRef: _Finder.multi_assign_ref,
    ast.CallStmt: _Finder.call_stmt,
}
"""Nodes whose parts must be looked at in a way of their own."""
