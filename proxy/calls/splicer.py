"""Puts expressions in the place of what of ours a statement names, token by token.

Collects the splices, the places where actions are called and the sections that are read.  The SQL is
`expressions.py`, the order of things in a call `arguments.py`.
"""

from __future__ import annotations

from typing import Any

from proxy.calls import confidential, expressions
from proxy.calls.arguments import Bound, bind, is_harmless
from proxy.calls.names import quoted
from proxy.calls.occurrences import Call, Item, Occurrences, View
from proxy.calls.recording import Site
from proxy.calls.signatures import VIEW_SECTION
from proxy.calls.splice import Splice
from proxy.calls.tokens import OPEN, STAR, Tokens


class Splicer:
    """The splices of one statement, as they come together."""

    def __init__(self, tokens: Tokens, found: Occurrences, void_parameters: frozenset[int]) -> None:
        self.tokens = tokens
        self.found = found
        self.void_parameters = void_parameters
        self.splices: list[Splice] = []
        self.sections: set[str] = set()
        self.secrets: dict[str, str] = {}
        """What constants were, by their stand-ins."""
        self.secret_parameters: list[int] = []
        """The numbers of parameters that are a confidential argument, once for each time."""
        self.asked: list[Any] = []
        """The arguments that are numbers of jobs to be looked up."""
        self._with_actions = any(call.role == "action" for call in found.calls)
        self._sites: dict[tuple[str, ...], Site] = {}

    @property
    def sites(self) -> tuple[Site, ...]:
        """The calls of actions."""
        return tuple(self._sites.values())

    def splice(self) -> None:
        """Put expressions in the place of all that was found."""
        for view in self.found.views:
            self._view(view)
        for call in self.found.calls:
            self._call(call)
        for item in self.found.items:
            self._item(item)
        if self.found.views:
            for column in self.found.columns:
                self._column(column)

    def replace(self, first: int, last: int, text: str, anchor: int) -> None:
        """Put `text` in the place of the tokens first … last."""
        self.splices.append(Splice(self.tokens.start(first), self.tokens.end(last), text, anchor))

    def insert_after(self, token: int, text: str, anchor: int) -> None:
        """Put `text` after a token."""
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
            self.replace(first - 1, first - 1, "SELECT * FROM", node.location)
        alias = "" if node.alias else f" AS {quoted(view.reference.name)}"
        self.replace(first, last, expressions.view_query() + alias, node.location)
        self.sections.add(VIEW_SECTION)

    def _column(self, column: View) -> None:
        """schema.view.column: the view has become a subquery, which has no schema."""
        anchor = column.node.location
        first = last = self.tokens.at(anchor)
        for _ in column.node.fields[2:]:
            last = self.tokens.identifier_end(last) + 2
        self.replace(first, self.tokens.identifier_end(last), quoted(column.reference.name), anchor)

    def _item(self, item: Item) -> None:
        last = self.tokens.item_end(self.tokens.at(item.node.location))
        self.insert_after(last, f" AS {quoted(item.name)}", item.node.location)

    def _call(self, call: Call) -> None:
        bound = bind(call, self.tokens, self.void_parameters)
        alias = "" if not call.source or call.source.alias else f" AS {quoted(call.reference.name)}"
        anchor, first = call.node.location, self.tokens.at(call.node.location)
        if bound.signature.section:
            self.sections.add(bound.signature.section)
        around = self._action(call, bound) if call.role == "action" else self._read(bound)
        if call.returns_set:
            around = expressions.rows_in_from(around, bound.signature.columns)
        elif call.source:
            around = expressions.scalar_in_from(around)
        self.replace(first, bound.opening, around.before, anchor)
        self._between(bound, around.between, anchor)
        for given in bound.given:
            if given.argument.confidential:
                self.conceal(given.value, given.first, given.last)
        self.replace(bound.closing, bound.closing, around.after + alias, anchor)

    def conceal(self, value: Any, first: int, last: int) -> None:
        """Keep a confidential value, written in the tokens first … last, from the server."""
        if number := confidential.parameter(value):
            self.secret_parameters.append(number)
        node = confidential.constant(value)
        literals = self.tokens.strings(first, last)
        if node is None or len(literals) != 1:  # a type may have some in brackets
            return
        secret, at = node.val.sval, literals[0]
        known = {each: stand_in for stand_in, each in self.secrets.items()}
        stand_in = known.get(secret, f"{confidential.CONSTANT}{len(known) + 1}")
        self.secrets[stand_in] = secret
        # To its end: U&'…' may have a UESCAPE '…' behind it.
        self.replace(at, self.tokens.identifier_end(at), f"'{stand_in}'", self.tokens.start(at))

    def _between(self, bound: Bound, texts: tuple[str, ...], anchor: int) -> None:
        """Put `texts` in the place of what stands between the arguments: commas, names with arrows, dropped ones."""
        previous = bound.opening
        for given, text in zip(bound.given, ("", *texts), strict=False):
            if given.first > previous + 1:
                self.replace(previous + 1, given.first - 1, text, anchor)
            previous = given.last
        if bound.closing > previous + 1:
            self.replace(previous + 1, bound.closing - 1, "", anchor)

    def _read(self, bound: Bound) -> expressions.Around:
        self.asked.extend(given.value for given in bound.given)
        return expressions.read(bound.signature, beside_action=self._with_actions)

    def _action(self, call: Call, bound: Bound) -> expressions.Around:
        site = self._site(call, bound)
        types = [given.argument.type for given in bound.given]
        defaults = [(argument.default or "NULL", argument.type) for argument in bound.left_out]
        beside_rows = any(other.returns_set and other.role == "action" for other in self.found.calls if other != call)
        unrecorded = expressions.DEPENDENT if beside_rows else expressions.CHANGED
        return expressions.action(bound.signature, site.index, types, defaults, unrecorded)

    def _site(self, call: Call, bound: Bound) -> Site:
        """Equal calls are one site, so that they stay equal where PostgreSQL compares: in GROUP BY, ORDER BY."""
        tokens = range(self.tokens.at(call.node.location), bound.closing)
        text = tuple(self.tokens.text(token) for token in tokens)
        if text not in self._sites:
            self._sites[text] = Site(len(self._sites), bound.signature, bound.order, is_harmless(call))
        return self._sites[text]
