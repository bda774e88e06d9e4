"""One job at work: the snapshot, the plan, the graph of its steps on the copiers, and what is said to the manager.

The order of things is here; the process around it, its pipes and its end are `job_process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from clone_engine.records.channel import Advanced, Done, Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.phases import CLEANING_UP, CREATING, LOST, PLANNING, PUT_OFF, SNAPSHOT, STARTING
from clone_engine.records.steps import AnyStep, Plan, Run, reported_key
from clone_engine.running import builds
from clone_engine.running import copier_channel as records
from clone_engine.running.clean_up import CleanUp, Left
from clone_engine.running.connections import SIDES, Connections
from clone_engine.running.creation import Creation
from clone_engine.running.crew import Crew, Member
from clone_engine.running.durable import Announcer
from clone_engine.running.journaling import JobJournal
from clone_engine.running.keeping import Keeping
from clone_engine.running.patience import Patience
from clone_engine.running.progress import Account
from clone_engine.running.recovery import TAKEN_BACK, Recovery
from clone_engine.running.reporting import Report, Say
from clone_engine.running.resume import on_new_snapshot, resumption
from clone_engine.running.scheduler import Schedule
from clone_engine.running.standstill import standstill
from clone_engine.running.telling import Telling
from clone_engine.running.undo import cut_short
from clone_engine.running.workers import Workers
from clone_engine.servers.journal import WITHOUT, Entry
from clone_engine.servers.server_error import NO_CONNECTIONS, transient

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
        self._workers = Workers(start.request.workers)
        self._telling = Telling(say, self._workers, self._waiting)
        self._plan: Plan | None = None
        self._schedule = Schedule(())
        self._account = Account((), ())
        self._connections = Connections(start)
        self._patience = Patience(start.retry_for)
        self._restored = asyncio.Event()
        self._put_off = 0  # steps that wait to be tried again
        self._idle = list(crew.members)
        self._busy: dict[Member, AnyStep] = {}
        self._redone: set[str] = set()
        self._reduced = False  # a server has no connections for all copiers
        self._creation: Creation | None = None
        self._journal = JobJournal(start)
        self._done: tuple[str, ...] = start.done
        self._failures: asyncio.Queue[PgError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Job {self._start.job_id} {self._telling!r}, {self._schedule}>"

    async def work(self) -> None:
        """Clone.  JobError at the first failure; CancelledError leaves things to `clean_up` as well."""
        self._background(self._telling.run)
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
            await asyncio.gather(cut_short(working), cut_short(failing))
        self._telling.completed()

    async def _work_through(self) -> None:
        """From the first connection to the last step.  JobError or PgError at the first failure."""
        await self._open()
        recovery = await self._begin(await self._planned())
        while not await recovery.all_there():
            self._hand_out()
            await self._hear(recovery)
        self._telling.phase(CLEANING_UP)
        outcome = await self._journal.drop(self._connections.target)
        if outcome and transient(outcome.sqlstate) and await self._connections.restore("target"):
            outcome = await self._journal.drop(self._connections.target)
        self._report.outcome(outcome)

    async def clean_up(self, failed_at: str) -> None:
        """What the plan says for a job that does not complete; empties tables of which only parts arrived, and reports
        all that are not complete but the object `failed_at`, whose own failure has been reported.

        The copiers must have ended.  Never raises: what fails is reported.
        """
        last = self._telling.failed()
        self._busy.clear()
        await asyncio.gather(*map(cut_short, self._tasks))  # they would stand in the way on the same connections
        elsewhere = self._connections.end_backends(self._crew.members, ["source"])
        left, _ = await asyncio.gather(self._clean_target(), elsewhere)
        self._report.rest(left.complete, left.in_part, failed_at)
        if self._creation and not self._report.holds:
            await self._connections.give_up("target")
            self._report.outcome(await self._creation.drop())
        self._say(Advanced(last))

    async def _clean_target(self) -> Left:
        await self._connections.end_backends(self._crew.members, ["target"])
        target = await self._connections.usable_target()
        return await CleanUp(target, self._report, self._journal, self._keeping).run() if target else Left((), {})

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
        await self._connections.close()

    # --- beginning -------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Keeper, target, and the copiers' ears."""
        self._telling.phase(SNAPSHOT)
        await self._connections.open_source()
        if self._start.request.target_database:
            self._telling.phase(CREATING)
            await self._create_database()
        self._telling.phase(STARTING)
        await self._connections.open_target()
        if self._start.waited_by:
            self._background(lambda: standstill(self._connections.target, self._start, self._backends_on_source))
        self._done = await self._journal.take_over(self._connections.target)
        self._report.refused = {key.removeprefix(WITHOUT) for key in self._done if key.startswith(WITHOUT)}
        await self._crew.start()
        self._open_crew(self._crew.members)

    def _open_crew(self, members: Iterable[Member]) -> None:
        """Have these copiers begin on new connections, with the snapshot that there is now."""
        keeper = self._connections.keeper
        for member in members:
            self._crew.tell(member, records.Open(keeper.snapshot if keeper else ""))

    async def _create_database(self) -> None:
        keeper = self._connections.keeper
        assert keeper is not None, "open_source() has made it"
        self._creation = Creation(self._start)
        outcome = await self._creation.make(keeper.connection)
        if self._creation.key:
            self._say(Done(self._creation.key))
            await self._keeping.kept()
        self._report.outcome(outcome)

    async def _planned(self) -> Plan:
        """The plan; its tables are pinned.  It is made anew, on a new snapshot, when a server is lost meanwhile, since
        nothing has been done yet."""
        while True:
            try:
                plan = await self._prepare()
                if keeper := self._connections.keeper:
                    await keeper.pin(plan.tables)
                await self._connections.restore("target")
                return plan
            except (JobError, PgError) as failure:
                error = failure.error if isinstance(failure, JobError) else failure
                pause = self._patience.pause("plan")
                new_snapshot = pause is not None and await self._connections.restore("source")
                new_target = pause is not None and await self._connections.restore("target")
                if pause is None or not (new_snapshot or new_target or transient(error.sqlstate)):
                    raise
            self._restored.set()
            await asyncio.sleep(pause)
            self._open_crew(self._crew.members)

    async def _prepare(self) -> Plan:
        """The plan, made by a copier: it can be stopped at any moment, and its pg_dump with it."""
        self._telling.phase(PLANNING)
        makers = list(self._idle)
        maker = makers.pop(0)
        self._crew.tell(maker, records.Prepare(self._done))
        while True:
            event = await self._crew.events.get()
            if event is None:
                continue
            member, record = event
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

    async def _begin(self, plan: Plan) -> Recovery:
        plan = self._plan = self._creation.completed(plan) if self._creation else plan
        for object_, reason in plan.notes:
            self._report.outcome(Outcome(object_, "skipped", message=reason))
        for outcome in on_new_snapshot(plan, self._done, self._start.request.options.consistent):
            self._report.outcome(outcome)
        journal = await self._journal.make(self._connections.target, plan)
        work = resumption(plan, self._done, journal, self._journal.found)
        self._schedule = Schedule(work.steps, work.done)
        self._account = Account(work.steps, plan.tables, work.done)
        self._telling.begin(self._account)
        self._background(lambda: builds.watch(lambda: self._connections.target, self._busy, self._account.build))
        announcer = Announcer(lambda: self._connections.target, self._say)
        self._report.begin(plan, work, self._journal.kept(plan), announcer)
        self._background(announcer.run)
        for side in SIDES:
            self._background(partial(self._connections.watch, side))
        parts = (self._report, self._schedule, self._account)
        return Recovery(self._connections, self._journal, *parts, self._busy)

    # --- the graph -------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give steps to idle copiers, those first that have their connections."""
        while self._idle and (step := self._schedule.start()):
            member = self._idle.pop(0)
            self._busy[member] = step
            self._account.begin(step.key)
            self._workers.begin(self._place(member), step)
            assert self._journal.journal is not None, "_begin() makes it"
            self._crew.tell(member, records.Work(step, self._journal.journal, self._refused_for(step)))

    def _refused_for(self, step: AnyStep) -> tuple[str, ...]:
        """The objects that the target has refused to make and that the step would need."""
        needed = {need for statement in step.statements for need in statement.needs} if isinstance(step, Run) else set()
        return tuple(sorted(needed & self._report.refused))

    async def _hear(self, recovery: Recovery) -> None:
        """Wait for one record of a copier, and act on it."""
        event = await self._crew.events.get()
        if event is None:
            await self._look_round(recovery)
            return
        member, record = event
        match record:
            case records.Moved(rows, size):
                self._account.move(self._busy[member].key, rows, size)
                self._workers.move(self._place(member), rows, size)
            case records.Finished() if member in recovery.doubtful and not await self._entered(member, recovery):
                self._try_again(member, JobError(TAKEN_BACK, _object(self._busy[member])), recovery)
            case records.Finished():
                recovery.doubtful.discard(member)
                self._finished(member, record)
            case records.Failed(sqlstate=sqlstate) if sqlstate == NO_CONNECTIONS and self._can_do_without(member):
                self._do_without(member, record)
            case records.Failed():
                await self._failed(member, record, recovery)
            case None:
                await self._died(member, recovery)

    async def _look_round(self, recovery: Recovery) -> None:
        """Have the job's own connections again, and what waits for them go on."""
        if await recovery.steady():
            self._open_crew(self._idle)  # theirs are lost as well
        self._restored.set()

    async def _failed(self, member: Member, record: records.Failed, recovery: Recovery) -> None:
        """A step has failed.  That counts only if no server was lost: then what it builds on may be lost as well.

        It is done again if it was not committed.
        """
        await self._look_round(recovery)
        failure = _failure(record, self._plan.advice if self._plan else "")
        if member not in recovery.doubtful and not transient(record.sqlstate):
            raise failure
        await self._connections.end_backends([member])
        member.backends.clear()
        if entry := await self._entered(member, recovery):
            recovery.doubtful.discard(member)
            self._finished(member, records.Finished(entry.rows, 0, entry.outcomes))
        else:
            self._try_again(member, failure, recovery)

    async def _entered(self, member: Member, recovery: Recovery) -> Entry | None:
        """The journal's entry of the copier's step."""
        return await recovery.entry(self._busy[member].key)

    def _try_again(self, member: Member, failure: JobError, recovery: Recovery) -> None:
        """The copier's step is done again after a pause.  JobError if it was often enough."""
        step = self._busy.pop(member)
        self._idle.insert(0, member)
        recovery.doubtful.discard(member)
        self._account.put_back(step.key)
        self._workers.put_back(self._place(member))
        pause = self._patience.pause(step.key)
        if pause is None:
            raise failure
        self._put_off += 1
        asyncio.get_running_loop().call_later(pause, self._put_on, step.key)

    def _put_on(self, key: str) -> None:
        self._put_off -= 1
        self._schedule.put_back(key)
        self._crew.wake()

    def _finished(self, member: Member, record: records.Finished) -> None:
        step = self._busy.pop(member)
        self._idle.insert(0, member)
        self._schedule.finish(step.key)
        completes = self._account.finish(step.key, record.rows, record.bytes)
        self._workers.finish(self._place(member), record.rows, record.bytes)
        self._report.finished(step, record, completes)

    def _place(self, member: Member) -> int:
        return self._crew.members.index(member)

    def _can_do_without(self, member: Member) -> bool:
        """Whether others are at work, or could be.  Idle ones may have no connections yet either."""
        return any(other is not member and other.backends for other in (*self._busy, *self._idle))

    def _do_without(self, member: Member, record: records.Failed) -> None:
        """A server has no connection for one copier more: the others do its work."""
        step = self._busy.pop(member)
        self._account.put_back(step.key)
        self._workers.put_back(self._place(member))
        self._schedule.put_back(step.key)
        self._report_without(record)

    def _report_without(self, record: records.Failed) -> None:
        if not self._reduced:  # the others that find none would say the same
            words = f"the clone goes on with fewer than {len(self._crew.members)} copiers: {record.message}"
            self._report.outcome(Outcome("option parallel", "skipped", record.sqlstate, words))
        self._reduced = True

    async def _died(self, member: Member, recovery: Recovery) -> None:
        """A copier was killed.  Its step is done again, once, if it was not committed and others are left."""
        if member not in self._busy:
            with suppress(ValueError):  # it was done without already
                self._idle.remove(member)
            return
        await self._look_round(recovery)
        await self._connections.end_backends([member])
        step, doubtful = self._busy[member], member in recovery.doubtful
        recovery.doubtful.discard(member)
        if (member.committing or doubtful) and (entry := await self._entered(member, recovery)):
            self._finished(member, records.Finished(entry.rows, 0, entry.outcomes))
            self._idle.remove(member)
            return
        del self._busy[member]
        if step.key in self._redone or not (self._busy or self._idle):
            raise JobError(_death(member), _object(step))
        self._redone.add(step.key)
        self._account.put_back(step.key)
        self._workers.put_back(self._place(member))
        self._schedule.put_back(step.key)

    # --- beside it -------------------------------------------------------------------------------------------------

    def _waiting(self) -> str:
        """The phase of a job that waits and does nothing else; '' if it does not."""
        if side := self._connections.waiting_for:
            return LOST[side]
        return PUT_OFF if self._put_off and not self._busy else ""

    def _background(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it beside the graph; if it fails, so does the job.

        What a lost connection has ended begins anew when there is another.
        """

        async def guarded() -> None:
            while True:
                try:
                    return await work()
                except PgError as error:
                    if not transient(error.sqlstate):
                        self._failures.put_nowait(error)
                        return None
                self._restored.clear()
                self._crew.wake()
                await self._restored.wait()

        self._tasks.append(asyncio.create_task(guarded()))

    def _backends_on_source(self) -> list[int]:
        copiers = [member.backends["source"] for member in self._crew.members if "source" in member.backends]
        return [*self._connections.backends_on_source, *copiers]


def _failure(record: records.Failed, advice: str = "") -> JobError:
    """The copier's failure; with `advice` for a hint if it is the statement's or a value's, and there is none."""
    hint = record.hint or (advice if record.sqlstate.startswith(REFUSALS) else "")
    if transient(record.sqlstate):
        hint = hint or "Resume the job when the server is there."
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
