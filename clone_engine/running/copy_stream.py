r"""The bytes of COPY as the server frames them: where rows end and what follows them.

Pure: no sockets.  `relay_raw.py` moves the bytes; this says which of them are rows.

In binary format rows may hold anything, so that every header is looked at; rows that are wide have few.  In text:

Why rows cannot be taken for anything else, nor anything else for rows (needed because most frames are not looked at):
a row of text format holds no NUL and no newline but its last byte, and its frame is `d`, four bytes of length, the row.
So NULs occur in the length bytes only.  A length is at most 2^30, its first byte at most 0x40.

* `\n d \0` starts a frame, unless the `d` is itself the second or third length byte of another frame (a row of some
  174 MB or 681 kB).  Then `\n d` stands two or three bytes before it as well, at the start of that frame; and it cannot
  stand there by chance, since that would need a row `d\n` or `dX\n` behind a length byte that is a newline, while their
  lengths are 6 and 7.  `_is_row` looks at just these bytes, so it is exact.
* `Z \0 \0 \0 \5` and `C \0 \0 \0` need three NULs behind a byte that is neither `d` nor a possible first length byte.
  Errors and notices hold at most two NULs in a row.  So these are ReadyForQuery and CommandComplete, whatever came.

What is left is the text of an error, which may imitate the start of a row.  It cannot imitate success: that is told by
CommandComplete alone, and ReadyForQuery at the end of what was received ends the stream whatever the frames look like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

LENGTH = Struct("!I").unpack_from
HEAD = Struct("!BI").unpack_from
HEADER: Final = 5
ROW: Final = ord("d")
ROW_START: Final = b"\nd\0"
READY: Final = re.compile(rb"Z\x00\x00\x00\x05[ITE]\Z")
SAMPLE: Final = 16384
"""How many bytes of each chunk are looked through to estimate its rows: 6 % of a chunk, some hundred rows."""

Buffer = bytes | bytearray
Moved = Callable[[int, int], None]
"""Told of (rows, bytes) that were sent on since it was told last; the rows are an estimate.  It is called often."""


def end_of_rows(data: Buffer, start: int, end: int) -> int:
    """The position behind the last row frame that begins in data[start:end]; `start` must be the start of a frame.

    A position beyond `end` means that the last row goes on.  One within it is that of a frame that is not a row, or of
    a header that is not yet complete.
    """
    at = start
    while at + HEADER <= end and data[at] == ROW:
        behind = at + 1 + int(LENGTH(data, at + 1)[0])
        if behind + HEADER > end:
            return behind
        later = _last_row(data, behind, end)
        at = later if later > behind else behind
    return at


def _last_row(data: Buffer, start: int, end: int) -> int:
    """The start of the last row frame of data[start:end] that is told without walking; -1 if there is none."""
    found = end
    while (found := data.rfind(ROW_START, start, found)) >= 0:
        if found + 1 + HEADER <= end and _is_row(data, found + 1):
            return found + 1
    return -1


def _is_row(data: Buffer, at: int) -> bool:
    return data[at - 3 : at - 1] != b"\nd" and data[at - 4 : at - 2] != b"\nd"


def estimated_rows(data: Buffer, start: int, end: int) -> int:
    """About how many rows data[start:end] has: exact for less than SAMPLE bytes, but for its first row."""
    size = end - start
    if size <= SAMPLE:
        return data.count(ROW_START, start, end)
    return data.count(ROW_START, end - SAMPLE, end) * size // SAMPLE


def walk_text(data: Buffer, start: int, end: int) -> tuple[int, int]:
    """`end_of_rows`, and about how many rows data[0:end] has."""
    edge = end_of_rows(data, start, end)
    return edge, estimated_rows(data, 0, min(edge, end))


def walk_each(data: Buffer, start: int, end: int) -> tuple[int, int]:
    """As `walk_text`, for rows that may hold anything: each header is looked at, and so the rows are counted."""
    at, last, count = start, end - HEADER, 0
    while at <= last:
        kind, length = HEAD(data, at)
        if kind != ROW:
            break
        at += 1 + length
        count += 1
    return at, count


class Stream(NamedTuple):
    """How rows are told in one format of COPY."""

    code: bytes
    """The format in CopyOutResponse."""
    walk: Callable[[Buffer, int, int], tuple[int, int]]
    """The position behind the last row frame that begins in data[start:end], as `end_of_rows`, and about how many rows
    data[0:end] has."""
    imitable: bool
    """Whether what is no row may be taken for one, since most headers are not looked at."""


TEXT = Stream(b"\0", walk_text, imitable=True)
BINARY = Stream(b"\1", walk_each, imitable=False)
AMONG_OTHERS = {False: Stream(b"\0", walk_each, imitable=False), True: BINARY}
"""Of each table where several follow each other, by whether it is in binary format: behind the last row of one come
rows of the next, so that the last of what was received tells nothing."""


class Copying(NamedTuple):
    """One COPY from server to server."""

    out: str
    """COPY … TO STDOUT, for the source."""
    into: str
    """COPY … FROM STDIN, for the target."""
    binary: bool = False
    """Whether both are in binary format, and not in text."""


def frames(data: Buffer) -> Iterator[tuple[bytes, bytes]]:
    """(type, body) of the complete frames of `data`; stops silently where one is incomplete or absurd."""
    at = 0
    while at + HEADER <= len(data):
        behind = at + 1 + LENGTH(data, at + 1)[0]
        if behind > len(data) or behind < at + HEADER:
            return
        yield bytes(data[at : at + 1]), bytes(data[at + HEADER : behind])
        at = behind


def fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their one-letter codes; a body that was cut gives those before the cut."""
    texts = body.decode(errors="replace").split("\0")
    return {text[0]: text[1:] for text in texts if text}


def rows_of_tag(tag: bytes) -> int:
    """n of the command tag `COPY n`; ValueError for any other tag."""
    match = re.fullmatch(rb"COPY (\d+)\0?", tag)
    if not match:
        raise ValueError(f"unexpected command tag {tag!r}")
    return int(match[1])


def lost_error(data: Buffer) -> dict[str, str]:
    """The fields of the last ErrorResponse that `data` ends with, looked for without knowing where frames start.

    Only for an error whose own text imitates a row, so that the frames before it were misread.  {} if there is none.
    """
    for match in reversed(list(re.finditer(rb"E\0[\0-\xff]{3}S", data, re.DOTALL))):
        kinds = list(frames(data[match.start() :]))
        if kinds and kinds[0][0] == b"E" and kinds[-1][0] in {b"E", b"Z"}:
            return fields(kinds[0][1])
    return {}
