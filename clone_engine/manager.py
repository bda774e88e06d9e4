"""The job manager: accepts clones, runs each in a job process, and is the only writer of job records.

It knows nothing of SQL or of the wire: the proxy tells it who calls, and shows what `visible` returns.  Records live in
memory and in the store; a change of state is in the store before anyone can see it, mere progress may be a second
behind.  Credentials are in memory only, from `submit` until the job is completed or cleared.

A record is written by one task at a time, so no locks guard it: until the job starts by whoever submits, cancels or
stops; from then on by the job's own task (`_run`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, TypeVar

import msgspec
import structlog

from clone_engine.channel import Advanced, Begun, Done, Ended, FromJob, Reported, Start
from clone_engine.children import ChildError
from clone_engine.errors import PgError
from clone_engine.jobs import FINISHED, RESUMABLE, Job, Outcome, Progress, Status
from clone_engine.request import CloneRequest, Conninfo
from clone_engine.store import NO_STEPS, JobStore, Steps, StoreError

log = structlog.get_logger()
T = TypeVar("T")

MAX_PCT_RUNNING = 99.9
"""100 is for completed jobs: until the last step is committed something may still go wrong."""


class Caller(msgspec.Struct, frozen=True):
    """Who calls: the role that the target server authenticated, and the database it is connected to."""

    role: str
    database: str
    admin: bool = False
    """Whether this role sees and controls everybody's jobs."""


class ManagerSettings(msgspec.Struct, frozen=True):
    """What the configuration says of jobs."""

    max_running: int = 4
    """Jobs that run at once; the others wait, first come, first served."""
    default_parallel: int = 2
    """Copiers of a job whose options do not say."""
    save_interval: float = 1.0
    """Seconds between two writes of a job's mere progress to the store."""


class Child(Protocol):
    """A job process as the manager needs it; `children.JobProcess` is the real one and has the contracts."""

    @property
    def ending(self) -> str: ...
    async def receive(self) -> list[FromJob]: ...
    async def stop(self) -> bool: ...
    async def close(self) -> None: ...


StartChild = Callable[[Start], Awaitable[Child]]


class _Live:
    """The part of an unfinished job that ends with it: credentials, its task, and what the store has not got yet."""

    def __init__(self, source: Conninfo, target: Conninfo, steps: Steps) -> None:
        self.source = source
        self.target = target
        self.steps = steps
        self.task: asyncio.Task[None] | None = None
        self.asked: Literal["", "cancel", "shutdown"] = ""
        self.stop_asked = asyncio.Event()
        self.finished: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self.saved_at = 0.0
        self.begun: list[str] = []
        self.done: list[str] = []
        self.outcomes: list[Outcome] = []

    def __repr__(self) -> str:
        return f"<_Live {'started' if self.task else 'waiting'}{f', asked to {self.asked}' if self.asked else ''}>"

    def ask_to_stop(self, why: Literal["cancel", "shutdown"]) -> None:
        """The first reason counts: a job that was cancelled before a shutdown is cancelled."""
        self.asked = self.asked or why
        self.stop_asked.set()


