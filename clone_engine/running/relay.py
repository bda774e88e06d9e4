"""Moves the rows of COPY from the source to the target, whichever way the two connections allow.

The fast way drives both sockets directly (`relay_raw.py`); where one of them is encrypted the bytes belong to libpq
(`relay_libpq.py`).  Both keep the same promise, given here.  Transactions are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.running import relay_libpq, relay_raw
from clone_engine.running.copy_stream import Copying, Moved
from clone_engine.servers.connect import cancel


class Copied(NamedTuple):
    """What both servers agree on: rows, and their bytes on the way."""

    rows: int
    bytes: int


def relay(
    source: psycopg.Connection, target: psycopg.Connection, copies: Sequence[Copying], moved: Moved
) -> tuple[Copied, ...]:
    """Run each `out` on the source and each `into` on the target and move all rows; what was moved by each.

    Both connections must be idle, and are so afterwards.  CopyDone is sent only when the source has said that it sent
    everything.  PgError with the server's own words if either fails (08006 if a connection breaks, XX001 if the two
    servers count different rows): then both connections are closed, for a COPY cannot be left in the middle, and
    what the servers do for them is cancelled; so nothing is committed.
    """
    encrypted = any(c.pgconn.ssl_in_use or c.pgconn.used_gssapi for c in (source, target))
    way = relay_libpq.relay if encrypted else relay_raw.relay
    copied = []
    try:
        for sent, stored, size in way(source, target, copies, moved):
            if sent != stored:
                raise PgError("XX001", f"pgclone: the source sent {sent} rows, but the target stored {stored}")
            copied.append(Copied(sent, size))
    except PgError:
        for connection in (source, target):
            cancel(connection)
            connection.close()
        raise
    return tuple(copied)
