"""The job manager: accepts clones, runs each in a job process, and is the only writer of job records.

The engine's face to the proxy, which tells it who calls and shows what `visible` returns; it knows nothing of SQL or of
the wire.  How records are kept is `ledger.py`, how secrets of sources are `sources.py`.

A record is written by one task at a time, so no locks guard it: until the job starts by whoever submits, cancels or
stops; from then on by the job's own task (`_run`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile

import msgspec
import structlog

from clone_engine.jobs.dispatcher import Dispatcher
from clone_engine.jobs.ledger import Ledger, Watcher
from clone_engine.jobs.limits import Limits, next_to_run
from clone_engine.jobs.live_job import LiveJob
from clone_engine.jobs.notices import Notices, Notify
from clone_engine.jobs.retention import Retention, outdated
from clone_engine.jobs.sources import OpenKey, Sources
from clone_engine.jobs.verdicts import (
    Verdict,
    check_resumable,
    final_progress,
    interrupted,
    not_found,
    running_progress,
    secret_lost,
    secret_of_another,
    store_failed,
    verdict,
)
from clone_engine.records.channel import Forerunner, FromJob
from clone_engine.records.errors import PgError
from clone_engine.records.job_store import JobStore, StoreError
from clone_engine.records.jobs import FINISHED, RESUMABLE, Job, Outcome, Progress
from clone_engine.records.request import CloneRequest, Conninfo

log = structlog.get_logger()


class Caller(msgspec.Struct, frozen=True):
    """Who calls: the role that the target server authenticated, and the database it is connected to."""

    role: str
    database: str
    admin: bool = False
    """Whether this role sees and controls everybody's jobs."""
    backend: int = 0
    """The process id of the server process that the caller's session has; 0 if it is not known."""
    member_of: frozenset[str] = frozenset()
    """Other roles whose rights this one has, and so sees and controls their jobs."""
    server: dict[str, str] = {}
    """Which of the target's servers the caller's session is on, as parameters of a conninfo; {} for any."""
    credential: Conninfo = Conninfo({})
    """What the role has logged in with, as libpq's keywords; empty if that is not known."""

    @property
    def whose(self) -> frozenset[str] | None:
        """The owners of the jobs that the caller sees and controls; None for everybody's."""
        return None if self.admin else self.member_of | {self.role}

    def controls(self, job: Job) -> bool:
        """Whether the caller sees and controls the job."""
        return self.admin or job.owner == self.role or job.owner in self.member_of


class ManagerSettings(msgspec.Struct, frozen=True):
    """What the configuration says of jobs."""

    limits: Limits = Limits()
    """Jobs that run at once; the others wait, first come, first served."""
    default_parallel: int = 2
    """Copiers of a job whose options do not say."""
    retry_for: float = 60.0
    """Seconds for which jobs try again what fails for a lost connection; 0 is not at all."""
    save_interval: float = 1.0
    """Seconds between two writes of a job's mere progress to the store."""
    retention: Retention = Retention()
    """Until when finished jobs are kept."""
    tidy_interval: float = 10.0
    """Seconds between two looks at what retention forgets, and at what the store could not take."""


