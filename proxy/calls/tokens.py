"""The tokens of a statement: where a name, an argument, a bracket or a select item ends.

The parser's nodes say where something starts; only the tokens say where it ends.  Positions count characters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from pglast import scan
from pglast.parser import Token

COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
OPEN, CLOSE, COMMA, DOT, SEMICOLON, STAR = ("ASCII_40", "ASCII_41", "ASCII_44", "ASCII_46", "ASCII_59", "ASCII_42")
STRINGS = frozenset({"SCONST", "USCONST"})
PAIRS = {CLOSE: OPEN, "ASCII_93": "ASCII_91", "END_P": "CASE"}
OPENING = frozenset(PAIRS.values())
CLOSING = frozenset(PAIRS)
"""CASE … END brackets like parentheses.  Where END_P is a COMMIT it is not inside an expression."""

# fmt: off
AFTER_ITEM = frozenset(
    {
        "ASCII_44", "ASCII_59", "INTO", "FROM", "WHERE", "GROUP_P", "HAVING", "WINDOW", "UNION", "INTERSECT",
        "EXCEPT", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR", "ON", "RETURNING", "WITH",
    }
)
# fmt: on
"""What can follow an item of a select list or of RETURNING."""


class Tokens:
    """The tokens of one string, comments left out, by index."""

    def __init__(self, sql: str) -> None:
        """Raises pglast's ParseError for text that has no tokens."""
        self.sql = sql
        self.tokens: list[Token] = [token for token in scan(sql) if token.name not in COMMENTS]
        self._starts = [token.start for token in self.tokens]
        self._closing = _pairs(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def at(self, position: int) -> int:
        """The token that starts at this character, or the first one after it."""
        return bisect_left(self._starts, position)

    def name(self, index: int) -> str:
        """The scanner's name of a token; empty beyond the ends."""
        return self.tokens[index].name if 0 <= index < len(self.tokens) else ""

    def text(self, index: int) -> str:
        """A token as the client wrote it; empty beyond the ends."""
        if not 0 <= index < len(self.tokens):
            return ""
        return self.sql[self.tokens[index].start : self.tokens[index].end + 1]

    def start(self, index: int) -> int:
        """The first character of a token."""
        return self.tokens[index].start

    def end(self, index: int) -> int:
        """The character after a token."""
        return self.tokens[index].end + 1

    def following(self, index: int, name: str) -> int:
        """The first token of this name from `index` on."""
        while self.tokens[index].name != name:
            index += 1
        return index

    def closing(self, index: int) -> int:
        """The token that closes the bracket at `index`, be it a CASE."""
        return self._closing[index]

    def commas(self, opening: int) -> list[int]:
        """The commas directly inside the bracket at `opening`."""
        found = []
        index, last = opening + 1, self.closing(opening)
        while index < last:
            if self.tokens[index].name in OPENING:
                index = self.closing(index)
            elif self.tokens[index].name == COMMA:
                found.append(index)
            index += 1
        return found

    def identifier_end(self, index: int) -> int:
        """The last token of the identifier at `index`: U&"…" may have a UESCAPE '…' after it."""
        return index + 2 if self.name(index + 1) == "UESCAPE" else index

    def strings(self, first: int, last: int) -> list[int]:
        """The tokens first … last that are string literals, without what they have behind UESCAPE."""
        names = range(first, last + 1)
        return [i for i in names if self.name(i) in STRINGS and self.name(i - 1) != "UESCAPE"]

    def name_end(self, index: int) -> int:
        """The last token of the name at `index`, whatever schemas stand before it."""
        index = self.identifier_end(index)
        while self.name(index + 1) == DOT:
            index = self.identifier_end(index + 2)
        return index

    def item_end(self, index: int) -> int:
        """The last token of the select or RETURNING item that starts at `index` and has no alias."""
        while index < len(self.tokens):
            name = self.tokens[index].name
            if name in OPENING:
                index = self.closing(index)
            elif name in CLOSING or (name in AFTER_ITEM and not self._inside_item(index)):
                break
            index += 1
        return index - 1

    def _inside_item(self, index: int) -> bool:
        """Whether the keyword at `index` belongs to an expression: IS DISTINCT FROM, timestamp WITH TIME ZONE."""
        return self.name(index - 1) == "DISTINCT" or (self.name(index), self.name(index + 1)) == ("WITH", "TIME")

    def uses(self, start: int, end: int) -> Counter[int]:
        """How often each $n occurs between two characters."""
        inside = range(self.at(start), self.at(end))
        return Counter(int(self.text(i)[1:]) for i in inside if self.tokens[i].name == "PARAM")

    def parameters(self, start: int, end: int) -> int:
        """The highest $n between two characters; 0 without any."""
        return max(self.uses(start, end), default=0)


def _pairs(tokens: list[Token]) -> dict[int, int]:
    """For each token that opens a bracket the one that closes it, in one pass: they may be nested deeply."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for index, token in enumerate(tokens):
        if token.name in OPENING:
            opened.append(index)
        elif opened and PAIRS.get(token.name) == tokens[opened[-1]].name:  # an END may also end a transaction
            found[opened.pop()] = index
    return found
