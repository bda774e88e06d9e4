"""Statements that name ours, rewritten so that the server can run them: the pure core of interception.

A string goes in, with what the session knows; a list of its statements comes out, each of which renders to text
for given data, or a PgError for a shape that is refused.  Running the text, and the two passes of an action, are the
session's; finding the names is `occurrences.py`, the SQL put in their place `expressions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from pglast import ast, parse_sql
from pglast.parser import ParseError, parse_sql_json

from proxy.calls import expressions, refusals
from proxy.calls.arguments import Bound, bind, is_harmless
from proxy.calls.names import Reference, quoted
from proxy.calls.occurrences import Call, Item, Occurrences, View, occurrences, relation
from proxy.calls.recording import Site
from proxy.calls.shapes import Shape, control, modes, shape
from proxy.calls.splice import DATA, Rendered, Splice, Template, join
from proxy.calls.tokens import CLOSE, OPEN, STAR, Tokens

__all__ = ["Reference", "Rendered", "Rewritten", "Site", "join", "references", "rewrite"]

MANY_TOKENS = 2000
MAX_NESTING = 5000
"""Trees nested deeper than this are not built: a chain of twenty thousand UNIONs overflows the C stack while pglast
makes nodes of it.  Every level takes a token, so that short statements need not be measured."""


@dataclass(frozen=True)
class Rewritten:
    """One statement of a string."""

    kind: Literal["plain", "read", "action"]
    """plain: nothing of ours · read: needs data · action: records calls first, then needs their results."""
    template: Template = field(repr=False)
    control: str = ""
    """The command of a statement that controls transactions: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO,
    PREPARE TRANSACTION …, with AND CHAIN where it says so; empty for others."""
    modes: str = ""
    """Of a BEGIN: its options, as SET TRANSACTION takes them."""
    sites: tuple[Site, ...] = ()
    sections: frozenset[str] = frozenset()
    """The sections of the snapshot that it reads: j rows, p progress, l jobs, v version."""
    parameters: int = 0
    """The highest $n in the client's text."""
    parameter_ok: bool = True
    """Whether the data may travel as a parameter; some statements take none."""
    prepare_name: str | None = None
    """Of an SQL PREPARE of ours: the prepared statement's name."""
    prepares: Rewritten | None = None
    """Of an SQL PREPARE of ours: what EXECUTE of it will be, kind, sites and sections."""
    execute_name: str | None = None
    """Of an SQL EXECUTE of ours, also inside EXPLAIN or CREATE TABLE AS: the prepared statement's name."""

    def render(self, data: str) -> Rendered:
        """The text to send, with `data` as the SQL expression of the snapshot; positions refer to the whole string."""
        return self.template.render(data)


def references(sql: str) -> frozenset[Reference]:
    """Every name of ours in the string; none if it does not parse."""
    parsed = _parse(sql)
    if parsed is None:
        return frozenset()
    return frozenset().union(*(_found(raw.stmt, frozenset()).references for raw in parsed.statements))


def rewrite(
    sql: str,
    *,
    left_alone: frozenset[Reference] = frozenset(),
    prepared: Mapping[str, Rewritten] | None = None,
    void_parameters: frozenset[int] = frozenset(),
    extended: bool = False,
    old_strings: bool = False,
) -> list[Rewritten]:
    """The statements of a string, in order, or [] if nothing in it is ours or it does not parse: forward it as it is.

    `left_alone`: names that mean something of the user's own · `prepared`: statements of ours that the session has
    prepared in SQL, by name · `void_parameters`: numbers of parameters declared as void · `extended`: the string came
    in a Parse · `old_strings`: standard_conforming_strings is off.  Raises PgError for what is refused.
    """
    parsed = _parse(sql)
    if parsed is None or (extended and len(parsed.statements) > 1):
        return []
    known = dict(prepared or {})
    result = []
    try:
        for raw, start, end in parsed.ranges():
            surroundings = Surroundings(parsed.tokens, start, end, left_alone, known, void_parameters, extended)
            rewritten = _Statement(raw.stmt, surroundings).rewritten()
            _remember(raw.stmt, rewritten, known)
            result.append(rewritten)
    except RecursionError:
        return []
    if all(each.kind == "plain" for each in result):
        return []
    if old_strings and "\\" in sql:
        raise refusals.old_strings()
    return result


