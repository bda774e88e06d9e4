"""One job at work: the snapshot, the plan, the graph of its steps on the copiers, and what is said to the manager.

The order of things is here; the process around it, its pipes and its end are `job_process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Final

import psycopg

from clone_engine.records.channel import Advanced, Done, FromJob, Keep, Reported, Start, Undone
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome, Progress
from clone_engine.records.steps import AnyStep, Copy, Plan, Run, reported_key, table_key
from clone_engine.running import copier_channel as records
from clone_engine.running.creation import Creation
from clone_engine.running.crew import Crew, Member
from clone_engine.running.durable import Announcer
from clone_engine.running.journaling import JobJournal
from clone_engine.running.progress import Account
from clone_engine.running.resume import EARLIER, Resumption, not_made, on_new_snapshot, resumption, there_already
from clone_engine.running.scheduler import Schedule
from clone_engine.running.standstill import standstill
from clone_engine.running.undo import CLEANUP_TIMEOUT, end_backends, undo
from clone_engine.servers.connect import connect_async
from clone_engine.servers.journal import WITHOUT, Entry, without_parts
from clone_engine.servers.journal import done as done_keys
from clone_engine.servers.keeper import Keeper

Say = Callable[[FromJob], None]

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
        self._redone: set[str] = set()
        self._parts_done: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._in_part: dict[str, str] = {}
        self._finished_keys: set[str] = set()
        self._with_rows: frozenset[str] = frozenset()
        self._kept_back: list[Reported] = []
        self._creation: Creation | None = None
        self._any_finished = False
        self._journal = JobJournal(start)
        self._answers: asyncio.Queue[int] = asyncio.Queue()
        self._asked = 0
        self._abandoned = False  # the manager has gone
        self._done: tuple[str, ...] = start.done
        self._told = set(start.done)  # the keys that the manager has, or will get
        self._refused: set[str] = set()
        self._swapped = False
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
        self._announcer_().hold(self._kept_back)
        await self._announcer_().flush()
        self._report_failure(await self._journal.drop(self._announcer_().target))

    async def clean_up(self, failed_at: str) -> None:
        """What the plan says for a job that does not complete; empties tables of which only parts arrived, and reports
        all that are not complete but the object `failed_at`, whose own failure has been reported.

        The copiers must have ended.  Never raises: what fails is reported.
        """
        await self._end_backends([member for member in self._crew.members if member.backends])
        target = await self._usable_target()
        complete: tuple[str, ...] = ()
        if target is not None:
            if self._plan is not None:
                await self._undo(target, self._plan)
            complete = await self._give_up_journal(target)
        self._report_rest(complete, failed_at)
        if self._creation and not self._holds:
            if self._target:
                await self._target.close()
            self._report_failure(await self._creation.drop())

    async def _undo(self, target: psycopg.AsyncConnection, plan: Plan) -> None:
        for statement in plan.on_failure:
            self._report_failure(await undo(target, statement.sql, statement.object))
        if self._swapped:
            for message in self._kept_back:
                self._say(message)
        if not plan.on_failure:
            await self._empty_incomplete(target)

    async def _empty_incomplete(self, target: psycopg.AsyncConnection) -> None:
        entries = await self._journaled(target) or ()
        complete, parts = set(done_keys(entries)), Counter(entry.table for entry in entries)
        for step in self._incomplete():
            object_ = table_key(step.table)
            if object_ in complete:
                continue
            if step.part and parts[step.table]:
                self._in_part[step.table] = f"copied in part ({parts[step.table]} of {step.parts})"
            elif parts[step.table]:
                self._report_failure(await undo(target, step.empty, object_))

    async def _give_up_journal(self, target: psycopg.AsyncConnection) -> tuple[str, ...]:
        """Let the store know what the journal does, and remove that; if it cannot be read, or the manager does not
        answer, it stays for a resumed job.

        What it knew of steps that stay done.
        """
        entries = await self._journaled(target)
        if entries is None:
            return ()
        known = done_keys(entries) if self._keeps_steps or self._plan is None else ()
        said: list[FromJob] = [Done(key) for key in known if key not in self._told]
        if self._journal.journal:
            said += [Undone(key) for key in self._told.difference(without_parts(self._told), known)]
        with suppress(PgError, psycopg.Error, TimeoutError):
            if self._announcer:
                await asyncio.wait_for(self._announcer.flush(), CLEANUP_TIMEOUT)
            for message in said:
                self._say(message)
            if not (known or self._told) or await self._kept():
                self._report_failure(await asyncio.wait_for(self._journal.drop(target), CLEANUP_TIMEOUT))
        return known

    async def _journaled(self, target: psycopg.AsyncConnection) -> tuple[Entry, ...] | None:
        """What the journal says; None if it cannot be read now."""
        with suppress(PgError, TimeoutError):
            return await asyncio.wait_for(self._journal.entries(target), CLEANUP_TIMEOUT)
        return None

    async def _kept(self) -> bool:
        """Whether the manager says, in time, that all that it was told is in the store.

        A late answer to an earlier question is none to this one.
        """
        if self._abandoned:
            return False
        self._asked += 1
        self._say(Keep(self._asked))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_TIMEOUT):
                while not self._abandoned:
                    if await self._answers.get() == self._asked:
                        return True
        return False

    def answer(self, number: int) -> None:
        """The manager has kept what it was told before the Keep of this number; or, if that is 0, has gone for good."""
        self._abandoned = not number
        self._answers.put_nowait(number)

    def _report_rest(self, complete: Collection[str], failed_at: str) -> None:
        """What nothing has been said of yet, now that the job is over; `complete` are the keys in the journal."""
        if self._plan is None or self._work is None:
            return
        steps, said = self._work.steps, self._finished_keys | self._work.done | self._work.added
        if self._plan.on_failure and not self._swapped:
            outcomes = list(not_made(steps, self._work.added, {}))
        else:
            unheard = {step.key for step in steps if step.key not in said and reported_key(step) in complete}
            tables = [s.table for s in self._incomplete() if table_key(s.table) not in complete]
            rows = {table: self._in_part.get(table, "not copied") for table in tables}
            outcomes = [*there_already(steps, unheard, self._refused), *not_made(steps, said | unheard, rows)]
        for outcome in outcomes:
            if outcome.object != failed_at:
                self._say(Reported(outcome))

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
        if self._start.waited_by:
            self._background(standstill(self._target, self._start.job_id, self._start.waited_by))
        self._done = await self._journal.take_over(self._target)
        self._refused = {key.removeprefix(WITHOUT) for key in self._done if key.startswith(WITHOUT)}
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
            await self._kept()
        self._say(Reported(outcome))

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
                    await asyncio.sleep(BREATH)  # connections of others may end
                    maker = makers.pop(0)
                    self._crew.tell(maker, records.Prepare(self._done))
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
        for outcome in on_new_snapshot(plan, self._done, self._start.request.options.consistent):
            self._say(Reported(outcome))
        journal = await self._journal.make(self._announcer_().target, plan)
        self._work = resumption(plan, self._done, journal, self._journal.found)
        copies = [step for step in plan.steps if isinstance(step, Copy) and step.key not in self._work.done]
        self._with_rows = frozenset(table_key(step.table) for step in copies)
        for outcome in there_already(self._work.steps, self._work.done, self._refused, EARLIER):
            if not self._waits_for_rows(outcome):
                self._say(Reported(outcome))
        self._schedule = Schedule(self._work.steps, self._work.done)
        self._account = Account(self._work.steps, plan.tables, self._work.done)
        for one in self._journal.kept(plan):
            self._parts_done[one.table] += 1
            self._rows[one.table] += one.rows
        self._background(self._announcer_().run())

    # --- the graph -------------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give steps to idle copiers, those first that have their connections."""
        while self._idle and (step := self._schedule.start()):
            member = self._idle.pop(0)
            self._busy[member] = step
            self._account.begin(step.key)
            added = self._work is not None and step.key in self._work.added
            journal = None if added else self._journal.journal
            self._crew.tell(member, records.Work(step, journal, self._refused_for(step)))

    def _refused_for(self, step: AnyStep) -> tuple[str, ...]:
        """The objects that the target has refused to make and that the step would need."""
        needed = {need for statement in step.statements for need in statement.needs} if isinstance(step, Run) else set()
        return tuple(sorted(needed & self._refused))

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
        self._any_finished = True
        self._finished_keys.add(step.key)
        self._swapped = self._swapped or bool(self._plan and step.key == self._plan.swap)
        if isinstance(step, Copy):
            self._parts_done[step.table] += 1
            self._rows[step.table] += record.rows
            if completes:
                rows = f"{self._rows.pop(step.table)} rows"
                self._report(table_key(step.table), (Outcome(table_key(step.table), "done", message=rows),))
        self._refused |= {outcome.object for outcome in record.outcomes if outcome.result == "skipped"}
        if not isinstance(step, Copy) and self._work and step.key not in self._work.added:
            self._report(step.key, tuple(o for o in record.outcomes if not self._waits_for_rows(o)))

    def _waits_for_rows(self, outcome: Outcome) -> bool:
        """Whether this says of a table that it is done that has yet to get its rows."""
        return outcome.result == "done" and outcome.object in self._with_rows

    def _report(self, key: str, outcomes: tuple[Outcome, ...]) -> None:
        """Say that a step is done when that is durable; of a plan that is undone as a whole, when all of it is."""
        messages = [Reported(outcome) for outcome in outcomes]
        if self._keeps_steps:
            done = [Done(key), *(Done(WITHOUT + one.object) for one in outcomes if one.result == "skipped")]
            self._told |= {one.key for one in done}
            self._announcer_().hold([*done, *messages])
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
        """A copier was killed.  Its step is done again, once, if it was not committed and others are left."""
        if member not in self._busy:
            with suppress(ValueError):  # it was done without already
                self._idle.remove(member)
            return
        step = self._busy[member]
        await self._end_backends([member])
        if member.committing and (entry := await self._journal.entry(self._announcer_().target, step.key)):
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
