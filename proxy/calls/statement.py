"""One statement on its way to being rewritten: names found, rules checked, text spliced; PREPARE and EXECUTE in SQL.

The steps are files of their own: `occurrences.py`, `rules.py`, `splicer.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pglast import ast

from proxy.calls import refusals
from proxy.calls.asked import asked
from proxy.calls.names import Reference
from proxy.calls.occurrences import Occurrences, View, extension, occurrences, relation
from proxy.calls.ownership import EXISTING_EXTENSION
from proxy.calls.rewritten import Rewritten
from proxy.calls.rules import check, check_run
from proxy.calls.shapes import control, deallocated, modes, shape
from proxy.calls.splice import DATA, Template
from proxy.calls.splicer import Splicer
from proxy.calls.tokens import CLOSE, OPEN, SEMICOLON, Tokens


@dataclass(frozen=True)
class Context:
    """What a statement is seen in.  The fields are the arguments of `rewrite.rewrite`."""

    tokens: Tokens
    prepared: Mapping[str, Rewritten]
    left_alone: frozenset[Reference]
    stubs: frozenset[Reference]
    void_parameters: frozenset[int]
    extended: bool


def found_in(statement: Any, left_alone: frozenset[Reference]) -> Occurrences:
    """What of ours a statement names, COPY of the view included."""
    found = occurrences(statement, left_alone)
    if isinstance(statement, ast.CopyStmt) and (reference := relation(statement.relation, left_alone)):
        found.written.append(View(statement.relation, reference))
    found.extension = extension(statement, left_alone)
    return found


class Statement:
    """One statement of a string, the characters start … end of it."""

    def __init__(self, tree: Any, start: int, end: int, context: Context) -> None:
        self.tree = tree
        self.start = start
        self.end = end
        self.context = context
        self.tokens = context.tokens
        self.shape = shape(tree)
        self.found = found_in(tree, context.left_alone)
        self.splicer = Splicer(context.tokens, self.found, context.void_parameters)

    def rewritten(self) -> Rewritten:
        """The statement, rewritten if it names anything of ours.  Raises PgError if it is refused."""
        execute = self.shape.execute
        executed = self.context.prepared.get(execute.name) if execute else None
        if (not self.found.references and not executed) or self._kept_with_stubs():
            return self._plain()
        if self.found.extension:
            return self._extension()
        check(self.tree, self.shape, self.found, extended=self.context.extended)
        self.splicer.splice()
        if executed:
            return self._execute(execute, executed.prepares or executed)
        result = self._result()
        return self._prepare(self.shape.prepare, result) if self.shape.prepare else result

    def _plain(self) -> Rewritten:
        return Rewritten(
            "plain",
            self._template(),
            control=control(self.tree),
            modes=modes(self.tree, self.tokens, self.end),
            prepare_name=self.shape.prepare.name if self.shape.prepare else None,
            deallocates=deallocated(self.tree),
        )

    def _kept_with_stubs(self) -> bool:
        """Whether the server itself can keep this definition: it finds stubs of ours under all of the names."""
        return self.shape.stored and self.found.references <= self.context.stubs

    def _template(self, data: str = DATA) -> Template:
        splices = (splice._replace(text=splice.text.replace(DATA, data)) for splice in self.splicer.splices)
        return Template.of(self.tokens.sql, self.start, self.end, splices)

    def _result(self) -> Rewritten:
        """The statement with its splices as they are."""
        sites = () if self.shape.explained else self.splicer.sites
        return Rewritten(
            "action" if sites else "read",
            self._template(),
            sites=sites,
            sections=frozenset(self.splicer.sections),
            asked=asked(self.splicer.asked, self._uses()),
            parameters=self.tokens.parameters(self.start, self.end),
            parameter_ok=self.shape.parameter_ok,
            secrets=dict(self.splicer.secrets),
            secret_parameters=self._secret_parameters(),
        )

    def _uses(self) -> Counter[int]:
        return self.tokens.uses(self.start, self.end)

    def _secret_parameters(self) -> frozenset[int]:
        """Those that are used as confidential arguments and nowhere else, where their value would be missed."""
        used, uses = Counter(self.splicer.secret_parameters), self._uses()
        return frozenset(number for number, times in used.items() if uses[number] == times)

    def _extension(self) -> Rewritten:
        """CREATE EXTENSION IF NOT EXISTS, of one that does exist: the server says so and looks no further."""
        name = self.tokens.following(self.tokens.at(self.start), "EXISTS") + 1
        self.splicer.replace(name, self.tokens.identifier_end(name), EXISTING_EXTENSION, self.tokens.start(name))
        return replace(self._result(), notice=EXTENSION_NOTICE)

    def _prepare(self, node: Any, query: Rewritten) -> Rewritten:
        """The data become one more parameter of the prepared statement, behind the client's."""
        types = node.argtypes or ()
        parameters = max(len(types), query.parameters)
        if types:
            name = self.tokens.identifier_end(self.tokens.at(self.start) + 1)
            unknown = ", unknown" * (parameters - len(types))
            closing = self.tokens.closing(name + 1)
            self.splicer.replace(closing, closing, f"{unknown}, pg_catalog.jsonb)", self.tokens.start(closing))
        hidden = f"${parameters + 1}::pg_catalog.jsonb"
        return Rewritten(
            "read",
            self._template(hidden),
            parameter_ok=False,
            prepare_name=node.name,
            prepares=replace(query, parameters=parameters, asked=None),
        )

    def _execute(self, node: Any, prepared: Rewritten) -> Rewritten:
        """The data become one more argument."""
        if prepared.kind == "action":
            check_run(self.shape, extended=self.context.extended)
            if self.splicer.sites:
                raise refusals.nested_actions(self.found.first)
        given = len(node.params or ())
        if given != prepared.parameters:
            raise refusals.wrong_parameter_count(node.name, prepared.parameters, given)
        name = self._execute_name(node.name)
        if given:
            closing = self.tokens.closing(name + 1)
            self.splicer.secrets.update(prepared.secrets)
            self._conceal_arguments(node.params, name + 1, prepared.secret_parameters)
            self.splicer.replace(closing, closing, f", {DATA})", self.tokens.start(closing))
        else:
            self.splicer.insert_after(name, f"({DATA})", self.tokens.start(name))
        result = self._result()
        sites = () if self.shape.explained else result.sites or prepared.sites
        return replace(
            result,
            kind="action" if sites else "read",
            sites=sites,
            sections=result.sections | prepared.sections,
            asked=None,
            secrets={**prepared.secrets, **self.splicer.secrets},
            execute_name=node.name,
        )

    def _conceal_arguments(self, values: tuple[Any, ...], opening: int, numbers: frozenset[int]) -> None:
        bounds = [opening, *self.tokens.commas(opening), self.tokens.closing(opening)]
        for number, (value, before, after) in enumerate(zip(values, bounds, bounds[1:], strict=False), 1):
            if number in numbers:
                self.splicer.conceal(value, before + 1, after - 1)

    def _execute_name(self, name: str) -> int:
        """The last token of the name in EXECUTE name; nodes of this kind have no location."""
        index = self.tokens.at(self.start)
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


EXTENSION_NOTICE = 'extension "pgclone" already exists, skipping'
_AFTER_EXECUTE_NAME = frozenset({OPEN, CLOSE, "WITH", SEMICOLON, ""})