class Manager:
    """All jobs of one proxy.  `clock` returns seconds since the epoch."""

    def __init__(
        self, store: JobStore, settings: ManagerSettings, start_child: StartChild, clock: Callable[[], float]
    ) -> None:
        self.version = 0
        """Grows with every change that `visible` could show."""
        self._store = store
        self._settings = settings
        self._start_child = start_child
        self._clock = clock
        self._jobs: dict[int, Job] = {}  # in order of their ids
        self._live: dict[int, _Live] = {}
        self._waiting: deque[int] = deque()
        self._sources: dict[int, Conninfo] = {}  # those with secrets, of jobs that may yet be resumed
        self._submitting = asyncio.Lock()  # one at a time: keeps `_jobs` in order and lets one resume of two win
        self._stopping = False

    def __repr__(self) -> str:
        running = len(self._live) - len(self._waiting)
        return f"<Manager {len(self._jobs)} jobs, {running} running, {len(self._waiting)} waiting, {self._store!r}>"

    async def start(self) -> None:
        """Open the store and read it; jobs that an earlier proxy left unfinished become failed.  StoreError."""
        await self._store.open()
        self._jobs = {job.job_id: job for job in await self._store.load()}
        for job in list(self._jobs.values()):
            if job.status not in FINISHED:
                text = _interrupted(job, "a restart")
                await self._change(job.job_id, "failed", ended_at=self._clock(), sqlstate="57P02", error=text)
        self.version += 1

    async def stop(self) -> None:
        """Accept no more jobs, stop those that run, within the limits of their processes, and close the store.

        Unfinished jobs are then failed, with a text that says how to go on.
        """
        async with self._submitting:
            self._stopping = True
        for job_id in list(self._waiting):
            self._waiting.remove(job_id)
            await self._finish(job_id, "failed", sqlstate="57P01", error=_interrupted(self._jobs[job_id], "a shutdown"))
        for live in self._live.values():
            live.ask_to_stop("shutdown")
        if tasks := [live.task for live in self._live.values() if live.task]:
            await asyncio.wait(tasks)
        await self._store.close()

    # What callers may do.

    async def submit(self, caller: Caller, request: CloneRequest, source: Conninfo, target: Conninfo) -> Job:
        """A new pending job of the caller; it starts when there is room.  `target` holds the caller's own credential.

        PgError 57P03 while the proxy shuts down, 58030 if the store fails.
        """
        async with self._submitting:
            return await self._add(_new_job(caller, request, source, self._clock()), source, target, NO_STEPS)

    def visible(self, caller: Caller) -> list[Job]:
        """The jobs that the caller may see and control, in order of their ids."""
        return [job for job in self._jobs.values() if _may_control(caller, job)]

    async def cancel(self, caller: Caller, job_id: int) -> str:
        """Stop a job, and return 'cancelled' when it has stopped.  A finished job stays as it is.

        A job that ends in the very moment may be found completed or failed afterwards: its record tells the truth.
        PgError P0002 if the caller sees no such job.
        """
        self._find(caller, job_id)
        live = self._live.get(job_id)
        if job_id in self._waiting:
            self._waiting.remove(job_id)
            await self._finish(job_id, "cancelled")
        elif live:
            live.ask_to_stop("cancel")
            await asyncio.shield(live.finished)
        return "cancelled"

    async def resume(self, caller: Caller, job_id: int, target: Conninfo) -> int:
        """The id of a new job of the caller that goes on where a failed or cancelled one ended.

        The old record stays as it is.  PgError P0002 if the caller sees no such job; 55000 if its state, its database
        or an earlier resume forbids it; 28000 if its source's password is no longer known; and those of `submit`.
        """
        async with self._submitting:
            old = self._find(caller, job_id)
            _check_resumable(caller, old, next((j for j in self._jobs.values() if j.resumed_from == job_id), None))
            source = self._sources.get(job_id, old.source)
            if old.source_had_secret and source.without_secrets() == source:
                raise _secret_lost(job_id)
            new = _new_job(caller, old.request, source, self._clock())
            new = msgspec.structs.replace(new, resumed_from=job_id)
            steps = await _from_store(self._store.steps(job_id))
            return (await self._add(new, source, target, steps)).job_id

    async def clear(self, caller: Caller) -> int:
        """Forget the finished jobs that the caller may control; their number."""
        finished = [job.job_id for job in self.visible(caller) if job.status in FINISHED]
        await _from_store(self._store.remove(finished))
        for job_id in finished:
            self._jobs.pop(job_id, None)
            self._sources.pop(job_id, None)
        self.version += 1
        return len(finished)

    async def outcomes(self, caller: Caller, job_id: int) -> list[Outcome]:
        """What became of each object of a job.  PgError P0002 if the caller sees no such job."""
        self._find(caller, job_id)
        return await _from_store(self._store.outcomes(job_id))

    async def wait(self, job_id: int) -> Job:
        """The record of a job, once it is finished.  PgError P0002 for an unknown one.  Rights are not checked."""
        if live := self._live.get(job_id):
            return await asyncio.shield(live.finished)
        if job_id not in self._jobs:
            raise _not_found(job_id)
        return self._jobs[job_id]

    def _find(self, caller: Caller, job_id: int) -> Job:
        job = self._jobs.get(job_id)
        if job is None or not _may_control(caller, job):
            raise _not_found(job_id)
        return job

    # One job, from its acceptance to its end.

    async def _add(self, job: Job, source: Conninfo, target: Conninfo, steps: Steps) -> Job:
        if self._stopping:
            raise PgError("57P03", "pgclone: the proxy is shutting down", hint="Call again when it is back.")
        job = await _from_store(self._store.add(job, steps))
        self._jobs[job.job_id] = job
        self._live[job.job_id] = _Live(source, target, steps)
        if job.source_had_secret:
            self._sources[job.job_id] = source
        self._waiting.append(job.job_id)
        self.version += 1
        log.info("job submitted", job_id=job.job_id, owner=job.owner, kind=job.request.kind, source=job.source.public())
        self._start_waiting()
        return job

    def _start_waiting(self) -> None:
        """Start jobs while there is room."""
        while self._waiting and not self._stopping:
            if len(self._live) - len(self._waiting) >= self._settings.max_running:
                return
            job_id = self._waiting.popleft()
            live = self._live[job_id]
            live.task = asyncio.create_task(self._run(job_id, live), name=f"job {job_id}")

    async def _run(self, job_id: int, live: _Live) -> None:
        try:
            await self._change(job_id, "running", started_at=self._clock())
            status, sqlstate, error = await self._converse(job_id, live)
        except Exception as failure:  # the edge of a job: whatever it is, the job must end and the others go on
            log.exception("job manager failed", job_id=job_id)
            status, sqlstate, error = "failed", "XX000", f"internal error of the proxy: {type(failure).__name__}"
        await self._finish(job_id, status, sqlstate=sqlstate, error=error)

    async def _converse(self, job_id: int, live: _Live) -> tuple[Status, str, str]:
        """Start the job process and take what it says until it is gone: the state of the job, SQLSTATE and error."""
        job = self._jobs[job_id]
        try:
            child = await self._start_child(self._first_line(job, live))
        except ChildError as failure:
            return "failed", "58000", str(failure)
        stopper = asyncio.create_task(_stop_when_asked(live, child), name=f"stop of job {job_id}")
        ended: Ended | None = None
        try:
            while ended is None and (messages := await child.receive()):
                ended = await self._take(job_id, live, messages)
        except ChildError as failure:
            ended = Ended("failed", "58000", str(failure))
        finally:
            stopper.cancel()
            await child.close()
        return _verdict(job, live, ended, child.ending)

    def _first_line(self, job: Job, live: _Live) -> Start:
        return Start(
            job_id=job.job_id,
            request=job.request,
            source=live.source,
            target=live.target,
            parallel=job.request.options.parallel or self._settings.default_parallel,
            done=live.steps.done,
            begun=live.steps.begun,
        )

    async def _take(self, job_id: int, live: _Live, messages: list[FromJob]) -> Ended | None:
        """Apply messages to the record, and save it if they are worth it.  The Ended among them, if there is one."""
        ended: Ended | None = None
        for message in messages:
            match message:
                case Advanced(progress):
                    self._advance(job_id, progress)
                case Begun(key):
                    live.begun.append(key)
                case Done(key):
                    live.done.append(key)
                case Reported(outcome):
                    live.outcomes.append(outcome)
                case Ended():
                    ended = message
        due = asyncio.get_running_loop().time() - live.saved_at >= self._settings.save_interval
        if not ended and (due or live.begun or live.done or live.outcomes):
            try:
                await self._save(self._jobs[job_id])
            except StoreError as failure:
                # The clone itself is well; what is not saved now is saved with the next message.
                log.error("job store failed", job_id=job_id, error=str(failure))
        return ended

    def _advance(self, job_id: int, progress: Progress) -> None:
        pct = min(max(progress.pct_complete, 0.0), MAX_PCT_RUNNING)
        progress = msgspec.structs.replace(progress, pct_complete=pct)
        self._jobs[job_id] = msgspec.structs.replace(self._jobs[job_id], progress=progress)
        self.version += 1

    async def _finish(self, job_id: int, status: Status, *, sqlstate: str = "", error: str = "") -> None:
        """Bring a job to its final state and let the next one start.  Never fails: a job that is over is over."""
        changes = {
            "ended_at": self._clock(),
            "sqlstate": sqlstate,
            "error": error,
            "progress": _final_progress(self._jobs[job_id].progress, status),
        }
        try:
            await self._change(job_id, status, **changes)
        except StoreError as failure:
            log.error("job store failed, it does not know the end of a job", job_id=job_id, error=str(failure))
            self._announce(self._jobs[job_id].to(status, **changes))
        if status not in RESUMABLE:
            self._sources.pop(job_id, None)
        live = self._live.pop(job_id)
        live.finished.set_result(self._jobs[job_id])
        self._start_waiting()

    async def _change(self, job_id: int, status: Status, **changes: Any) -> None:
        """Bring a job to another state: in the store first, then for all to see.  StoreError leaves it as it was."""
        job = self._jobs[job_id].to(status, **changes)
        await self._save(job)
        self._announce(job)

    def _announce(self, job: Job) -> None:
        self._jobs[job.job_id] = job
        self.version += 1
        log.info("job is " + job.status, job_id=job.job_id, sqlstate=job.sqlstate, error=job.error)

    async def _save(self, job: Job) -> None:
        live = self._live.get(job.job_id)
        if live is None:
            await self._store.save(job)
            return
        await self._store.save(job, begun=live.begun, done=live.done, outcomes=live.outcomes)
        live.begun, live.done, live.outcomes = [], [], []
        live.saved_at = asyncio.get_running_loop().time()


