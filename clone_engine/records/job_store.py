"""Where jobs are kept: the interface, and an implementation in memory.

The manager is the only caller and the only writer.  `sqlite_store.py` is the store that outlives the process.
No store ever holds a secret: a job's record has none, and credentials stay with the manager.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from clone_engine.records.jobs import Job, Outcome


class StoreError(Exception):
    """The store cannot be opened, read or written; the message is one line for the person who runs the proxy."""


class Steps(msgspec.Struct, frozen=True):
    """Which steps of a job's plan are committed on the target, and which were under way; no key is in both."""

    done: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()


NO_STEPS = Steps()


class JobStore(Protocol):
    """Keeps jobs with their steps and outcomes.  Every method is one transaction, durable when it returns.

    Each may raise StoreError, and has then changed nothing.
    """

    async def open(self) -> None:
        """Make ready.  StoreError if another process uses the same store."""

    async def close(self) -> None:
        """Give up the store.  May be called more than once."""

    async def load(self) -> list[Job]:
        """All jobs, in order of their ids."""

    async def add(self, job: Job, steps: Steps = NO_STEPS) -> Job:
        """Keep a new job; its id is the store's choice: larger than every id given before, never used again."""

    async def save(
        self, job: Job, *, begun: Sequence[str] = (), done: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Replace the record of `job`, and add what became of its steps and objects."""

    async def steps(self, job_id: int) -> Steps:
        """The steps known of a job, in the order in which they began."""

    async def outcomes(self, job_id: int) -> list[Outcome]:
        """What became of the job's objects so far, in the order in which it was reported."""

    async def remove(self, job_ids: Iterable[int]) -> None:
        """Forget these jobs and all that belongs to them."""


class MemoryStore:
    """A JobStore that ends with the process: for tests, and for a proxy that is told to keep nothing."""

    def __init__(self) -> None:
        self._last_id = 0
        self._jobs: dict[int, Job] = {}
        self._steps: dict[int, dict[str, bool]] = {}
        self._outcomes: dict[int, list[Outcome]] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._jobs)} jobs>"

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def load(self) -> list[Job]:
        return [self._jobs[job_id] for job_id in sorted(self._jobs)]

    async def add(self, job: Job, steps: Steps = NO_STEPS) -> Job:
        self._last_id += 1
        job = msgspec.structs.replace(job, job_id=self._last_id, source=job.source.without_secrets())
        self._jobs[job.job_id] = job
        self._steps[job.job_id] = dict.fromkeys(steps.done, True) | dict.fromkeys(steps.begun, False)
        self._outcomes[job.job_id] = []
        return job

    async def save(
        self, job: Job, *, begun: Sequence[str] = (), done: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        if job.job_id not in self._jobs:
            raise StoreError(f"job store has no job {job.job_id}")
        self._jobs[job.job_id] = msgspec.structs.replace(job, source=job.source.without_secrets())
        steps = self._steps[job.job_id]
        steps.update({key: steps.get(key, False) for key in begun})
        steps.update(dict.fromkeys(done, True))
        self._outcomes[job.job_id].extend(outcomes)

    async def steps(self, job_id: int) -> Steps:
        steps = self._steps.get(job_id, {})
        return Steps(tuple(k for k, done in steps.items() if done), tuple(k for k, done in steps.items() if not done))

    async def outcomes(self, job_id: int) -> list[Outcome]:
        return list(self._outcomes.get(job_id, []))

    async def remove(self, job_ids: Iterable[int]) -> None:
        for job_id in job_ids:
            for kept in (self._jobs, self._steps, self._outcomes):
                kept.pop(job_id, None)
