"""What is run on the servers when a job did not complete: statements that undo it, and the end of stray backends.

None of it raises or waits for long: the job has failed already, and its first failure is the one that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg

from clone_engine.records.jobs import Outcome
from clone_engine.servers.server_error import from_psycopg

T = TypeVar("T")

CLEANUP_TIMEOUT: Final = 5.0
"""Seconds for one statement; behind that it is reported as failed."""
LOCK_TIMEOUT: Final = "500ms"
"""For a lock that it needs: whoever has cancelled a job does not wait for long because of what others do."""
END_TIMEOUT: Final = 0.5
"""Seconds to wait for the end of backends.  Also where a server does not say that they have gone, it was told."""
GRACE: Final = 0.2
"""Seconds for a server to say that it has cancelled a statement."""

END_BACKENDS = """
SELECT pg_catalog.pg_terminate_backend(pid, 3000) FROM pg_catalog.pg_stat_activity
WHERE pid = ANY (%s) AND usename = session_user
  AND application_name = pg_catalog.current_setting('application_name')"""


async def cut_short(task: asyncio.Task[Any]) -> None:
    """Cancel what talks to a server; returns when it has ended, which is soon, also if the server is silent.

    psycopg asks the server to cancel then, and waits ten seconds for that, unless it is cancelled again: it closes the
    connection then.
    """
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE)
    task.cancel()
    await asyncio.wait({task})


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of what talks to a server.  TimeoutError if that has not come in time: then it is cut short."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            await cut_short(task)
    if task.cancelled():
        raise TimeoutError
    return task.result()


async def undo(target: psycopg.AsyncConnection, sql: str, object_: str) -> Outcome | None:
    """Run one statement in a transaction of its own; the outcome to report if it fails."""
    try:
        await within(CLEANUP_TIMEOUT, target.execute(sql.encode()))
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
        await within(END_TIMEOUT, connection.execute(END_BACKENDS, (pids,)))
