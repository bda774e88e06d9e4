"""One job at work: the snapshot, the plan, the graph of its steps on the copiers, and what is said to the manager.

The order of things is here; the process around it, its pipes and its end are `job_process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import psycopg

from clone_engine.records.channel import Advanced, Done, Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome, Progress
from clone_engine.records.steps import AnyStep, Plan, Run, reported_key
from clone_engine.running import copier_channel as records
from clone_engine.running.clean_up import CleanUp, Left
from clone_engine.running.creation import Creation
from clone_engine.running.crew import Crew, Member
from clone_engine.running.durable import Announcer
from clone_engine.running.journaling import JobJournal
from clone_engine.running.keeping import Keeping
from clone_engine.running.progress import Account
from clone_engine.running.reporting import Report, Say
from clone_engine.running.resume import on_new_snapshot, resumption
from clone_engine.running.scheduler import Schedule
from clone_engine.running.standstill import standstill
from clone_engine.running.undo import CLEANUP_TIMEOUT, end_backends
from clone_engine.servers.connect import connect_async
from clone_engine.servers.journal import WITHOUT
from clone_engine.servers.keeper import Keeper

NO_CONNECTIONS: Final = "53300"
"""Too many connections: of the server, the database or the role."""
REFUSALS = ("0A", "22", "42")
"""SQLSTATE classes of a server that cannot take what it is given."""
BREATH: Final = 0.5
"""Seconds until another copier tries to plan where a server had no connection for one."""
NEWS_INTERVAL: Final = 0.4
"""Seconds between two Advanced lines: at least two a second, with room for a busy machine."""


class JobError(Exception):
    """The first failure of a job: the error, and the object (`kind name`, or '') at which it came."""

    def __init__(self, error: PgError, object_: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.object = object_


class Job:
    """`work` runs it to its end or first failure, `clean_up` undoes what is half done, `close` leaves nothing open."""

    def __init__(self, start: Start, crew: Crew, say: Say) -> None:
        self._start = start
        self._crew = crew
        self._say = say
        self._report = Report(say, start.done)
        self._keeping = Keeping(say)
        self._progress = Progress()
        self._plan: Plan | None = None
        self._added: frozenset[str] = frozenset()
        self._schedule = Schedule(())
        self._account = Account((), ())
        self._keeper: Keeper | None = None
        self._target: psycopg.AsyncConnection | None = None
        self._idle = list(crew.members)
        self._busy: dict[Member, AnyStep] = {}
        self._redone: set[str] = set()
        self._reduced = False  # a server has no connections for all copiers
        self._creation: Creation | None = None
        self._journal = JobJournal(start)
        self._done: tuple[str, ...] = start.done
        self._completed = False
        self._failures: asyncio.Queue[PgError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Job {self._start.job_id} {self._progress.phase or 'connecting'}, {self._schedule}>"

    async def work(self) -> None:
        """Clone.  JobError at the first failure; CancelledError leaves things to `clean_up` as well."""
        self._background(self._tell_progress())
        working = asyncio.create_task(self._work_through())
        failing = asyncio.create_task(self._failures.get())
        try:
            await asyncio.wait({working, failing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise JobError(failing.result(), "")
            await working
        except PgError as error:
            raise JobError(error, "") from None
        finally:
            working.cancel()
            failing.cancel()
            await asyncio.wait({working, failing})
        self._completed = True
        self._say(Advanced(self._account.ended()))

    async def _work_through(self) -> None:
        """From the first connection to the last step.  JobError or PgError at the first failure."""
        await self._open()
        plan = await self._prepare()
        await self._begin(plan)
        while not self._schedule.complete:
            self._hand_out()
            await self._hear()
        await self._report.completed()
        self._report.outcome(await self._journal.drop(self._target_()))

    async def clean_up(self, failed_at: str) -> None:
        """What the plan says for a job that does not complete; empties tables of which only parts arrived, and reports
        all that are not complete but the object `failed_at`, whose own failure has been reported.

        The copiers must have ended.  Never raises: what fails is reported.
        """
        await self._end_backends([member for member in self._crew.members if member.backends])
        target = await self._usable_target()
        left = await CleanUp(target, self._report, self._journal, self._keeping).run() if target else Left((), {})
        self._report.rest(left.complete, left.in_part, failed_at)
        if self._creation and not self._report.holds:
            if self._target:
                await self._target.close()
            self._report.outcome(await self._creation.drop())

    def answer(self, number: int) -> None:
        """What the manager says to Keep; 0 when it has gone for good."""
        self._keeping.answer(number)

    def left_behind(self) -> str:
        """What a job that failed has changed for good though it is not resumed from there; '' if nothing.

        To be asked behind `clean_up`, which sees what the target has.
        """
        if self._report.swapped:
            return "The new tables are in place of the old ones already; what was to follow is missing or incomplete."
        if self._creation and self._creation.key and self._report.holds:
            return f'Database "{self._creation.name}" stays with what is complete; pgclone_resume goes on in it.'
        return ""

    async def close(self) -> None:
        """Close the job's own connections and end its tasks."""
        for task in self._tasks:
            task.cancel()
        for connection in (self._keeper and self._keeper.connection, self._target):
            if connection:
                await connection.close()

    # --- beginning -------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Keeper, target, and the copiers' ears."""
        consistent = self._start.request.options.consistent
        self._keeper = await Keeper.open(self._start.source, self._start.job_id, consistent)
        if self._start.request.target_database:
            await self._create_database(self._keeper)
        self._target = await self._connect_target()
        if self._start.waited_by:
            self._background(standstill(self._target, self._start, self._backends_on_source))
        self._done = await self._journal.take_over(self._target)
        self._report.refused = {key.removeprefix(WITHOUT) for key in self._done if key.startswith(WITHOUT)}
        self._progress = Progress(phase="starting")
        self._say(Advanced(self._progress))
        await self._crew.start()
        for member in self._crew.members:
            self._crew.tell(member, records.Open(self._keeper.snapshot))

    async def _create_database(self, keeper: Keeper) -> None:
        self._creation = Creation(self._start)
        outcome = await self._creation.make(keeper.connection)
        if self._creation.key:
            self._say(Done(self._creation.key))
            await self._keeping.kept()
        self._report.outcome(outcome)

    async def _connect_target(self) -> psycopg.AsyncConnection:
        target = await connect_async(self._start.destination, "target", self._start.job_id)
        await target.execute("SET synchronous_commit = 'on'")
        return target

    async def _prepare(self) -> Plan:
        """The plan, made by a copier: it can be stopped at any moment, and its pg_dump with it."""
        makers = list(self._crew.members)
        maker = makers.pop(0)
        self._crew.tell(maker, records.Prepare(self._done))
        while True:
            member, record = await self._crew.events.get()
            match record:
                case records.Prepared(plan):
                    return plan
                case records.Failed(sqlstate=sqlstate) if sqlstate == NO_CONNECTIONS and makers:
                    self._idle.remove(maker)
                    self._report_without(record)
                    await asyncio.sleep(BREATH)  # connections of others may end
                    maker = makers.pop(0)
                    self._crew.tell(maker, records.Prepare(self._done))
                case records.Failed():
                    raise _failure(record)
                case None if member is maker:
                    raise PgError("58000", "pgclone: the process that plans the clone ended unexpectedly")
                case None:
                    for others in (makers, self._idle):
                        if member in others:
                            others.remove(member)

    async def _begin(self, plan: Plan) -> None:
        plan = self._plan = self._creation.completed(plan) if self._creation else plan
        if self._keeper:
            await self._keeper.pin(plan.tables)
            self._background(self._keeper.watch())
        for object_, reason in plan.notes:
            self._report.outcome(Outcome(object_, "skipped", message=reason))
        for outcome in on_new_snapshot(plan, self._done, self._start.request.options.consistent):
            self._report.outcome(outcome)
        journal = await self._journal.make(self._target_(), plan)
        work = resumption(plan, self._done, journal, self._journal.found)
        self._added = work.added
        self._schedule = Schedule(work.steps, work.done)
        self._account = Account(work.steps, plan.tables, work.done)
        announcer = Announcer(self._target_(), self._say)
        self._report.begin(plan, work, self._journal.kept(plan), announcer)
        self._background(announcer.run())

    # --- the graph -------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give steps to idle copiers, those first that have their connections."""
        while self._idle and (step := self._schedule.start()):
            member = self._idle.pop(0)
            self._busy[member] = step
            self._account.begin(step.key)
            journal = None if step.key in self._added else self._journal.journal
            self._crew.tell(member, records.Work(step, journal, self._refused_for(step)))

    def _refused_for(self, step: AnyStep) -> tuple[str, ...]:
        """The objects that the target has refused to make and that the step would need."""
        needed = {need for statement in step.statements for need in statement.needs} if isinstance(step, Run) else set()
        return tuple(sorted(needed & self._report.refused))

    async def _hear(self) -> None:
        """Wait for one record of a copier, and act on it."""
        member, record = await self._crew.events.get()
        match record:
            case records.Moved(rows, size):
                self._account.move(self._busy[member].key, rows, size)
            case records.Finished():
                self._finished(member, record)
            case records.Failed(sqlstate=sqlstate) if sqlstate == NO_CONNECTIONS and self._can_do_without(member):
                self._do_without(member, record)
            case records.Failed():
                raise _failure(record, self._plan.advice if self._plan else "")
            case None:
                await self._died(member)

    def _finished(self, member: Member, record: records.Finished) -> None:
        step = self._busy.pop(member)
        self._idle.insert(0, member)
        self._schedule.finish(step.key)
        completes = self._account.finish(step.key, record.rows, record.bytes)
        self._report.finished(step, record, completes)

    def _can_do_without(self, member: Member) -> bool:
        """Whether others are at work, or could be.  Idle ones may have no connections yet either."""
        return any(other is not member and other.backends for other in (*self._busy, *self._idle))

    def _do_without(self, member: Member, record: records.Failed) -> None:
        """A server has no connection for one copier more: the others do its work, and it leaves."""
        step = self._busy.pop(member)
        self._account.put_back(step.key)
        self._schedule.put_back(step.key)
        self._report_without(record)

    def _report_without(self, record: records.Failed) -> None:
        if not self._reduced:  # the others that find none would say the same
            words = f"the clone goes on with fewer than {len(self._crew.members)} copiers: {record.message}"
            self._report.outcome(Outcome("option parallel", "skipped", record.sqlstate, words))
        self._reduced = True

    async def _died(self, member: Member) -> None:
        """A copier was killed.  Its step is done again, once, if it was not committed and others are left."""
        if member not in self._busy:
            with suppress(ValueError):  # it was done without already
                self._idle.remove(member)
            return
        step = self._busy[member]
        await self._end_backends([member])
        if member.committing and (entry := await self._journal.entry(self._target_(), step.key)):
            self._finished(member, records.Finished(entry.rows, 0, entry.outcomes))
            self._idle.remove(member)
            return
        del self._busy[member]
        if step.key in self._redone or not (self._busy or self._idle):
            raise JobError(_death(member), _object(step))
        self._redone.add(step.key)
        self._account.put_back(step.key)
        self._schedule.put_back(step.key)

    # --- the end ---------------------------------------------------------------------------------------------------

    async def _usable_target(self) -> psycopg.AsyncConnection | None:
        """The target connection, a new one if it broke; None if there is none to be had, or none was needed yet."""
        if self._target is not None and self._target.broken:
            with suppress(psycopg.Error):
                await self._target.close()
            self._target = None
            with suppress(PgError, psycopg.Error, TimeoutError):
                self._target = await asyncio.wait_for(self._connect_target(), CLEANUP_TIMEOUT)
        return self._target

    def _backends_on_source(self) -> list[int]:
        keeper = [self._keeper.connection.info.backend_pid] if self._keeper else []
        return [*keeper, *(member.backends["source"] for member in self._crew.members if "source" in member.backends)]

    async def _end_backends(self, members: list[Member]) -> None:
        """Make both servers end what they still do for copiers that could not see to it themselves."""
        connections = {"source": self._keeper and self._keeper.connection, "target": self._target}
        for side, connection in connections.items():
            pids = [pid for member in members for name, pid in member.backends.items() if name == side]
            if connection and pids:
                await end_backends(connection, pids)

    # --- beside it -------------------------------------------------------------------------------------------------

    async def _tell_progress(self) -> None:
        # Nothing may follow the progress of the completed job: it would take a step back.
        while not self._completed:
            self._say(Advanced(self._account.progress() if self._plan else self._progress))
            await asyncio.sleep(NEWS_INTERVAL)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside the graph; if it fails, so does the job."""

        async def guarded() -> None:
            try:
                await work
            except PgError as error:
                self._failures.put_nowait(error)

        self._tasks.append(asyncio.create_task(guarded()))

    def _target_(self) -> psycopg.AsyncConnection:
        assert self._target is not None, "_open() makes it"
        return self._target


def _failure(record: records.Failed, advice: str = "") -> JobError:
    """The copier's failure; with `advice` for a hint if it is the statement's or a value's, and there is none."""
    hint = record.hint or (advice if record.sqlstate.startswith(REFUSALS) else "")
    error = PgError(record.sqlstate, record.message, detail=record.detail, hint=hint)
    return JobError(error, record.object)


def _death(member: Member) -> PgError:
    return PgError(
        "58000",
        f"pgclone: copier process {member.pid} ended unexpectedly",
        detail="Its step was not committed.",
        hint="It may have been killed for want of memory. Resume the job.",
    )


def _object(step: AnyStep) -> str:
    if isinstance(step, Run):
        return next((statement.object for statement in step.statements if statement.object), "")
    return reported_key(step)
