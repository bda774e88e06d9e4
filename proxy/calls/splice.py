"""Splices: a client's text with parts of it replaced, and the way back from a position in the result.

A template is made once per statement and rendered as often as data is needed; spliced text holds DATA where the
snapshot goes.  What is spliced where is `rewrite.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

DATA = "\0"
"""Stands for the snapshot in spliced text.  No statement can contain it."""


class Splice(NamedTuple):
    """The characters start … end of the client's text give way to `text`.

    `anchor` is the character that an error inside `text` is shown at.
    """

    start: int
    end: int
    text: str
    anchor: int


class Piece(NamedTuple):
    """A run of a template: copied from the client's text at `origin`, or spliced and shown at `origin`."""

    text: str
    origin: int
    copied: bool


@dataclass(frozen=True)
class Rendered:
    """Text to send, and where it came from."""

    text: str
    pieces: tuple[Piece, ...] = field(repr=False)
    """What `text` is made of, in order."""

    def client_position(self, position: int) -> int:
        """The place in the client's text of an error that the server reports for `text`.

        Both count characters from 1; 0, no position, stays 0.  Copied text maps exactly, spliced text to its anchor.
        """
        if position < 1 or not self.pieces:
            return 0
        starts, start = [], 0
        for piece in self.pieces:
            starts.append(start)
            start += len(piece.text)
        found = bisect_right(starts, position - 1) - 1
        piece = self.pieces[found]
        return piece.origin + 1 + (position - 1 - starts[found] if piece.copied else 0)


@dataclass(frozen=True)
class Template:
    """A stretch of the client's text with its splices in it."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, sql: str, start: int, end: int, splices: Iterable[Splice] = ()) -> Template:
        """The characters start … end of `sql` with the splices that lie in them, none overlapping another."""
        pieces = []
        position = start
        # Where a zero-length splice meets one that replaces text, what is inserted comes first.
        for splice in sorted(splices, key=lambda s: (s.start, s.end)):
            pieces.append(Piece(sql[position : splice.start], position, True))
            pieces.append(Piece(splice.text, splice.anchor, False))
            position = splice.end
        pieces.append(Piece(sql[position:end], position, True))
        return cls(tuple(piece for piece in pieces if piece.text))

    def render(self, data: str) -> Rendered:
        """The text with `data`, an SQL expression, wherever the snapshot is read."""
        pieces = tuple(p if p.copied else p._replace(text=p.text.replace(DATA, data)) for p in self.pieces)
        return Rendered("".join(piece.text for piece in pieces), pieces)


def join(parts: Iterable[Rendered]) -> Rendered:
    """The statements of one string as one text again."""
    pieces = tuple(piece for part in parts for piece in part.pieces)
    return Rendered("".join(piece.text for piece in pieces), pieces)
