"""A string of statements parsed: their trees, their tokens, and the stretch of text that each of them has.

Guards the parser against what could crash it.  What the trees say is `occurrences.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from pglast import parse_sql
from pglast.parser import ParseError, parse_sql_json

from proxy.calls.tokens import Tokens

MANY_TOKENS = 2000
MOST_TOKENS = 200_000
"""Trees of longer strings are not built: this one takes a second and 80 MB, and nobody writes such a string."""
MAX_NESTING = 5000
"""Trees nested deeper than this are not built: a chain of twenty thousand UNIONs overflows the C stack while pglast
makes nodes of it.  Every level takes a token, so that short strings need not be measured."""

MOST_COMMENTS = 1000
"""Strings with more block comments are not scanned: where they are nested, that takes the square of their number."""


class Parsed(NamedTuple):
    """A string, parsed."""

    trees: tuple[Any, ...]
    """RawStmts."""
    tokens: Tokens

    def statements(self) -> Iterator[tuple[Any, int, int]]:
        """Each statement's tree and the bounds of its text; all texts together are the string."""
        starts = [0, *(raw.stmt_location for raw in self.trees[1:]), len(self.tokens.sql)]
        for raw, start, end in zip(self.trees, starts, starts[1:], strict=False):
            yield raw.stmt, start, end


def readable(sql: str) -> bool:
    """Whether the parser is given this string at all; at a NUL it would stop."""
    return "\0" not in sql and sql.count("/*") <= MOST_COMMENTS


def parse(sql: str) -> Parsed | None:
    """The string, parsed; None if it cannot be, which is for the server to say."""
    if not readable(sql):
        return None
    try:
        tokens = Tokens(sql)
        if len(tokens) > MOST_TOKENS:
            return None
        if len(tokens) > MANY_TOKENS and _nesting(parse_sql_json(sql)) > MAX_NESTING:
            return None
        return Parsed(parse_sql(sql), tokens)
    except (ParseError, RecursionError, ValueError):  # ValueError: characters that no encoding has
        return None


def _nesting(tree: str) -> int:
    """How deeply objects stand in objects in this JSON."""
    braces = re.sub(r'"(?:[^"\\]|\\.)*"|[^{}"]+', "", tree)
    return max(accumulate(1 if brace == "{" else -1 for brace in braces), default=0)
