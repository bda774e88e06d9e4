"""Finds out that a job waits for the session that waits for the job: neither would ever go on.

The server cannot see it: to it the calling session is idle in its transaction.  So it is asked who blocks whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg import AsyncRawCursor

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.servers.connect import application_name
from clone_engine.servers.queries import text_of
from clone_engine.servers.server_error import as_pg_errors

PULSE: Final = 1.0
"""Seconds between two questions; most clones are done before the first."""


async def standstill(target: psycopg.AsyncConnection, start: Start, on_source: Callable[[], list[int]]) -> None:
    """Return never: PgError 55P03 soon after the job waits for a lock that the backend that waits for it holds.

    That counts also if the lock is one on the source, when that is the same server; `on_source` tells the process ids
    of the job's backends there, whose sessions are called what the caller's conninfo says.
    """
    ours = application_name(start.job_id)
    theirs = start.source.parameters.get("application_name", ours)
    while True:
        await asyncio.sleep(PULSE)
        parameters = [ours, start.waited_by, on_source(), theirs]
        with as_pg_errors():
            asked = await AsyncRawCursor(target).execute(text_of("waits_for"), parameters)
            found = [object_ for (object_,) in await asked.fetchall()]
        if found:
            raise PgError(
                "55P03",
                "pgclone: the clone waits for a lock that the calling transaction holds",
                detail=f"It waits for {found[0]}, and the transaction for the clone: neither would go on.",
                hint="Commit before the call, or use the asynchronous function.",
            )
