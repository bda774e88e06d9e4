"""What is run on the servers when a job did not complete: statements that undo it, and the end of stray backends.

Neither raises nor waits for long: the job has failed already, and its first failure is the one that counts.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import psycopg

from clone_engine.records.jobs import Outcome
from clone_engine.servers.server_error import from_psycopg

CLEANUP_TIMEOUT: Final = 5.0
"""Seconds for one statement; behind that it is reported as failed."""

END_BACKENDS = """
SELECT pg_catalog.pg_terminate_backend(pid, 3000) FROM pg_catalog.pg_stat_activity
WHERE pid = ANY (%s) AND usename = session_user
  AND application_name = pg_catalog.current_setting('application_name')"""


async def undo(target: psycopg.AsyncConnection, sql: str, object_: str) -> Outcome | None:
    """Run one statement in a transaction of its own; the outcome to report if it fails."""
    try:
        await asyncio.wait_for(target.execute(sql.encode()), CLEANUP_TIMEOUT)
    except psycopg.Error as error:
        words = from_psycopg(error)
        return Outcome(object_, "failed", words.sqlstate, words.message)
    except TimeoutError:
        return Outcome(object_, "failed", "57014", "pgclone: could not be undone in time")
    return None


async def end_backends(connection: psycopg.AsyncConnection, pids: list[int]) -> None:
    """End those of our own server processes that have outlived their copier, and wait until they are gone.

    One whose client was killed goes on until it writes to the connection, and holds its locks.  Only backends with our
    name are ended: a stranger may have been given the same process id.
    """
    with suppress(psycopg.Error, TimeoutError):
        await asyncio.wait_for(connection.execute(END_BACKENDS, (pids,)), CLEANUP_TIMEOUT)
