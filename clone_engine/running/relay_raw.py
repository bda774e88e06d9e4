"""The relay of COPY frames from socket to socket, past libpq: large reads, whole chunks sent on as they came.

Works on two plain connections that are idle in libpq's eyes, and leaves them so if it returns.  If it raises, they are
good for nothing but closing.  A Python loop over rows would cost ten times the processor time; so of text only the last
frame of each chunk is looked at (`copy_stream.py`).
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from struct import pack
from typing import NoReturn

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.running.copy_stream import (
    AMONG_OTHERS,
    BINARY,
    HEADER,
    LENGTH,
    READY,
    TEXT,
    Copying,
    Moved,
    Stream,
    fields,
    lost_error,
    rows_of_tag,
)
from clone_engine.servers.server_error import from_fields

CHUNK = 1 << 18
"""Bytes of the one buffer: what a socket holds at most by default.  Larger brings nothing, smaller more calls."""
BODY_LIMIT = 1 << 16
"""Bytes kept of one control message; an error may quote a value of a gigabyte."""
ASIDE = frozenset({b"N", b"S", b"A"})
"""NoticeResponse, ParameterStatus, NotificationResponse: may come at any time, and say nothing of the COPY."""
COPY_DONE = b"c\0\0\0\4"


class Wire:
    """The socket of one server while libpq is idle: `pending` holds bytes that were received and not yet used."""

    def __init__(self, side: str, plain: socket.socket) -> None:
        self.side = side
        self.socket = plain
        self.pending = b""
        self.owed = 0
        """Bytes of the frame that was begun: until they are sent, nothing else can be said to this server."""
        self._readable = select.poll()
        self._readable.register(plain, select.POLLIN)

    def query(self, statements: Iterable[str]) -> None:
        """Send a simple query of these statements.  PgError if the connection is over."""
        text = ";\n".join(statements).encode() + b"\0"
        self.send(b"Q" + pack("!I", len(text) + 4) + text)

    def send(self, data: bytes | memoryview) -> None:
        """Send all of it.  PgError with the server's reason if it has closed the connection."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            self.check()
            self._lost(error)

    def check(self) -> None:
        """PgError if the server has said that it failed, though it still takes what is sent."""
        while self.pending or self._readable.poll(0):
            kind, body = self.frame()
            if kind not in ASIDE:
                self._unexpected(kind, body)

    def expect(self, answer: bytes) -> bytes:
        """The body of the next message, which must be of this type.  PgError for an error or another type."""
        while (message := self.frame())[0] in ASIDE:
            pass
        if message[0] != answer:
            self._unexpected(*message)
        return message[1]

    def frame(self) -> tuple[bytes, bytes]:
        """The next message: its type and (the first BODY_LIMIT bytes of) its body."""
        head = self._take(HEADER)
        size = LENGTH(head, 1)[0] - 4
        body = self._take(min(size, BODY_LIMIT))
        for left in range(size - len(body), 0, -BODY_LIMIT):
            self._take(min(left, BODY_LIMIT))
        return head[:1], body

    def receive_into(self, view: memoryview) -> int:
        """At least one byte of what comes next.  PgError 08006 if the connection is over."""
        try:
            size = self.socket.recv_into(view)
        except OSError as error:
            self._lost(error)
        if not size:
            self._lost(None)
        return size

    def fail(self, fields_: dict[str, str]) -> NoReturn:
        """Raise the server's error after what it says behind it: ReadyForQuery, or the end of the connection."""
        try:
            while self.frame()[0] != b"Z":
                pass
        except PgError:
            pass  # a fatal error: the words that came before are the reason
        raise from_fields(fields_)

    def _take(self, size: int) -> bytes:
        parts, have = [self.pending], len(self.pending)
        while have < size:
            view = memoryview(bytearray(CHUNK))
            got = self.receive_into(view)
            parts.append(bytes(view[:got]))
            have += got
        data = b"".join(parts)
        self.pending = data[size:]
        return data[:size]

    def _unexpected(self, kind: bytes, body: bytes) -> NoReturn:
        if kind == b"E":
            self.fail(fields(body))
        raise PgError("08P01", f"pgclone: unexpected message {kind!r} from the {self.side} during COPY")

    def _lost(self, error: OSError | None) -> NoReturn:
        reason = os.strerror(error.errno) if error and error.errno else "the server closed the connection"
        raise PgError("08006", f"pgclone: the connection to the {self.side} broke during COPY: {reason}") from None


