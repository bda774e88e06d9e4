"""Where messages begin and end in a stream of bytes that arrives split and merged anywhere.

FrameReader walks the headers (type byte and length, protocol chapter 54.7) and cuts nothing but positions: the
caller forwards slices of the very bytes that arrived.  What a message means is left to `exchange` and the session.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

head_at = Struct("!BI").unpack_from
"""The type byte and the length of the message at a position."""

HEADER = 5
# The server's own limit on a message (PQ_LARGE_MESSAGE_LIMIT): a larger length means that the stream is not in step.
LARGEST = 0x3FFFFFFF + 4


class Frame(NamedTuple):
    """A span of `FrameReader.data`: a whole message, or the beginning or the rest of one that is streamed."""

    kind: int
    """The type byte, or STREAM for bytes that begin no message that the caller asked to see."""
    start: int
    end: int


_frame = tuple.__new__  # half the time of Frame(…)
STREAM = 0


class FrameReader:
    """Finds the messages in a stream.

    `feed` adds what arrived; `next` gives spans of `data` in order, without gap, until it gives None: then more
    must be fed.  Messages of the `quiet` types are never announced; those of the `streamed` types, and any of more than
    `most` bytes, are announced by their beginning and not held until they are whole, and `streaming` says whether
    more of the last one is to come; all others are given whole.  `next(whole=True)` gives every message whole.
    Once a length cannot be right, `out_of_step` is set and everything passes as STREAM: it is for the server to
    complain.
    """

    __slots__ = (
        "_held",
        "_held_size",
        "_missing",
        "_need",
        "_position",
        "data",
        "most",
        "out_of_step",
        "quiet",
        "streamed",
    )

    def __init__(self, quiet: frozenset[int], streamed: frozenset[int] = frozenset(), most: int = LARGEST) -> None:
        self.quiet = quiet
        self.streamed = streamed
        self.most = most
        self.data = b""
        self.out_of_step = False
        self._position = 0  # first byte of data not given out yet
        self._missing = 0  # bytes still to come of a message that is being streamed
        self._need = 0  # while whole messages are gathered: bytes needed before trying again
        self._held: list[bytes] = []
        self._held_size = 0

    def __repr__(self) -> str:
        return f"<FrameReader {len(self.data) - self._position} bytes waiting, {self._missing} to stream>"

    @property
    def waiting(self) -> int:
        """Bytes fed and not given out."""
        return len(self.data) - self._position + self._held_size

    @property
    def in_step(self) -> bool:
        """Whether all that was fed has been given out, and what is fed next begins with a message."""
        return self._position == len(self.data) and not (self._missing or self._held or self.out_of_step)

    @property
    def streaming(self) -> bool:
        """Whether the last message given is not whole: the rest of it comes as STREAM."""
        return self._missing > 0

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived.  Spans given before are void: `data` may be another object now."""
        if self._held or self._position < len(self.data):
            # Gathered in a list, so that a large message in many pieces is joined once and not once per piece.
            self._held.append(data)
            self._held_size += len(data)
            if self.waiting >= self._need:
                self._join()
        else:
            self.data = data
            self._position = 0

    def clear(self) -> None:
        """Forget all that was fed."""
        self.data = b""
        self._held.clear()
        self._position = self._missing = self._need = self._held_size = 0

    def _join(self) -> None:
        self.data = b"".join((self.data[self._position :], *self._held))
        self._held.clear()
        self._held_size = self._position = 0

    def next(self, whole: bool = False) -> Frame | None:
        """The next span, or None if more must be fed first."""
        start, size = self._position, len(self.data)
        if start < size and not self._missing and not self.out_of_step:
            frame = self._walk(start, start, size, whole)
        else:
            frame = self._next(whole)
        if frame is None and self._held and self.waiting >= self._need:
            self._join()
            frame = self._next(whole)
        return frame

    def _next(self, whole: bool) -> Frame | None:
        data, start = self.data, self._position
        size = len(data)
        if start == size:
            self._need = 0
            return None
        if self.out_of_step:
            return self._give(STREAM, start, size)
        position = start
        if self._missing:
            position = start + self._missing
            if position > size:
                self._missing -= size - start
                return self._give(STREAM, start, size)
            self._missing = 0
            if whole:
                return self._give(STREAM, start, position)
        return self._walk(start, position, size, whole)

    def _walk(self, start: int, position: int, size: int, whole: bool) -> Frame | None:
        data, quiet = self.data, self.quiet
        while True:
            if size - position < HEADER:
                self._need = HEADER
                break
            kind, length = head_at(data, position)
            if length < 4 or length > LARGEST:
                self.out_of_step = True
                return self._give(STREAM, start, size)
            end = position + 1 + length
            if kind in quiet and not whole:
                if end > size:
                    self._missing = end - size
                    return self._give(STREAM, start, size)
                position = end
                continue
            if position > start:
                return self._give(STREAM, start, position)
            if end <= size:
                return self._give(kind, start, end)
            if (kind in self.streamed or length > self.most) and not whole:
                self._missing = end - size
                return self._give(kind, start, size)
            self._need = end - position
            break
        return self._give(STREAM, start, position) if position > start else None

    def _give(self, kind: int, start: int, end: int) -> Frame:
        self._position = end
        return _frame(Frame, (kind, start, end))