class _Parsed(NamedTuple):
    statements: tuple[ast.RawStmt, ...]
    tokens: Tokens

    def ranges(self) -> Iterator[tuple[ast.RawStmt, int, int]]:
        """The statements and their text; all texts together are the string."""
        starts = [0, *(raw.stmt_location for raw in self.statements[1:]), len(self.tokens.sql)]
        yield from zip(self.statements, starts, starts[1:], strict=False)


def _parse(sql: str) -> _Parsed | None:
    try:
        tokens = Tokens(sql)
        if len(tokens) > MANY_TOKENS and _nesting(parse_sql_json(sql)) > MAX_NESTING:
            return None
        return _Parsed(parse_sql(sql), tokens)
    except (ParseError, RecursionError, ValueError):  # ValueError: characters that no encoding has
        return None


def _nesting(tree: str) -> int:
    """How deeply objects stand in objects in this JSON."""
    braces = re.sub(r'"(?:[^"\\]|\\.)*"|[^{}"]+', "", tree)
    return max(accumulate(1 if brace == "{" else -1 for brace in braces), default=0)


def _found(statement: Any, left_alone: frozenset[Reference]) -> Occurrences:
    found = occurrences(statement, left_alone)
    if isinstance(statement, ast.CopyStmt) and (reference := relation(statement.relation, left_alone)):
        found.written.append(View(statement.relation, reference))
    return found


def _remember(statement: Any, rewritten: Rewritten, known: dict[str, Rewritten]) -> None:
    """Later statements of the string see what this one prepares and deallocates."""
    if rewritten.prepare_name is not None:
        known[rewritten.prepare_name] = rewritten
    elif isinstance(statement, ast.DeallocateStmt):
        for name in [statement.name] if statement.name is not None else list(known):
            known.pop(name, None)


class Surroundings(NamedTuple):
    """What a statement is seen in: the string, its place there, and what the session knows."""

    tokens: Tokens
    start: int
    end: int
    left_alone: frozenset[Reference]
    prepared: Mapping[str, Rewritten]
    void_parameters: frozenset[int]
    extended: bool


