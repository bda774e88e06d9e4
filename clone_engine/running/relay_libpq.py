"""The relay of COPY through libpq, for connections whose bytes are encrypted and so cannot be taken from the socket.

Rows are joined to larger messages (the borders of CopyData messages mean nothing), which spares the target half of
the work.  Waiting is psycopg's, which lets signal handlers run.
"""

from __future__ import annotations

import select
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import generators, pq
from psycopg.waiting import Wait

from clone_engine.running.copy_stream import Moved, rows_of_tag
from clone_engine.servers.server_error import from_psycopg

BATCH: Final = 1 << 16
"""Bytes of rows that make one message to the target."""


def relay(
    source: psycopg.Connection,
    target: psycopg.Connection,
    copy_out: str,
    copy_in: str,
    moved: Moved,
    *,
    binary: bool = False,
) -> tuple[int, int, int]:
    """Rows that the source says it sent, rows that the target says it stored, their bytes.  See `relay.relay`.

    Both formats are the same to libpq.
    """
    try:
        _start(target, copy_in, pq.ExecStatus.COPY_IN)
        try:
            _start(source, copy_out, pq.ExecStatus.COPY_OUT)
            size = _rows(source, target, moved)
            sent = rows_of_tag(_end(source).command_status or b"")
        except _TargetError:
            raise
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                target.wait(generators.copy_end(target.pgconn, b"the source failed: " + str(error).encode()[:1000]))
            raise
        result = target.wait(generators.copy_end(target.pgconn, None))
    except _TargetError as failed:
        raise from_psycopg(failed.error) from None
    except psycopg.Error as error:
        raise from_psycopg(error) from None
    return sent, rows_of_tag(result.command_status or b""), size


class _TargetError(Exception):
    """The target has ended the COPY itself, so there is nothing to tell it."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


def _start(connection: psycopg.Connection, sql: str, expected: pq.ExecStatus) -> None:
    connection.pgconn.send_query(sql.encode())
    result = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status != expected:
        raise psycopg.errors.error_from_result(result)


def _end(source: psycopg.Connection) -> pq.abc.PGresult:
    """The result behind the last row.  psycopg.Error, the server's, if it is not success."""
    result: pq.abc.PGresult = source.wait(generators.fetch_many(source.pgconn))[0]
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result)
    return result


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
