"""One job at work: the snapshot, the plan, the graph of its steps on the copiers, and what is said to the manager.

The order of things is here; the process around it, its pipes and its end are `job_process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import psycopg

from clone_engine.records.channel import Advanced, Begun, Done, FromJob, Reported, Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome, Progress
from clone_engine.records.steps import AnyStep, Copy, Plan, Run
from clone_engine.running import copier_channel as records
from clone_engine.running.creation import Creation
from clone_engine.running.crew import Crew, Member
from clone_engine.running.durable import Announcer
from clone_engine.running.progress import Account
from clone_engine.running.resume import Resumption, on_new_snapshot, resumption, table_key
from clone_engine.running.scheduler import Schedule
from clone_engine.running.undo import CLEANUP_TIMEOUT, end_backends, undo
from clone_engine.servers.connect import connect_async
from clone_engine.servers.keeper import Keeper

Say = Callable[[FromJob], None]

WITHOUT = "without "
"""Begins the keys, kept beside those of done steps, that tell a resumed job what the target refused to make."""
NO_CONNECTIONS: Final = "53300"
"""Too many connections: of the server, the database or the role."""
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
        self._progress = Progress()
        self._plan: Plan | None = None
        self._work: Resumption | None = None
        self._schedule = Schedule(())
        self._account = Account((), ())
        self._keeper: Keeper | None = None
        self._target: psycopg.AsyncConnection | None = None
        self._announcer: Announcer | None = None
        self._idle = list(crew.members)
        self._busy: dict[Member, AnyStep] = {}
        self._begun: set[str] = set()
        self._redone: set[str] = set()
        self._parts_done: dict[str, int] = {}
        self._kept_back: list[Reported] = []
        self._creation: Creation | None = None
        self._any_finished = False
        self._refused = {key.removeprefix(WITHOUT) for key in start.done if key.startswith(WITHOUT)}
        self._swapped = False
        self._completed = False
        self._failures: asyncio.Queue[PgError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Job {self._start.job_id} {self._progress.phase or 'connecting'}, {self._schedule}>"

    async def work(self) -> None:
        """Clone.  JobError at the first failure; CancelledError leaves things to `clean_up` as well."""
        self._background(self._tell_progress())
        try:
            await self._open()
            plan = await self._prepare()
            await self._begin(plan)
            while not self._schedule.complete:
                self._hand_out()
                await self._hear()
            self._announcer_().hold(self._kept_back)
            await self._announcer_().flush()
        except PgError as error:
            raise JobError(error, "") from None
        self._completed = True
        self._say(Advanced(self._account.ended()))

    async def clean_up(self, failed_at: str) -> None:
        """What the plan says for a job that does not complete; empties tables of which only parts arrived, and reports
        all that are not complete but the object `failed_at`, whose own failure has been reported.

        The copiers must have ended.  Never raises: what fails is reported.
        """
        await self._end_backends([member for member in self._crew.members if member.backends])
        target = await self._usable_target()
        if target is not None and self._plan is not None:
            await self._undo(target, self._plan, failed_at)
        if self._creation and not self._holds:
            if self._target:
                await self._target.close()
            self._report_failure(await self._creation.drop())

    async def _undo(self, target: psycopg.AsyncConnection, plan: Plan, failed_at: str) -> None:
        for statement in plan.on_failure:
            self._report_failure(await undo(target, statement.sql, statement.object))
        if self._swapped:
            for message in self._kept_back:
                self._say(message)
        if not plan.on_failure:
            for step in self._incomplete():
                object_ = table_key(step.table)
                if self._parts_done.get(step.table):
                    self._report_failure(await undo(target, step.empty, object_))
                if object_ != failed_at:
                    self._say(Reported(Outcome(object_, "failed", message="not copied: the job ended before")))
            if self._announcer:
                with suppress(PgError, TimeoutError):
                    await asyncio.wait_for(self._announcer.flush(), CLEANUP_TIMEOUT)

    def left_behind(self) -> str:
        """What a job that failed has changed for good though it is not resumed from there; '' if nothing."""
        if self._swapped:
            return "The new tables are in place of the old ones already; what was to follow is missing or incomplete."
        if self._creation and self._creation.key and self._holds:
            return f'Database "{self._creation.name}" stays with what is complete; pgclone_resume goes on in it.'
        return ""

    @property
    def _holds(self) -> bool:
        """Whether anything of the clone is complete on the target."""
        return self._any_finished or bool(self._work and self._work.done)

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
        self._announcer = Announcer(self._target, self._say)
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
        self._say(Reported(outcome))

    async def _connect_target(self) -> psycopg.AsyncConnection:
        target = await connect_async(self._start.destination, "target", self._start.job_id)
        await target.execute("SET synchronous_commit = 'on'")
        return target

    async def _prepare(self) -> Plan:
        """The plan, made by the first copier: it can be stopped at any moment, and its pg_dump with it."""
        maker = self._crew.members[0]
        self._crew.tell(maker, records.Prepare())
        while True:
            member, record = await self._crew.events.get()
            match record:
                case records.Prepared(plan):
                    return plan
                case records.Failed():
                    raise _failure(record)
                case None if member is maker:
                    raise PgError("58000", "pgclone: the process that plans the clone ended unexpectedly")
                case None:
                    self._idle.remove(member)

    async def _begin(self, plan: Plan) -> None:
        plan = self._plan = self._creation.completed(plan) if self._creation else plan
        if self._keeper:
            await self._keeper.pin(plan.tables)
            self._background(self._keeper.watch())
        for object_, reason in plan.notes:
            self._say(Reported(Outcome(object_, "skipped", message=reason)))
        for outcome in on_new_snapshot(plan, self._start.done, self._start.request.options.consistent):
            self._say(Reported(outcome))
        self._work = resumption(plan, self._start.done, self._start.begun)
        self._schedule = Schedule(self._work.steps, self._work.done)
        self._account = Account(self._work.steps, plan.tables, self._work.done)
        if plan.mark:
            self._say(Begun(plan.mark))
        self._background(self._announcer_().run())

    # --- the graph -------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give steps to idle copiers, those first that have their connections."""
        while self._idle and (step := self._schedule.start()):
            member = self._idle.pop(0)
            self._busy[member] = step
            self._account.begin(step.key)
            self._say_begun(_reported_key(step))
            careful = bool(self._work and step.key in self._work.careful)
            self._crew.tell(member, records.Work(step, careful, self._refused_for(step)))

    def _refused_for(self, step: AnyStep) -> tuple[str, ...]:
        """The objects that the target has refused to make and that the step would need."""
        needed = {need for statement in step.statements for need in statement.needs} if isinstance(step, Run) else set()
        return tuple(sorted(needed & self._refused))

    def _say_begun(self, key: str) -> None:
        if self._keeps_steps and key not in self._begun and self._work and key not in self._work.added:
            self._begun.add(key)
            self._say(Begun(key))

    async def _hear(self) -> None:
        """Wait for one record of a copier, or a failure of the job's own connections, and act on it."""
        event = asyncio.create_task(self._crew.events.get())
        failure = asyncio.create_task(self._failures.get())
        try:
            await asyncio.wait({event, failure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            event.cancel()
            failure.cancel()
        if failure.done() and not failure.cancelled():
            raise failure.result()
        member, record = event.result()
        match record:
            case records.Moved(rows, size):
                self._account.move(self._busy[member].key, rows, size)
            case records.Finished():
                self._finished(member, record)
            case records.Failed(sqlstate=sqlstate) if sqlstate == NO_CONNECTIONS and self._can_do_without(member):
                self._do_without(member, record)
            case records.Failed():
                raise _failure(record)
            case None:
                await self._died(member)

    def _finished(self, member: Member, record: records.Finished) -> None:
        step = self._busy.pop(member)
        self._idle.insert(0, member)
        self._schedule.finish(step.key)
        completes = self._account.finish(step.key, record.rows, record.bytes)
        self._any_finished = True
        self._swapped = self._swapped or bool(self._plan and step.key == self._plan.swap)
        if isinstance(step, Copy):
            self._parts_done[step.table] = self._parts_done.get(step.table, 0) + 1
            if completes:
                self._report(table_key(step.table), (Outcome(table_key(step.table), "done"),))
        self._refused |= {outcome.object for outcome in record.outcomes if outcome.result == "skipped"}
        if not isinstance(step, Copy) and self._work and step.key not in self._work.added:
            self._report(step.key, record.outcomes)

    def _report(self, key: str, outcomes: tuple[Outcome, ...]) -> None:
        """Say that a step is done when that is durable; of a plan that is undone as a whole, when all of it is."""
        messages = [Reported(outcome) for outcome in outcomes]
        if self._keeps_steps:
            refused = [Done(WITHOUT + outcome.object) for outcome in outcomes if outcome.result == "skipped"]
            self._announcer_().hold([Done(key), *refused, *messages])
        else:
            self._kept_back += messages

    @property
    def _keeps_steps(self) -> bool:
        """Whether what is done stays done if the job fails, so that a resumed job can build on it."""
        return self._plan is not None and not self._plan.on_failure

    def _can_do_without(self, member: Member) -> bool:
        """Whether others are at work, or could be.  Idle ones may have no connections yet either."""
        return any(other is not member and other.backends for other in (*self._busy, *self._idle))

    def _do_without(self, member: Member, record: records.Failed) -> None:
        """A server has no connection for one copier more: the others do its work, and it leaves."""
        step = self._busy.pop(member)
        self._account.put_back(step.key)
        self._schedule.put_back(step.key)
        left = len(self._busy) + len(self._idle)
        words = f"the clone goes on with {left} instead of {len(self._crew.members)} copiers: {record.message}"
        self._say(Reported(Outcome("option parallel", "skipped", record.sqlstate, words)))

    async def _died(self, member: Member) -> None:
        """A copier was killed.  Its step is done again, once, if it surely was not committed and others are left."""
        if member not in self._busy:
            with suppress(ValueError):  # it was done without already
                self._idle.remove(member)
            return
        step = self._busy.pop(member)
        if member.committing or step.key in self._redone or not (self._busy or self._idle):
            raise JobError(_death(member), _object(step))
        self._redone.add(step.key)
        await self._end_backends([member])
        self._account.put_back(step.key)
        self._schedule.put_back(step.key)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _incomplete(self) -> list[Copy]:
        """One step of each table whose rows have not all arrived."""
        done = self._work.done if self._work else frozenset()
        parts = {
            s.table: s for s in (self._work.steps if self._work else ()) if isinstance(s, Copy) and s.key not in done
        }
        return [step for table, step in parts.items() if self._parts_done.get(table, 0) < step.parts]

    def _report_failure(self, outcome: Outcome | None) -> None:
        if outcome:
            self._say(Reported(outcome))

    async def _usable_target(self) -> psycopg.AsyncConnection | None:
        """The target connection, a new one if it broke; None if there is none to be had, or none was needed yet."""
        if self._target is not None and self._target.broken:
            with suppress(psycopg.Error):
                await self._target.close()
            self._target = None
            with suppress(PgError, psycopg.Error, TimeoutError):
                self._target = await asyncio.wait_for(self._connect_target(), CLEANUP_TIMEOUT)
        return self._target

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

    def _announcer_(self) -> Announcer:
        assert self._announcer is not None, "_open() makes it"
        return self._announcer


def _failure(record: records.Failed) -> JobError:
    error = PgError(record.sqlstate, record.message, detail=record.detail, hint=record.hint)
    return JobError(error, record.object)


def _death(member: Member) -> PgError:
    detail = "Its step may or may not have been committed." if member.committing else "Its step was not committed."
    return PgError(
        "58000",
        f"pgclone: copier process {member.pid} ended unexpectedly",
        detail=detail,
        hint="It may have been killed for want of memory. Resume the job.",
    )


def _reported_key(step: AnyStep) -> str:
    return table_key(step.table) if isinstance(step, Copy) else step.key


def _object(step: AnyStep) -> str:
    if isinstance(step, Run):
        return next((statement.object for statement in step.statements if statement.object), "")
    return _reported_key(step)
