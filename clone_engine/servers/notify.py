"""Says something on the channel `pgclone_jobs` of a database, to whoever listens there.

What is said, and when, is the jobs' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import open_async
from clone_engine.servers.server_error import as_pg_errors

CHANNEL: Final = "pgclone_jobs"
TIMEOUT: Final = 10.0
"""Seconds for connecting and saying; nobody waits for it but the next notification of the same job."""


async def notify(target: Conninfo, job_id: int, payloads: Sequence[str]) -> None:
    """NOTIFY each of these in the database of `target`, in order.  PgError in the server's words if that fails."""
    named = target.with_parameters({"fallback_application_name": f"pgclone: notify of job {job_id}"})
    try:
        with as_pg_errors():
            async with asyncio.timeout(TIMEOUT), await open_async(named, "target", job_id) as connection:
                for payload in payloads:
                    await connection.execute("SELECT pg_catalog.pg_notify(%s, %s)", (CHANNEL, payload))
    except TimeoutError:
        raise PgError("57014", f"the target did not answer within {TIMEOUT:.0f} seconds") from None
