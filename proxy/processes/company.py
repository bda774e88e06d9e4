"""The serving processes that are in step: what all of them have to know, and what has to be asked of all.

Which processes these are is `supervisor.py`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import structlog

from clone_engine.jobs.manager import Manager
from clone_engine.records.jobs import Job
from proxy.processes.channel import Cancel, Forgotten, Mark, Shown, ToServing
from proxy.processes.child import Child

log = structlog.get_logger()

PATIENCE = 5.0
"""Seconds for which answers are waited for: a process that hangs is not to hold up the clients of the others."""
MOST_UNSENT = 64 << 20
"""Bytes.  A process that lets so much lie does not run any more, and would fill our memory."""


class Company:
    """Tells its members of each change of the manager's records."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._members: set[Child] = set()
        manager.watch(self._changed)

    def __repr__(self) -> str:
        return f"<Company of {len(self._members)} processes>"

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._members))

    def join(self, child: Child) -> asyncio.Future[bool]:
        """Have a process learn of all jobs as they are now, and of each change; the answer is there when it has."""
        for job in self._manager.jobs:
            child.send(Shown(job))
        self._members.add(child)
        return child.ask(Mark)

    def leave(self, child: Child) -> None:
        """A process has ended."""
        self._members.discard(child)

    async def settled(self) -> None:
        """Returns when every process knows of all changes until now; those that hang are not waited for long."""
        await self._answers({child: child.ask(Mark) for child in self})

    async def deliver(self, packet: bytes, but: Child) -> bool:
        """Do what a CancelRequest asks if a session of any other process has the key; whether one has."""
        return await self._answers({child: child.ask(partial(_cancel, packet)) for child in self if child is not but})

    async def _answers(self, asked: dict[Child, asyncio.Future[bool]]) -> bool:
        """Whether any of them says so, in time."""
        if asked:
            await asyncio.wait(asked.values(), timeout=PATIENCE)
        for child, answer in asked.items():
            if not answer.done():
                log.warning("serving process does not answer", process=child.place, pid=child.pid)
        return any(answer.done() and answer.result() for answer in asked.values())

    def _changed(self, job_id: int, job: Job | None) -> None:
        message: ToServing = Shown(job) if job else Forgotten(job_id)
        for child in self:
            child.send(message)
            if child.unsent > MOST_UNSENT:
                log.error("serving process does not take what it is told, killing it", process=child.place)
                child.kill()


def _cancel(packet: bytes, number: int) -> Cancel:
    return Cancel(number, packet)