class _Statement:
    """One statement on its way to being rewritten."""

    def __init__(self, statement: Any, surroundings: Surroundings) -> None:
        self.statement = statement
        self.around = surroundings
        self.tokens = surroundings.tokens
        self.shape: Shape = shape(statement)
        self.found = _found(statement, surroundings.left_alone)
        self.splices: list[Splice] = []
        self.sites: dict[tuple[str, ...], Site] = {}
        self.sections: set[str] = set()

    def rewritten(self) -> Rewritten:
        name = self.shape.execute.name if self.shape.execute else None
        executed = self.around.prepared.get(name) if name is not None else None
        if not self.found.references and not executed:
            return Rewritten(
                "plain",
                self._template(),
                control=control(self.statement),
                modes=modes(self.statement, self.tokens, self.around.end),
            )
        self._refuse()
        self._splice()
        if executed:
            return self._execute(self.shape.execute, executed.prepares or executed)
        result = self._result()
        return self._prepare(self.shape.prepare, result) if self.shape.prepare else result

    def _template(self) -> Template:
        return Template.of(self.tokens.sql, self.around.start, self.around.end, self.splices)

    def _result(self) -> Rewritten:
        """The statement with its splices as they are."""
        sites = () if self.shape.explained else tuple(self.sites.values())
        return Rewritten(
            "action" if sites else "read",
            self._template(),
            sites=sites,
            sections=frozenset(self.sections),
            parameters=self.tokens.parameters(self.around.start, self.around.end),
            parameter_ok=self.shape.parameter_ok,
        )

    # ---- what is refused

    def _refuse(self) -> None:
        found, where = self.found, self.shape
        if where.stored:
            raise refusals.stored_definition(found.first)
        if isinstance(self.statement, ast.CopyStmt) and found.written:
            refusal = refusals.copy_to_view if self.statement.is_from else refusals.copy_from_view
            raise refusal(str(found.written[-1].reference))
        for view in found.written:
            raise refusals.not_writable(str(view.reference), view.node.location)
        for view in found.views:
            if view.sampled:
                raise refusals.not_sampled(view.node.location)
        for call in found.calls:
            self._refuse_call(call)

    def _refuse_call(self, call: Call) -> None:
        spelled, position = str(call.reference), call.node.location
        if call.source and (call.source.ordinality or call.source.is_rowsfrom):
            raise refusals.only_alone_in_from(spelled, position)
        if call.signature.role == "rows" and not call.source:
            raise refusals.only_in_from(spelled, position)
        if call.signature.role != "action":
            return
        if call.inside_action:
            raise refusals.nested_actions(position)
        if self.shape.analyzed:
            raise refusals.explain_analyze(position)
        if self.shape.execute and self.around.extended and not self.shape.explained:
            raise refusals.execute_in_parse()
        if self.shape.no_actions:
            raise refusals.action_not_supported(self.shape.no_actions, position)

    # ---- what is spliced

    def _splice(self) -> None:
        for view in self.found.views:
            self._view(view)
        for call in self.found.calls:
            self._call(call)
        for item in self.found.items:
            self._item(item)
        if self.found.views:
            for column in self.found.columns:
                self._column(column)

    def _replace(self, first: int, last: int, text: str, anchor: int) -> None:
        """Put `text` in the place of the tokens first … last."""
        self.splices.append(Splice(self.tokens.start(first), self.tokens.end(last), text, anchor))

    def _insert_after(self, token: int, text: str, anchor: int) -> None:
        end = self.tokens.end(token)
        self.splices.append(Splice(end, end, text, anchor))

    def _view(self, view: View) -> None:
        node, tokens = view.node, self.tokens
        first = tokens.at(node.location)
        last = tokens.name_end(first)
        if not node.inh:  # ONLY v, ONLY (v)
            parenthesized = tokens.name(first - 1) == OPEN
            first -= 1 + parenthesized
            last += parenthesized
        if tokens.name(last + 1) == STAR:
            last += 1
        if tokens.name(first - 1) == "TABLE":
            self._replace(first - 1, first - 1, "SELECT * FROM", node.location)
        alias = "" if node.alias else f" AS {quoted(view.reference.name)}"
        self._replace(first, last, expressions.view_query() + alias, node.location)
        self.sections.add("j")

    def _column(self, column: Any) -> None:
        """schema.view.column: the view has become a subquery, which has no schema."""
        first = self.tokens.at(column.location)
        view = self.tokens.identifier_end(first) + 2
        self._replace(first, self.tokens.identifier_end(view), quoted(column.fields[1].sval), column.location)

    def _item(self, item: Item) -> None:
        last = self.tokens.item_end(self.tokens.at(item.node.location))
        self._insert_after(last, f" AS {quoted(item.name)}", item.node.location)

    def _call(self, call: Call) -> None:
        bound = bind(call, self.tokens, self.around.void_parameters)
        alias = "" if not call.source or call.source.alias else f" AS {quoted(call.reference.name)}"
        anchor, first = call.node.location, self.tokens.at(call.node.location)
        if call.signature.section:
            self.sections.add(call.signature.section)
        if call.signature.role == "rows":
            text = expressions.snapshot_rows(call.signature.section)
            self._replace(first, bound.closing, text + alias, anchor)
            return
        around = self._action(call, bound) if call.signature.role == "action" else self._read(call)
        if call.source:
            around = expressions.scalar_in_from(around)
        self._replace(first, bound.opening, around.before, anchor)
        self._between(bound, around.between, anchor)
        self._replace(bound.closing, bound.closing, around.after + alias, anchor)

    def _between(self, bound: Bound, texts: tuple[str, ...], anchor: int) -> None:
        """Put `texts` in the place of what stands between the arguments: commas, names with arrows, dropped ones."""
        previous = bound.opening
        for given, text in zip(bound.given, ("", *texts), strict=False):
            if given.first > previous + 1:
                self._replace(previous + 1, given.first - 1, text, anchor)
            previous = given.last
        if bound.closing > previous + 1:
            self._replace(previous + 1, bound.closing - 1, "", anchor)

    def _read(self, call: Call) -> expressions.Around:
        beside_action = any(other.signature.role == "action" for other in self.found.calls)
        return expressions.read(call.signature, beside_action=beside_action)

    def _action(self, call: Call, bound: Bound) -> expressions.Around:
        site = self._site(call, bound)
        types = [given.argument.type for given in bound.given]
        defaults = [(argument.default or "NULL", argument.type) for argument in bound.left_out]
        return expressions.action(call.signature, site.index, types, defaults)

    def _site(self, call: Call, bound: Bound) -> Site:
        """Equal calls are one site, so that they stay equal where PostgreSQL compares: in GROUP BY, ORDER BY."""
        tokens = range(self.tokens.at(call.node.location), bound.closing)
        text = tuple(self.tokens.text(token) for token in tokens)
        if text not in self.sites:
            self.sites[text] = Site(len(self.sites), call.signature, bound.order, is_harmless(call))
        return self.sites[text]

    # ---- PREPARE and EXECUTE in SQL

    def _prepare(self, node: Any, query: Rewritten) -> Rewritten:
        """The data become one more parameter of the prepared statement, behind the client's."""
        types = node.argtypes or ()
        parameters = max(len(types), query.parameters)
        if types:
            name = self.tokens.identifier_end(self.tokens.at(self.around.start) + 1)
            unknown = ", unknown" * (parameters - len(types))
            closing = self.tokens.closing(name + 1)
            self._replace(closing, closing, f"{unknown}, pg_catalog.jsonb)", self.tokens.start(closing))
        hidden = f"${parameters + 1}::pg_catalog.jsonb"
        self.splices = [splice._replace(text=splice.text.replace(DATA, hidden)) for splice in self.splices]
        return Rewritten(
            "read",
            self._template(),
            parameter_ok=False,
            prepare_name=node.name,
            prepares=replace(query, parameters=parameters),
        )

    def _execute(self, node: Any, prepared: Rewritten) -> Rewritten:
        """The data become one more argument."""
        if prepared.kind == "action":
            self._refuse_execute_of_action()
        given = len(node.params or ())
        if given != prepared.parameters:
            raise refusals.wrong_parameter_count(node.name, prepared.parameters, given)
        name = self._execute_name(node.name)
        if given:
            closing = self.tokens.closing(name + 1)
            self._replace(closing, closing, f", {DATA})", self.tokens.start(closing))
        else:
            self._insert_after(name, f"({DATA})", self.tokens.start(name))
        result = self._result()
        sites = () if self.shape.explained else result.sites or prepared.sites
        return replace(
            result,
            kind="action" if sites else "read",
            sites=sites,
            sections=result.sections | prepared.sections,
            execute_name=node.name,
        )

    def _refuse_execute_of_action(self) -> None:
        if self.shape.analyzed:
            raise refusals.explain_analyze()
        if self.around.extended and not self.shape.explained:
            raise refusals.execute_in_parse()
        if self.sites:
            raise refusals.nested_actions(self.found.first)

    def _execute_name(self, name: str) -> int:
        """The last token of the name in EXECUTE name; nodes of this kind have no location."""
        index = self.tokens.at(self.around.start)
        while True:
            index = self.tokens.following(index, "EXECUTE") + 1
            last = self.tokens.identifier_end(index)
            if self.tokens.name(last + 1) in _AFTER_EXECUTE_NAME and self._folded(index) in (name, None):
                return last

    def _folded(self, index: int) -> str | None:
        """An identifier as the parser folds it; None for one with escapes."""
        text: Any = self.tokens.text(index)
        if text.startswith('"'):
            return str(text[1:-1].replace('""', '"'))
        return None if "&" in text else str(text).lower()


_AFTER_EXECUTE_NAME = frozenset({OPEN, CLOSE, "WITH", "ASCII_59", ""})
