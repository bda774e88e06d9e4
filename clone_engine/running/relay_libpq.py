"""The relay of COPY through libpq, for connections whose bytes are encrypted and so cannot be taken from the socket.

Rows are joined to larger messages (the borders of CopyData messages mean nothing), which spares the target half of
the work.  Waiting is psycopg's, which lets signal handlers run.
"""

from __future__ import annotations

import select
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import generators, pq
from psycopg.waiting import Wait

from clone_engine.running.copy_stream import Copying, Moved, rows_of_tag
from clone_engine.servers.server_error import from_psycopg

BATCH: Final = 1 << 16
"""Bytes of rows that make one message to the target."""


def relay(
    source: psycopg.Connection, target: psycopg.Connection, copies: Sequence[Copying], moved: Moved
) -> list[tuple[int, int, int]]:
    """Of each: rows that the source says it sent, rows that the target says it stored, their bytes.  See `relay.relay`.

    Both servers get all of the statements at once, so that there is one way to the source and back for all of them.
    Both formats are the same to libpq.
    """
    try:
        _query(source, (each.out for each in copies))
        _query(target, (each.into for each in copies))
        done = [_relay(source, target, moved) for _ in copies]
        for connection in (source, target):
            _next(connection, None)
        return done
    except _TargetError as failed:
        raise from_psycopg(failed.error) from None
    except psycopg.Error as error:
        raise from_psycopg(error) from None


def _relay(source: psycopg.Connection, target: psycopg.Connection, moved: Moved) -> tuple[int, int, int]:
    """Move the rows of one COPY of each query."""
    _next(target, pq.ExecStatus.COPY_IN)
    try:
        _next(source, pq.ExecStatus.COPY_OUT)
        size = _rows(source, target, moved)
        sent = _rows_said(_next(source, pq.ExecStatus.COMMAND_OK))
    except _TargetError:
        raise
    except psycopg.Error as error:
        with suppress(psycopg.Error):
            target.wait(_ending(target.pgconn, b"the source failed: " + str(error).encode()[:1000]))
        raise
    target.wait(_ending(target.pgconn, None))
    return sent, _rows_said(_next(target, pq.ExecStatus.COMMAND_OK)), size


def _rows_said(result: pq.abc.PGresult | None) -> int:
    return rows_of_tag((result and result.command_status) or b"")


class _TargetError(Exception):
    """The target has ended the COPY itself, so there is nothing to tell it."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


def _query(connection: psycopg.Connection, statements: Iterable[str]) -> None:
    connection.pgconn.send_query(";\n".join(statements).encode())
    connection.wait(_flushed(connection.pgconn))


def _next(connection: psycopg.Connection, expected: int | None) -> pq.abc.PGresult | None:
    """The server's next result, which must be of this status; None is the end of them.  psycopg.Error, the server's, if
    it is another."""
    result: pq.abc.PGresult | None = connection.wait(generators.fetch(connection.pgconn))
    if result is None and expected is None:
        return None
    if result is None or result.status != expected:
        if result is None or result.status != pq.ExecStatus.FATAL_ERROR:
            raise psycopg.OperationalError("the server answered to COPY with something else")
        raise psycopg.errors.error_from_result(result)
    return result


def _ending(pgconn: pq.abc.PGconn, reason: bytes | None) -> Generator[Wait, Any, None]:
    """Send CopyDone, or CopyFail with a reason."""
    while pgconn.put_copy_end(reason) == 0:
        while not (yield Wait.W):
            continue
    yield from _flushed(pgconn)


def _flushed(pgconn: pq.abc.PGconn) -> Generator[Wait, Any, None]:
    while pgconn.flush():
        while not (yield Wait.W):
            continue


def _rows(source: psycopg.Connection, target: psycopg.Connection, moved: Moved) -> int:
    """Move all rows; their bytes."""
    get, rows, size, total = source.pgconn.get_copy_data, list[memoryview](), 0, 0
    while (got := get(1))[0] >= 0:
        length, row = got
        if length:
            rows.append(row)
            size += length
        if size and (size >= BATCH or not length):
            total += _put(target, b"".join(rows), len(rows), moved)
            rows, size = [], 0
        if not length:
            source.wait(_arrival(source.pgconn))
    return total + (_put(target, b"".join(rows), len(rows), moved) if size else 0)


def _put(target: psycopg.Connection, data: bytes, rows: int, moved: Moved) -> int:
    moved(rows, len(data))
    poll = select.poll()
    poll.register(target.pgconn.socket, select.POLLIN)
    try:
        # A server that takes rows says nothing unless it fails; libpq itself would notice only at the end of the COPY.
        if poll.poll(0):
            target.wait(generators.copy_end(target.pgconn, b"a message came in the middle of COPY"))
        target.wait(generators.copy_to(target.pgconn, data))
    except psycopg.Error as error:
        raise _TargetError(_reason(target, error)) from None
    return len(data)


def _reason(target: psycopg.Connection, refused: psycopg.Error) -> psycopg.Error:
    """The server's error behind libpq's refusal to send; the refusal itself if there is none."""
    if refused.sqlstate is not None:
        return refused
    with suppress(psycopg.Error):
        while result := target.pgconn.get_result():
            if result.status == pq.ExecStatus.FATAL_ERROR:
                return psycopg.errors.error_from_result(result)
    return refused


def _arrival(pgconn: pq.abc.PGconn) -> Generator[Wait, Any, None]:
    while not (yield Wait.R):
        continue
    pgconn.consume_input()
