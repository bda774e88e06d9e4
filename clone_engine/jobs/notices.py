"""Tells those who listen in the target database of each state that a job comes to.

Behind the store and beside the job: nothing waits for it, and nothing fails over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from clone_engine.records.request import Conninfo
from clone_engine.records.shown import notice_json

log = structlog.get_logger()

Notify = Callable[[Conninfo, int, Sequence[str]], Awaitable[None]]
"""`servers.notify.notify`: how to log in to the target, the job's number, what to say."""

LAST_WORDS: Final = 2.0
"""Seconds for what is still to be said when the proxy ends."""


class Notices:
    """Of all jobs.  Those of one job are said in order, on one connection if they come at once."""

    def __init__(self, notify: Notify | None) -> None:
        self._notify = notify
        self._unsaid: dict[int, list[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Notices, of {len(self._unsaid)} jobs to be said>"

    def tell(self, job: Job, target: Conninfo) -> None:
        """Say soon that the job is in this state; `target` has the credential of the job itself."""
        if self._notify is None:
            return
        under_way = job.job_id in self._unsaid
        self._unsaid.setdefault(job.job_id, []).append(notice_json(job))
        if not under_way:
            task = asyncio.create_task(self._say(self._notify, job.job_id, target), name=f"notices of job {job.job_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Say what is still to be said, as far as that can be done soon."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_WORDS)
            for task in late:
                task.cancel()

    async def _say(self, notify: Notify, job_id: int, target: Conninfo) -> None:
        try:
            while payloads := self._unsaid[job_id]:
                self._unsaid[job_id] = []
                await notify(target, job_id, payloads)
        except PgError as error:
            log.warning(
                "a notification could not be sent", job_id=job_id, sqlstate=error.sqlstate, reason=error.message
            )
        finally:
            del self._unsaid[job_id]
