"""One job at work: the snapshot, the plan, its steps, and what is said to the manager.

The order of things is here; the copiers are directed by `foreman.py`; the process around it, its pipes and its end are
`job_process.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from clone_engine.records.channel import Advanced, Done, Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.phases import CLEANING_UP, CREATING, LOST, PLANNING, PUT_OFF, SNAPSHOT, STARTING
from clone_engine.records.steps import Plan
from clone_engine.running import builds
from clone_engine.running.clean_up import CleanUp, Left
from clone_engine.running.connections import SIDES, Connections
from clone_engine.running.creation import Creation
from clone_engine.running.crew import Crew
from clone_engine.running.durable import Announcer
from clone_engine.running.failures import JobError
from clone_engine.running.foreman import Foreman
from clone_engine.running.holders import with_holders
from clone_engine.running.journaling import JobJournal
from clone_engine.running.keeping import Keeping
from clone_engine.running.patience import Patience
from clone_engine.running.progress import Account
from clone_engine.running.reporting import Report, Say
from clone_engine.running.resume import on_new_snapshot, resumption
from clone_engine.running.scheduler import Schedule
from clone_engine.running.standstill import standstill
from clone_engine.running.telling import Telling
from clone_engine.running.undo import cut_short
from clone_engine.running.workers import Workers
from clone_engine.servers.journal import WITHOUT
from clone_engine.servers.server_error import transient


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
        self._connections = Connections(start)
        self._patience = Patience(start.retry_for)
        self._creation: Creation | None = None
        self._journal = JobJournal(start)
        parts = (crew, self._connections, self._journal, self._report, self._workers, self._patience)
        self._foreman = Foreman(*parts)
        self._done: tuple[str, ...] = start.done
        self._failures: asyncio.Queue[PgError] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Job {self._start.job_id} {self._telling!r}, {self._foreman!r}>"

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
        await self._begin(await self._planned())
        try:
            await self._foreman.carry_out()
        except JobError as failure:
            raise await with_holders(failure, self._connections.target, self._start) from None
        self._telling.phase(CLEANING_UP)
        await self._give_up_journal()

    async def _give_up_journal(self) -> None:
        """Remove the journal if the manager says that it has kept what that tells: should the proxy die before it has
        kept the end too, another job goes on from here, and must know what is there."""
        if not self._journal.journal:
            return
        if not await self._keeping.kept():
            self._report.outcome(self._journal.stays("the proxy did not say that the job store has what it tells"))
            return
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
        self._foreman.busy.clear()
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
        self._foreman.open_copiers()

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
            self._telling.phase(PLANNING)
            try:
                plan = await self._foreman.plan(self._done)
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
            self._connections.whole.set()
            await asyncio.sleep(pause)
            self._foreman.open_copiers()

    async def _begin(self, plan: Plan) -> None:
        plan = self._creation.completed(plan) if self._creation else plan
        for object_, reason in plan.notes:
            self._report.outcome(Outcome(object_, "skipped", message=reason))
        for outcome in on_new_snapshot(plan, self._done, self._start.request.options.consistent):
            self._report.outcome(outcome)
        journal = await self._journal.make(self._connections.target, plan)
        work = resumption(plan, self._done, journal, self._journal.found)
        account = Account(work.steps, plan.tables, work.done)
        self._foreman.begin(Schedule(work.steps, work.done), account, plan.advice)
        self._telling.begin(account)
        self._background(lambda: builds.watch(lambda: self._connections.target, self._foreman.busy, account.build))
        announcer = Announcer(lambda: self._connections.target, self._say)
        self._report.begin(plan, work, self._journal.kept(plan), announcer)
        self._background(announcer.run)
        for side in SIDES:
            self._background(partial(self._connections.watch, side))

    # --- beside it -------------------------------------------------------------------------------------------------

    def _waiting(self) -> str:
        """The phase of a job that waits and does nothing else; '' if it does not."""
        if side := self._connections.waiting_for:
            return LOST[side]
        return PUT_OFF if self._foreman.only_waits else ""

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
                self._connections.whole.clear()
                self._crew.wake()
                await self._connections.whole.wait()

        self._tasks.append(asyncio.create_task(guarded()))

    def _backends_on_source(self) -> list[int]:
        copiers = [member.backends["source"] for member in self._crew.members if "source" in member.backends]
        return [*self._connections.backends_on_source, *copiers]
