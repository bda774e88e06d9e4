"""The records of all jobs: in memory for those who look, in the store for the next start.

A change of state is in the store before anyone can see it; mere progress may be a second behind.  What the store
cannot take of a job that is over is owed to it, and given when it can.  What is written is the manager's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TypeVar

import msgspec
import structlog

from clone_engine.records.errors import PgError
from clone_engine.records.job_store import JobStore, Seal, StoreError
from clone_engine.records.jobs import Job, Outcome, Progress

log = structlog.get_logger()
T = TypeVar("T")

Watcher = Callable[[int, Job | None], None]
"""Told of a change that could be shown: the job's number and its record, or None if it is forgotten."""


class Unsaved:
    """What a job process has said of steps and objects since the record was last saved."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.undone: list[str] = []
        self.outcomes: list[Outcome] = []

    def __bool__(self) -> bool:
        return bool(self.done or self.undone or self.outcomes)

    def clear(self) -> None:
        self.done, self.undone, self.outcomes = [], [], []


class Ledger:
    """Reads and writes records.  What it says to callers of SQL functions is PgError, to the manager StoreError."""

    def __init__(self, store: JobStore) -> None:
        self.version = 0
        """Grows with every change that could be shown."""
        self._store = store
        self._jobs: dict[int, Job] = {}  # in order of their ids
        self._owed: dict[int, Unsaved] = {}
        self._watchers: list[Watcher] = []

    def __repr__(self) -> str:
        owed = f", {len(self._owed)} owed to the store" if self._owed else ""
        return f"<Ledger of {len(self._jobs)} jobs in {self._store!r}{owed}>"

    async def open(self) -> None:
        """Open the store and read it.  StoreError if it cannot be used."""
        await self._store.open()
        self._jobs = {job.job_id: job for job in await self._store.load()}
        self.version += 1

    async def close(self) -> None:
        """Close the store; what it could not take is lost."""
        for job_id in self._owed:
            log.error("job store does not know the end of a job", job_id=job_id)
        await self._store.close()

    # Reading.

    @property
    def jobs(self) -> Collection[Job]:
        """The records in order of their ids; one that changes is replaced by another."""
        return self._jobs.values()

    def watch(self, watcher: Watcher) -> None:
        """Tell of each change from now on, at once."""
        self._watchers.append(watcher)

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, job_id: int) -> Job:
        return self._jobs[job_id]

    def get(self, job_id: int) -> Job | None:
        """The record of a job; None if there is none."""
        return self._jobs.get(job_id)

    def of_number(self, number: int) -> Job | None:
        """The record of the job that has this number, or one of whose workers has it; None if there is none."""
        if job := self._jobs.get(number):
            return job
        before = next((job for job in reversed(self._jobs.values()) if job.job_id < number), None)
        return before if before and number in before.numbers else None

    def forerunners(self, job: Job) -> Iterator[Job]:
        """The jobs that `job` goes on from, the last one first, as far as they are known."""
        while earlier := self._jobs.get(job.resumed_from):
            yield earlier
            job = earlier

    def successor(self, job_id: int) -> Job | None:
        """The job that goes on from this one."""
        return next((job for job in self._jobs.values() if job.resumed_from == job_id), None)

    def not_at_their_end(self) -> dict[int, Job]:
        """The jobs that somebody may resume, now or when they have ended."""
        resumed = {job.resumed_from for job in self._jobs.values()}
        return {
            job.job_id: job for job in self._jobs.values() if job.status != "completed" and job.job_id not in resumed
        }

    async def done(self, job_id: int) -> tuple[str, ...]:
        """The keys of what is done of a job.  PgError 58030 or 53100 if the store fails."""
        return await _for_a_caller(self._store.done(job_id))

    async def outcomes(self, job_id: int) -> list[Outcome]:
        """What became of each object of a job.  PgError as `done` raises it."""
        return await _for_a_caller(self._store.outcomes(job_id))

    # Writing.

    async def add(self, job: Job, done: Sequence[str], seal: Seal | None) -> Job:
        """A new record, which has its number now.  PgError as `done` raises it; there is none then."""
        job = await _for_a_caller(self._store.add(job, done, seal))
        self._show(job)
        return job

    async def change(self, job: Job) -> None:
        """Make `job`, in another state than before, the record.  StoreError leaves the record as it was."""
        await self._store.save(job)
        self._announce(job)

    def advance(self, job_id: int, progress: Progress) -> None:
        """Show how far a job is, without saving it."""
        self._show(msgspec.structs.replace(self._jobs[job_id], progress=progress))

    async def save(self, job_id: int, unsaved: Unsaved) -> None:
        """Save a record as it is shown, and what is unsaved of its job.  StoreError if that is so still."""
        if unsaved.done and self._jobs[job_id].crashes:
            self._jobs[job_id] = msgspec.structs.replace(self._jobs[job_id], crashes=0)
        await self._save(self._jobs[job_id], unsaved)

    async def end(self, job: Job, unsaved: Unsaved) -> None:
        """Make `job`, which is over, the record.  Never fails: what is over is over, whatever the store can take."""
        try:
            await self._save(job, unsaved)
        except StoreError as failure:
            log.error("job store failed, it does not know the end of a job yet", job_id=job.job_id, error=str(failure))
            self._owed[job.job_id] = unsaved
        self._announce(job)

    async def leave(self, job_id: int) -> None:
        """Do not go on with an interrupted job by itself.  PgError as `done` raises it."""
        if (job := self._jobs.get(job_id)) and job.to_go_on:
            job = msgspec.structs.replace(job, to_go_on=False)
            await _for_a_caller(self._store.save(job))
            self._show(job)

    async def remove(self, job_ids: Sequence[int]) -> list[int]:
        """Forget jobs; which of them there were.  PgError as `done` raises it; nothing is forgotten then."""
        await _for_a_caller(self._store.remove(job_ids))
        removed = [job_id for job_id in job_ids if job_id in self._jobs]  # not by another call meanwhile
        for job_id in removed:
            del self._jobs[job_id]
            self._owed.pop(job_id, None)
            self._changed(job_id, None)
        return removed

    async def settle(self) -> None:
        """Give the store what is owed to it, as far as it can take it."""
        for job_id, unsaved in list(self._owed.items()):
            if job_id not in self._owed:  # forgotten while another was saved
                continue
            try:
                await self._save(self._jobs[job_id], unsaved)
            except StoreError as failure:
                if job_id not in self._owed:
                    continue
                log.error("job store still fails", error=str(failure), owed=len(self._owed))
                return
            self._owed.pop(job_id, None)
            log.info("job store knows the end of a job now", job_id=job_id)

    async def _save(self, job: Job, unsaved: Unsaved) -> None:
        await self._store.save(job, done=unsaved.done, undone=unsaved.undone, outcomes=unsaved.outcomes)
        unsaved.clear()

    def _announce(self, job: Job) -> None:
        self._show(job)
        log.info("job is " + job.status, job_id=job.job_id, sqlstate=job.sqlstate, error=job.error)

    def _show(self, job: Job) -> None:
        self._jobs[job.job_id] = job
        self._changed(job.job_id, job)

    def _changed(self, job_id: int, job: Job | None) -> None:
        self.version += 1
        for watcher in self._watchers:
            watcher(job_id, job)


async def _for_a_caller(work: Awaitable[T]) -> T:
    """The result of a store's method, its failure as an error for the caller."""
    try:
        return await work
    except StoreError as failure:
        log.error("job store failed", error=str(failure))
        what, hint = "failed", "The proxy's log has the reason; most often its file was moved or its disk has failed."
        if failure.sqlstate == "53100":
            what, hint = "is full", "Free space on its disk and call again; the proxy need not be restarted."
        raise PgError(failure.sqlstate, f"pgclone: the proxy's job store {what}", hint=hint) from failure