async def _stop_when_asked(live: _Live, child: Child) -> None:
    await live.stop_asked.wait()
    await child.stop()


async def _from_store(work: Awaitable[T]) -> T:
    """The result of a store's method, its failure as an error for the caller."""
    try:
        return await work
    except StoreError as failure:
        log.error("job store failed", error=str(failure))
        raise PgError(
            "58030",
            "pgclone: the proxy's job store failed",
            hint="The proxy's log has the reason; most often its disk is full or its file was moved.",
        ) from failure


def _new_job(caller: Caller, request: CloneRequest, source: Conninfo, now: float) -> Job:
    public = source.without_secrets()
    return Job(
        job_id=0,  # the store gives it
        owner=caller.role,
        database=caller.database,
        request=request,
        source=public,
        source_had_secret=public != source,
        submitted_at=now,
    )


def _may_control(caller: Caller, job: Job) -> bool:
    return caller.admin or caller.role == job.owner


def _final_progress(progress: Progress, status: Status) -> Progress:
    """Progress as a finished job shows it; a failed one keeps the phase in which it failed."""
    if status == "completed":
        return msgspec.structs.replace(progress, phase="completed", pct_complete=100.0)
    if status == "cancelled":
        return msgspec.structs.replace(progress, phase="cancelled")
    return progress


