"""Tells who stands in the way of a job that could not get a lock on the target.

The server does not say it with the error; who is in the way a moment later may be somebody else, and is told as that.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncRawCursor
from psycopg.rows import namedtuple_row

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.running.failures import JobError
from clone_engine.servers.connect import application_name
from clone_engine.servers.queries import text_of
from clone_engine.servers.server_error import NO_LOCK


async def with_holders(failure: JobError, target: psycopg.AsyncConnection, start: Start) -> JobError:
    """The failure; if it is one of waiting for a lock in vain, its detail says who holds locks there now, as far as the
    role may see that."""
    error = failure.error
    if error.sqlstate != NO_LOCK or error.detail:
        return failure
    try:
        cursor = AsyncRawCursor(target, row_factory=namedtuple_row)
        asked = await cursor.execute(
            text_of("lock_holders"), [start.request.schema_name, application_name(start.job_id)]
        )
        holders = [_holder(row) for row in await asked.fetchall()]
    except psycopg.Error:
        return failure
    detail = f"Locks there are held by {', '.join(holders)}." if holders else ""
    return JobError(PgError(error.sqlstate, error.message, detail=detail, hint=error.hint), failure.object)


def _holder(row: Any) -> str:
    more = ", ".join(filter(None, (row.application, row.state, f"on {row.relation}")))
    return f"process {row.pid} of role {row.usename} ({more})"