class Manager:
    """All jobs of one proxy.

    `dispatcher` has their work done · `clock` returns seconds since the epoch · `open_key` gives the key with which
    secrets are sealed for the store; with None they are in memory only · `notify` reaches those who listen in target
    databases; with None nobody does.
    """

    def __init__(
        self,
        store: JobStore,
        settings: ManagerSettings,
        dispatcher: Dispatcher,
        clock: Callable[[], float] = time.time,
        open_key: OpenKey | None = None,
        notify: Notify | None = None,
    ) -> None:
        self._ledger = Ledger(store)
        self._settings = settings
        self._dispatcher = dispatcher
        self._clock = clock
        self._live: dict[int, LiveJob] = {}
        self._waiting: deque[int] = deque()
        self._sources = Sources(store, open_key)
        self._notices = Notices(notify)
        self._submitting = asyncio.Lock()  # one at a time: keeps the ledger in order and lets one resume of two win
        self._stopping = False
        self._tidying: asyncio.Task[None] | None = None
        self._round = asyncio.Lock()  # of tidying: it is not to be cancelled within one

    def __repr__(self) -> str:
        running = len(self._live) - len(self._waiting)
        return f"<Manager {len(self._ledger)} jobs, {running} running, {len(self._waiting)} waiting, {self._ledger!r}>"

    @property
    def version(self) -> int:
        """Grows with every change that `visible` could show."""
        return self._ledger.version

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of each change that `jobs` shows, from now on and at once."""
        self._ledger.watch(watcher)

    def configure(self, settings: ManagerSettings) -> None:
        """Go by other settings from now on; jobs that run keep theirs."""
        self._settings = settings
        self._start_waiting()

    async def start(self) -> None:
        """Open the store and read it; jobs that an earlier proxy left unfinished become failed.

        StoreError if the store, or the key of what is sealed in it, cannot be used; it is closed then.
        """
        try:
            await self._ledger.open()
            await self._sources.start(self._ledger.not_at_their_end())
            for job in [job for job in self.jobs if job.status not in FINISHED]:
                known = self._sources.of(job) is not None
                await self._ledger.change(self._ended(job, interrupted(job, by="a restart", source_known=known)))
        except BaseException:
            await self._ledger.close()
            raise
        await self._dispatcher.open()
        await self._forget_outdated()
        self._tidying = asyncio.create_task(self._tidy(), name="tidying")

    @property
    def stopping(self) -> bool:
        """Whether the proxy shuts down: unfinished jobs are about to be interrupted."""
        return self._stopping

    async def idle(self) -> None:
        """Returns when no job runs or waits."""
        while unfinished := [live.finished for live in self._live.values()]:
            await asyncio.wait(unfinished)

    def begin_stop(self) -> None:
        """Accept no more jobs, and start none; `stop` follows."""
        self._stopping = True

    async def stop(self) -> None:
        """Stop the jobs that run, within the limits of their processes, and close the store.

        Unfinished jobs are then failed, with a text that says how to go on.
        """
        async with self._submitting:  # whoever was accepted just before
            self.begin_stop()
        while self._waiting:
            job = self._ledger[self._waiting.popleft()]
            end = interrupted(job, by="a shutdown", source_known=self._sources.outlives(job))
            await self._finish(job.job_id, end)
        for live in self._live.values():
            live.ask_to_stop("shutdown")
        if tasks := [live.task for live in self._live.values() if live.task]:
            await asyncio.wait(tasks)
        async with self._round:
            if self._tidying:
                self._tidying.cancel()
        await self._dispatcher.close()
        await self._notices.close()
        await self._ledger.settle()
        await self._ledger.close()

    # What callers may do.

    async def submit(
        self,
        caller: Caller,
        request: CloneRequest,
        source: Conninfo,
        target: Conninfo,
        waits: bool = False,
        reached: Conninfo | None = None,
    ) -> Job:
        """A new pending job of the caller; it starts when there is room.  `target` holds the caller's own credential.

        `source` is what the job says of its source and is resumed with, `reached` how it connects there, if that is
        not the same.  `waits` says that the caller's session does nothing until the job has ended: the job fails if it
        would have to wait for a lock of that session.

        PgError 57P03 while the proxy shuts down, 53100 if the store is full, 58030 if it fails otherwise.
        """
        async with self._submitting:
            job = _new_job(caller, request, source, self._clock())
            live = LiveJob(reached or source, target, waited_by=caller.backend if waits else 0)
            return await self._add(job, live, source)

    @property
    def jobs(self) -> Collection[Job]:
        """The records of everybody's jobs, in order of their ids; one that changes is replaced by another."""
        return self._ledger.jobs

    def visible(self, caller: Caller) -> list[Job]:
        """The jobs that the caller may see and control, in order of their ids."""
        return [job for job in self.jobs if caller.controls(job)]

    async def cancel(self, caller: Caller, job_id: int) -> str:
        """Stop a job, and return 'cancelled' when it has stopped.  A finished job stays as it is.

        A job that ends in the very moment may be found completed or failed afterwards: its record tells the truth.
        PgError P0002 if the caller sees no such job.
        """
        job_id = self.begin_cancel(caller, job_id)
        if live := self._live.get(job_id):
            await asyncio.shield(live.finished)
        return "cancelled"

    def begin_cancel(self, caller: Caller, job_id: int) -> int:
        """Ask a job to stop, one that waits not to start any more; its number, as `find` has it.

        PgError as `cancel` raises it.
        """
        job_id = self.find(caller, job_id).job_id
        if live := self._live.get(job_id):
            live.ask_to_stop("cancel")
            if job_id in self._waiting:
                self._waiting.remove(job_id)
                live.task = asyncio.create_task(self._finish(job_id, Verdict("cancelled")), name=f"job {job_id}")
        return job_id

    def resumable(self, caller: Caller, job_id: int) -> Job:
        """The job, which the caller may resume as things stand.  PgError as `resume` raises them if not."""
        job = self.find(caller, job_id)
        successor = self._ledger.successor(job.job_id)
        check_resumable(job, caller.database, successor, successor is not None and caller.controls(successor))
        if job.source_had_secret and job.owner != caller.role:
            raise secret_of_another(job)
        if self._sources.of(job) is None:
            raise secret_lost(job.job_id)
        return job

    def source_to_resume(self, caller: Caller, job_id: int) -> Conninfo:
        """The source of a job that the caller may resume, with its secrets.  PgError as `resume` raises them."""
        job = self.resumable(caller, job_id)
        return self._sources.of(job) or job.source

    async def resume(self, caller: Caller, job_id: int, target: Conninfo, reached: Conninfo | None = None) -> int:
        """The id of a new job of the caller that goes on where a failed or cancelled one ended.

        The old record stays as it is.  An administrator's job begins anew where the old one is not his.  `reached` is
        how the job connects to its source now, if that is not what the source says.

        PgError P0002 if the caller sees no such job; 55000 if its state, its database or an earlier resume forbids it;
        42501 if its source's password is another role's; 28000 if that is no longer known; and those of `submit`.
        """
        async with self._submitting:
            old = self.resumable(caller, job_id)
            source = self._sources.of(old) or old.source
            earlier = self._forerunners(caller, old)
            done = await self._ledger.done(old.job_id) if earlier else ()
            new = _new_job(caller, old.request, source, self._clock(), old)
            new = await self._add(new, LiveJob(reached or source, target, done, earlier=earlier), source)
            await self._sources.forget([old.job_id])  # it is the new job's now
            with suppress(PgError):  # that the new one exists says the same, as long as it does
                await self._ledger.leave(old.job_id)
            return new.job_id

    @property
    def interrupted(self) -> list[Job]:
        """The jobs that are to go on by themselves and nobody has resumed, in order of their ids."""
        return [job for job in self._ledger.not_at_their_end().values() if job.to_go_on]

    async def leave(self, job_id: int) -> None:
        """Do not go on with an interrupted job at the next start either.  PgError 58030 if the store fails."""
        await self._ledger.leave(job_id)

    async def clear(self, caller: Caller) -> int:
        """Forget the finished jobs that the caller may control, but for those that unfinished ones go on from; their
        number."""
        async with self._submitting:  # nobody resumes them meanwhile
            unfinished = [job for job in self.jobs if job.status not in FINISHED]
            needed = {earlier.job_id for job in unfinished for earlier in self._ledger.forerunners(job)}
            finished = [job.job_id for job in self.visible(caller) if job.status in FINISHED]
            return await self._forget([job_id for job_id in finished if job_id not in needed])

    async def outcomes(self, caller: Caller, job_id: int) -> list[Outcome]:
        """What became of each object of a job.  PgError P0002 if the caller sees no such job."""
        return await self._ledger.outcomes(self.find(caller, job_id).job_id)

    async def wait(self, job_id: int, hear: Callable[[FromJob], None] | None = None) -> Job:
        """The record of a job, once it is finished; until then `hear` is told what its process says.

        PgError P0002 for an unknown one.  Rights are not checked.
        """
        if live := self._live.get(job_id):
            with live.heard_by(hear):
                return await asyncio.shield(live.finished)
        if (job := self._ledger.get(job_id)) is None:
            raise not_found(job_id)
        return job

    def find(self, caller: Caller, job_id: int) -> Job:
        """The record of a job; by the number of one of its workers too.  PgError P0002 if the caller sees no such
        job."""
        job = self._ledger.of_number(job_id)
        if job is None or not caller.controls(job):
            raise not_found(job_id)
        return job

    # One job, from its acceptance to its end.

    async def _add(self, job: Job, live: LiveJob, source: Conninfo) -> Job:
        if self._stopping:
            raise PgError("57P03", "pgclone: the proxy is shutting down", hint="Call again when it is back.")
        job = await self._ledger.add(job, live.done, self._sources.seal(job, source))
        self._live[job.job_id] = live
        self._sources.keep(job, source)
        self._waiting.append(job.job_id)
        log.info("job submitted", job_id=job.job_id, owner=job.owner, kind=job.request.kind, source=job.source.public())
        self._notices.tell(job, live.target)
        self._start_waiting()
        return job

    def _start_waiting(self) -> None:
        """Start the jobs that may run, in the order in which they came."""
        while not self._stopping and (job := self._next()):
            self._waiting.remove(job.job_id)
            live = self._live[job.job_id]
            live.task = asyncio.create_task(self._run(job.job_id, live), name=f"job {job.job_id}")

    def _next(self) -> Job | None:
        waiting = (self._ledger[job_id] for job_id in self._waiting)
        running = [self._ledger[job_id] for job_id, live in self._live.items() if live.task]
        return next_to_run(waiting, running, self._settings.limits, lambda job: self._live[job.job_id].source)

    async def _run(self, job_id: int, live: LiveJob) -> None:
        async def take(progress: Progress | None) -> None:
            await self._take(job_id, live, progress)

        try:
            job = self._ledger[job_id].to("running", started_at=self._clock())
            await self._ledger.change(job)
            self._notices.tell(job, live.target)
            first_line = live.first_line(job, self._settings.default_parallel, self._settings.retry_for)
            ended, ending = await live.converse(self._dispatcher, first_line, take)
            end = verdict(job, live.asked, ended, ending, source_known=self._sources.outlives(job))
        except StoreError as failure:
            log.error("job store failed", job_id=job_id, error=str(failure))
            end = store_failed(failure.sqlstate, job_id)
        except Exception as failure:  # the edge of a job: whatever it is, the job must end and the others go on
            log.exception("job manager failed", job_id=job_id)
            end = Verdict("failed", "XX000", f"internal error of the proxy: {type(failure).__name__}")
        await self._finish(job_id, end)

    def _forerunners(self, caller: Caller, job: Job) -> tuple[Forerunner, ...]:
        """`job` and the jobs that it goes on from, the last one first, as far as the caller may go on from them."""
        chain = takewhile(partial(_may_go_on_from, caller), (job, *self._ledger.forerunners(job)))
        return tuple(Forerunner(one.name_on_target, one.owner) for one in chain)

    async def _take(self, job_id: int, live: LiveJob, progress: Progress | None) -> None:
        """Show progress, and save the record if that is due or there is more to save."""
        if progress:
            self._ledger.advance(job_id, running_progress(progress))
        now = asyncio.get_running_loop().time()
        due = now - live.saved_at >= self._settings.save_interval
        if live.unsaved or (progress and due):
            try:
                await self._ledger.save(job_id, live.unsaved)
                live.saved_at = now
            except StoreError as failure:
                # The clone itself is well; what is not saved now is saved with the next message.
                log.error("job store failed", job_id=job_id, error=str(failure))

    async def _finish(self, job_id: int, end: Verdict) -> None:
        """Bring a job to its final state and let the next one start.  Never fails: a job that is over is over."""
        job = self._ended(self._ledger[job_id], end)
        await self._ledger.end(job, self._live[job_id].unsaved)
        self._notices.tell(job, self._live[job_id].target)
        if job.status not in RESUMABLE:
            await self._sources.forget([job_id])
        self._live.pop(job_id).finished.set_result(job)
        self._start_waiting()
        await self._forget_outdated()

    def _ended(self, job: Job, end: Verdict) -> Job:
        progress = final_progress(job.progress, end.status)
        said = {"sqlstate": end.sqlstate, "error": end.error, "to_go_on": end.to_go_on, "crashes": end.crashes}
        ended_at = max(self._clock(), job.started_at or 0.0)  # the clock may have been set back
        return job.to(end.status, ended_at=ended_at, progress=progress, **said)

    # Forgetting.

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tidy_interval)
            async with self._round:
                try:
                    await self._ledger.settle()
                    await self._forget_outdated()
                except Exception:  # the edge of a task that nobody waits for: the next round may do better
                    log.exception("tidying failed")

    async def _forget_outdated(self) -> None:
        """Forget the finished jobs that need not be kept.  What the store fails to forget is forgotten later."""
        async with self._submitting:  # nobody resumes them meanwhile
            if old := outdated(self.jobs, self._settings.retention, self._clock()):
                with suppress(PgError):
                    await self._forget(old)
                    log.info("finished jobs are forgotten", count=len(old), last_job_id=old[-1])

    async def _forget(self, job_ids: Sequence[int]) -> int:
        removed = await self._ledger.remove(job_ids)
        await self._sources.forget(removed)
        return len(removed)


def _new_job(caller: Caller, request: CloneRequest, source: Conninfo, now: float, resumed: Job | None = None) -> Job:
    public = source.without_secrets()
    return Job(
        job_id=0,  # the store gives it
        owner=caller.role,
        database=caller.database,
        request=request,
        source=public,
        source_had_secret=public != source,
        submitted_at=now,
        resumed_from=resumed.job_id if resumed else 0,
        crashes=resumed.crashes if resumed else 0,
    )


def _may_go_on_from(caller: Caller, job: Job) -> bool:
    """Whether the caller's job may write to the tables that `job` has made.

    What their owner has put on them since (triggers, defaults, …) acts with the rights of who writes.  Who was granted
    the owner's role takes that on with it; an administrator must not be led into it.
    """
    return job.owner == caller.role or (job.owner in caller.member_of and not caller.admin)