def _verdict(job: Job, live: _Live, ended: Ended | None, ending: str) -> tuple[Status, str, str]:
    """The final state, SQLSTATE and error of a job from its process's last word (None: none) and how that ended."""
    if ended and ended.status == "completed":
        return "completed", "", ""
    if ended and ended.status == "failed":
        return "failed", ended.sqlstate or "XX000", ended.error or "job failed without a message"
    if live.asked == "cancel":
        return "cancelled", "", "" if ended else f"job process did not stop by itself ({ending}); {HALF_DONE}"
    if live.asked == "shutdown":
        return "failed", "57P01", _interrupted(job, "a shutdown")
    what = "was stopped from outside" if ended else f"exited unexpectedly ({ending})"
    return "failed", "58000", f"job process {what}; go on with pgclone_resume({job.job_id})"


HALF_DONE = "what it was doing may be left half done"


def _interrupted(job: Job, by: str) -> str:
    go_on = f"go on with pgclone_resume({job.job_id})"
    if job.source_had_secret:  # which does not outlive the proxy
        go_on = f"its source password is lost, so pgclone_resume({job.job_id}) cannot go on; call the function again"
    return f"interrupted by {by} of the proxy; {go_on}"


def _check_resumable(caller: Caller, job: Job, successor: Job | None) -> None:
    """PgError 55000 if this caller cannot resume the job; `successor` is the job that already went on from it."""
    if job.status not in RESUMABLE:
        detail, hint = f'Its status is "{job.status}".', "Only failed and cancelled jobs can be resumed."
    elif job.database != caller.database:
        detail = f'It clones into database "{job.database}", and this is "{caller.database}".'
        hint = f"Connect to that database and call pgclone_resume({job.job_id}) there."
    elif successor:
        detail = f'Job {successor.job_id} already went on from it; its status is "{successor.status}".'
        hint = f"Look at job {successor.job_id} in pgclone_jobs_view."
    else:
        return
    raise PgError("55000", f"pgclone: job {job.job_id} is not resumable", detail=detail, hint=hint)


def _secret_lost(job_id: int) -> PgError:
    return PgError(
        "28000",
        f"pgclone: the source password of job {job_id} is no longer known",
        detail="Passwords are kept in memory only, and the proxy was restarted since.",
        hint='Call the clone function again with the conninfo; {"conflict": "replace"} redoes tables that exist.',
    )


def _not_found(job_id: int) -> PgError:
    return PgError("P0002", f"pgclone: job {job_id} not found", hint="pgclone_jobs_view lists your jobs.")
