"""Where jobs are kept: the interface, and an implementation in memory.

The manager is the only caller and the only writer.  `sqlite_store.py` is the store that outlives the process.
No store holds a secret that it could read: a job's record has none, and what is kept of one is sealed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from clone_engine.records.jobs import Job, Outcome

Seal = Callable[[int], bytes]
"""Makes, for the id of a job, what the store keeps of its secrets.  Called in any thread."""


class StoreError(Exception):
    """The store cannot be opened, read or written; the message is one line for the person who runs the proxy."""

    def __init__(self, message: str, sqlstate: str = "58030") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        """53100 if there is no room, 58030 for all else."""


class JobStore(Protocol):
    """Keeps jobs with their steps and outcomes.  Every method is one transaction, durable when it returns.

    Each may raise StoreError, and has then changed nothing; all but `open` and `close` do while it is not open.
    """

    async def open(self) -> None:
        """Make ready.  StoreError if another process uses the same store."""

    async def close(self) -> None:
        """Give up the store.  May be called more than once."""

    async def load(self) -> list[Job]:
        """All jobs, in order of their ids."""

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        """Keep a new job, with the keys of what is done of it already and its sealed secrets if it has any; its id is
        the store's choice: larger than every id given before and than the numbers of those jobs' workers, never used
        again."""

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Replace the record of `job`, and add what became of its steps and objects; the keys `undone` are no longer
        among those that are done."""

    async def done(self, job_id: int) -> tuple[str, ...]:
        """The keys of what is done of a job, in the order in which they came."""

    async def outcomes(self, job_id: int) -> list[Outcome]:
        """What became of the job's objects so far, in the order in which it was reported."""

    async def sealed(self) -> dict[int, bytes]:
        """The sealed secrets of jobs, by their ids."""

    async def forget(self, job_ids: Iterable[int]) -> None:
        """Forget the sealed secrets of these jobs; nothing of them is left anywhere."""

    async def remove(self, job_ids: Iterable[int]) -> None:
        """Forget these jobs and all that belongs to them, as `forget` does."""


class MemoryStore:
    """A JobStore that ends with the process: for tests, and for a proxy that is told to keep nothing."""

    def __init__(self) -> None:
        self._open = False
        self._last_id = 0
        self._jobs: dict[int, Job] = {}
        self._done: dict[int, dict[str, None]] = {}
        self._outcomes: dict[int, list[Outcome]] = {}
        self._sealed: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._jobs)} jobs>"

    async def open(self) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    async def load(self) -> list[Job]:
        self._must_be_open()
        return [self._jobs[job_id] for job_id in sorted(self._jobs)]

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        self._must_be_open()
        self._last_id += 1
        job = msgspec.structs.replace(job, job_id=self._last_id, source=job.source.without_secrets())
        self._last_id += job.request.workers
        self._jobs[job.job_id] = job
        self._done[job.job_id] = dict.fromkeys(done)
        self._outcomes[job.job_id] = []
        if seal:
            self._sealed[job.job_id] = seal(job.job_id)
        return job

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        self._must_be_open()
        if job.job_id not in self._jobs:
            raise StoreError(f"job store has no job {job.job_id}")
        self._jobs[job.job_id] = msgspec.structs.replace(job, source=job.source.without_secrets())
        known = self._done[job.job_id] | dict.fromkeys(done)
        self._done[job.job_id] = {key: None for key in known if key not in undone}
        self._outcomes[job.job_id].extend(outcomes)

    async def done(self, job_id: int) -> tuple[str, ...]:
        self._must_be_open()
        return tuple(self._done.get(job_id, ()))

    async def outcomes(self, job_id: int) -> list[Outcome]:
        self._must_be_open()
        return list(self._outcomes.get(job_id, []))

    async def sealed(self) -> dict[int, bytes]:
        self._must_be_open()
        return dict(self._sealed)

    async def forget(self, job_ids: Iterable[int]) -> None:
        self._must_be_open()
        for job_id in job_ids:
            self._sealed.pop(job_id, None)

    async def remove(self, job_ids: Iterable[int]) -> None:
        self._must_be_open()
        for job_id in job_ids:
            for kept in (self._jobs, self._done, self._outcomes, self._sealed):
                kept.pop(job_id, None)

    def _must_be_open(self) -> None:
        if not self._open:
            raise StoreError("job store is not open")
