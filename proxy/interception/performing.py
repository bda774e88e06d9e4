"""Waiting for what calls of ours do, while the client's server connection has nothing to do.

A CancelRequest and the client's disconnect stop the work; hidden queries keep the server from ending the session as an
idle one.  (In the middle of a pipeline it would not do so: its timeouts for idle sessions begin with ReadyForQuery.)
What the work is, and what stopping it means, is `calls.handlers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from clone_engine.records.errors import PgError

T = TypeVar("T")
Command = Callable[[str], Awaitable[list[str | None]]]
"""Runs a hidden statement on the session's server connection (`context.Commands.command`)."""

# Most work is done by then, and costs the server no query.  No timeout for idle sessions is as short as that.
AT_ONCE = 0.1
# Also without timeouts: they can be set from outside while we wait, and a dead connection is found out.
LONGEST_PAUSE = 15.0
TIMEOUTS = (
    "SELECT pg_catalog.min(setting::pg_catalog.int8) FROM pg_catalog.pg_settings"
    " WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['idle_in_transaction_session_timeout', 'idle_session_timeout'])"
    " AND setting OPERATOR(pg_catalog.<>) '0'"
)
"""The shortest of the timeouts that end an idle session, in milliseconds; NULL if there is none."""
KEEP_ALIVE = "SELECT"


class Performing:
    """The work of one session; one at a time."""

    def __init__(self) -> None:
        self._work: asyncio.Task[Any] | None = None

    def __repr__(self) -> str:
        return f"<Performing {self._work.get_name() if self._work else 'nothing'}>"

    @property
    def active(self) -> bool:
        """Whether there is work."""
        return self._work is not None

    def cancel(self) -> bool:
        """Stop the work, as a CancelRequest asks; False if there is none."""
        if self._work is None:
            return False
        self._work.cancel()
        return True

    async def result(self, work: Coroutine[Any, Any, T], command: Command) -> T:
        """What the work comes to.  PgError 57014 if it was cancelled and has stopped; else its own errors, or those of
        `command`, which also stop it.

        If whoever waits here is cancelled, so is the work, and it ends by itself.
        """
        self._work = task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_look_at)
        try:
            await _until_done(task, command)
        finally:
            task.cancel()
            self._work = None
        if task.cancelled():
            raise PgError("57014", "canceling statement due to user request")
        return task.result()


async def _until_done(task: asyncio.Task[Any], command: Command) -> None:
    await asyncio.wait({task}, timeout=AT_ONCE)
    if task.done():
        return
    (shortest,) = await command(TIMEOUTS)
    pause = min(int(shortest) / 2000, LONGEST_PAUSE) if shortest else LONGEST_PAUSE
    while not task.done():
        await asyncio.wait({task}, timeout=pause)
        if not task.done():
            await command(KEEP_ALIVE)


def _look_at(task: asyncio.Task[Any]) -> None:
    """A refusal that nobody waits for any more is no defect, as asyncio would call it."""
    if not task.cancelled():
        task.exception()