@contextmanager
def wire(connection: psycopg.Connection, side: str) -> Iterator[Wire]:
    """The connection's socket, blocking, until the end of the block; then as libpq left it."""
    with socket.socket(fileno=os.dup(connection.pgconn.socket)) as plain:
        before = os.get_blocking(plain.fileno())  # the mode belongs to the file description, which libpq shares
        plain.setblocking(True)
        try:
            yield Wire(side, plain)
        finally:
            os.set_blocking(plain.fileno(), before)


def relay(
    source: psycopg.Connection, target: psycopg.Connection, copies: Sequence[Copying], moved: Moved
) -> list[tuple[int, int, int]]:
    """Of each: rows that the source says it sent, rows that the target says it stored, their bytes.  See `relay.relay`.

    Both servers get all of the statements at once, so that there is one way to the source and back for all of them.
    """
    streams = [(BINARY if copies[0].binary else TEXT)] if len(copies) == 1 else [AMONG_OTHERS[c.binary] for c in copies]
    with wire(source, "source") as out, wire(target, "target") as into:
        out.query(each.out for each in copies)
        into.query(each.into for each in copies)
        try:
            done = [_relay(out, into, stream, moved) for stream in streams]
        except _TargetError as failed:
            raise failed.error from None
        out.expect(b"Z")
        into.expect(b"Z")
        return done


def _relay(out: Wire, into: Wire, stream: Stream, moved: Moved) -> tuple[int, int, int]:
    """Move the rows of one COPY of each query."""
    into.expect(b"G")
    try:
        if out.expect(b"H")[:1] != stream.code:
            raise PgError("0A000", "pgclone: the source does not copy in the format that was asked for")
        size = _rows(out, into, stream, moved)
        sent = rows_of_tag(out.expect(b"C"))
    except PgError as error:
        _give_up(into, error)
        raise
    into.send(COPY_DONE)
    stored = rows_of_tag(into.expect(b"C"))
    return sent, stored, size - sent * HEADER


class _TargetError(Exception):
    """The target has ended the COPY itself, so there is nothing to tell it."""

    def __init__(self, error: PgError) -> None:
        super().__init__(str(error))
        self.error = error


def _give_up(into: Wire, reason: PgError) -> None:
    """CopyFail, and the target's answer to it.  Nothing where that cannot be said: then its connection is closed in the
    middle of COPY, with the same effect."""
    if into.owed:
        return
    text = f"the source failed: {reason.message}"[:1000].encode() + b"\0"
    try:
        into.send(b"f" + pack("!I", len(text) + 4) + text)
        into.expect(b"Z")
    except PgError:
        pass


def _rows(out: Wire, into: Wire, stream: Stream, moved: Moved) -> int:
    """Move everything up to the source's CopyDone, which is taken; the bytes that were sent on."""
    buffer, total = bytearray(CHUNK), 0
    while True:
        total += _stream(out, into, buffer, stream, moved)
        kind, body = out.frame()
        if kind == b"c":
            return total
        if kind == b"E":
            out.fail(fields(body))
        if kind not in ASIDE:
            raise PgError("08P01", f"pgclone: unexpected message {kind!r} from the source during COPY")


def _stream(out: Wire, into: Wire, buffer: bytearray, stream: Stream, moved: Moved) -> int:
    """Move row frames until another frame comes, which is left in `out.pending`; the bytes that were sent on."""
    view, total = memoryview(buffer), 0
    have, edge = len(out.pending), 0  # bytes in the buffer; where in it (or beyond it) the next frame starts
    buffer[:have] = out.pending
    while True:
        edge, rows = stream.walk(buffer, edge, have)
        whole = min(edge, have)
        if whole:
            moved(rows, whole)
            _send(into, view[:whole], edge - whole)
            total += whole
        rest = have - whole
        if rest >= HEADER:
            out.pending = bytes(view[whole:have])
            return total
        if stream.imitable and READY.search(buffer, max(0, have - HEADER - 1), have):
            raise from_fields(lost_error(buffer[:have]))
        buffer[:rest] = buffer[whole:have]
        edge -= whole
        have = rest + out.receive_into(view[rest:])


def _send(into: Wire, rows: memoryview, owed: int) -> None:
    try:
        into.check()
        into.send(rows)
        into.owed = owed
    except PgError as error:
        raise _TargetError(error) from None
