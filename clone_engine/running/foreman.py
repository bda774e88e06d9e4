"""Has the copiers of a job make its plan and carry out its steps, and acts on what becomes of each.

What may run next is the `scheduler`'s, whether a server was lost in between `recovery`'s, what is said `reporting`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Plan, Run
from clone_engine.running import copier_channel as records
from clone_engine.running.connections import Connections
from clone_engine.running.crew import Crew, Member
from clone_engine.running.failures import JobError, death_of, failure_of, taken_back
from clone_engine.running.journaling import JobJournal
from clone_engine.running.patience import Patience
from clone_engine.running.progress import Account
from clone_engine.running.recovery import Recovery
from clone_engine.running.reporting import Report
from clone_engine.running.scheduler import Schedule
from clone_engine.running.workers import Workers
from clone_engine.servers.server_error import NO_CONNECTIONS, transient

BREATH: Final = 0.5
"""Seconds until another copier tries to plan where a server had no connection for one."""


class Foreman:
    """Of one job.  `plan`, then `begin`, then `carry_out`."""

    def __init__(
        self,
        crew: Crew,
        connections: Connections,
        journal: JobJournal,
        report: Report,
        workers: Workers,
        patience: Patience,
    ) -> None:
        self.busy: dict[Member, tuple[AnyStep, ...]] = {}
        """The copiers that are at a step, or at several small ones in one transaction."""
        self._crew = crew
        self._connections = connections
        self._journal = journal
        self._report = report
        self._workers = workers
        self._patience = patience
        self._idle = list(crew.members)
        self._redone: set[str] = set()
        self._put_off = 0  # steps that wait to be tried again
        self._reduced = False  # a server has no connections for all copiers
        self.begin(Schedule(()), Account((), ()), "")

    def __repr__(self) -> str:
        return f"<Foreman, {len(self.busy)} copiers busy, {len(self._idle)} idle, {self._schedule}>"

    @property
    def only_waits(self) -> bool:
        """Whether steps wait to be tried again and no other is under way."""
        return bool(self._put_off and not self.busy)

    def open_copiers(self) -> None:
        """Have those that are idle begin on new connections, with the snapshot that there is now."""
        keeper = self._connections.keeper
        for member in self._idle:
            self._crew.tell(member, records.Open(keeper.snapshot if keeper else ""))

    async def plan(self, done: Sequence[str]) -> Plan:
        """The plan, made by a copier: it can be stopped at any moment, and its pg_dump with it."""
        prepare = records.Prepare(tuple(done))
        makers = list(self._idle)
        maker = makers.pop(0)
        self._crew.tell(maker, prepare)
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
                    self._crew.tell(maker, prepare)
                case records.Failed():
                    raise failure_of(record)
                case None if member is maker:
                    raise PgError("58000", "pgclone: the process that plans the clone ended unexpectedly")
                case None:
                    for others in (makers, self._idle):
                        if member in others:
                            others.remove(member)

    def begin(self, schedule: Schedule, account: Account, advice: str) -> None:
        """These are the steps; `advice` is for those that the target refuses."""
        self._schedule = schedule
        self._account = account
        self._advice = advice
        parts = (self._connections, self._journal, self._report, schedule, account)
        self._recovery = Recovery(*parts, self.busy, self.open_copiers)

    async def carry_out(self) -> None:
        """Returns when the target has every step.  JobError or PgError at the first failure that counts."""
        while not await self._recovery.all_there():
            self._hand_out()
            await self._hear()

    def _hand_out(self) -> None:
        """Give steps to idle copiers, those first that have their connections."""
        while self._idle and (steps := self._schedule.start(len(self._idle) + len(self.busy))):
            member = self._idle.pop(0)
            self.busy[member] = steps
            for step in steps:
                self._account.begin(step.key)
                self._workers.begin(self._place(member), step)
            assert self._journal.journal is not None, "_begin() makes it"
            self._crew.tell(member, records.Work(steps, self._journal.journal, self._refused_for(steps)))

    def _refused_for(self, steps: Sequence[AnyStep]) -> tuple[str, ...]:
        """The objects that the target has refused to make and that the steps would need."""
        runs = (step for step in steps if isinstance(step, Run))
        needed = {need for step in runs for statement in step.statements for need in statement.needs}
        return tuple(sorted(needed & self._report.refused))

    async def _hear(self) -> None:
        """Wait for one record of a copier, and act on it."""
        event = await self._crew.events.get()
        if event is None:
            await self._recovery.steady()
            return
        member, record = event
        match record:
            case records.Moved(rows, size):
                self._account.move(self.busy[member][0].key, rows, size)
                self._workers.move(self._place(member), rows, size)
            case records.Finished() if member in self._recovery.doubtful and not await self._entered(member):
                self._try_again(member, taken_back(self.busy[member][0]))
            case records.Finished():
                self._recovery.doubtful.discard(member)
                self._finished(member, record)
            case records.Failed(sqlstate=sqlstate) if sqlstate == NO_CONNECTIONS and self._can_do_without(member):
                self._do_without(member, record)
            case records.Failed():
                await self._failed(member, record)
            case None:
                await self._died(member)

    async def _failed(self, member: Member, record: records.Failed) -> None:
        """Steps have failed.  That counts only if no server was lost, for then what they build on may be lost as well;
        and not of several, for it is not known whose failure it is.

        They are done again, each alone, if they were not committed.
        """
        await self._recovery.steady()
        failure = failure_of(record, self._advice)
        several = len(self.busy[member]) > 1
        if member not in self._recovery.doubtful and not transient(record.sqlstate) and not several:
            raise failure
        await self._connections.end_backends([member])
        member.backends.clear()
        if entries := await self._entered(member):
            self._recovery.doubtful.discard(member)
            self._finished(member, entries)
        elif several:
            self._take_apart(member)
            self._idle.insert(0, member)
        else:
            self._try_again(member, failure)

    async def _entered(self, member: Member) -> records.Finished | None:
        """What the journal's entries of the copier's steps say, if they are there; they are of one transaction."""
        found = []
        for step in self.busy[member]:
            if (entry := await self._recovery.entry(step.key)) is None:
                return None
            found.append(records.Result(entry.rows, 0, entry.outcomes))
        return records.Finished(tuple(found))

    def _take_back(self, member: Member) -> tuple[AnyStep, ...]:
        """The steps of a copier that has not done them, and is no longer at them; none of it counts."""
        steps = self.busy.pop(member)
        self._recovery.doubtful.discard(member)
        for step in steps:
            self._account.put_back(step.key)
        self._workers.put_back(self._place(member))
        return steps

    def _take_apart(self, member: Member) -> None:
        """The copier's steps are done again, each alone."""
        keys = [step.key for step in self._take_back(member)]
        self._schedule.apart(keys)
        for key in keys:
            self._schedule.put_back(key)

    def _try_again(self, member: Member, failure: JobError) -> None:
        """The copier's steps are done again after a pause.  JobError if it was often enough."""
        steps = self._take_back(member)
        self._idle.insert(0, member)
        pauses = [self._patience.pause(step.key) for step in steps]
        for step, pause in zip(steps, pauses, strict=True):
            if pause is None:
                raise failure
            self._put_off += 1
            asyncio.get_running_loop().call_later(pause, self._put_on, step.key)

    def _put_on(self, key: str) -> None:
        self._put_off -= 1
        self._schedule.put_back(key)
        self._crew.wake()

    def _finished(self, member: Member, record: records.Finished) -> None:
        steps = self.busy.pop(member)
        self._idle.insert(0, member)
        for step, result in zip(steps, record.results, strict=True):
            self._schedule.finish(step.key)
            completes = self._account.finish(step.key, result.rows, result.bytes)
            self._report.finished(step, result, completes)
        self._workers.finish(self._place(member), record.results[-1].rows, record.results[-1].bytes)

    def _place(self, member: Member) -> int:
        return self._crew.members.index(member)

    def _can_do_without(self, member: Member) -> bool:
        """Whether others are at work, or could be.  Idle ones may have no connections yet either."""
        return any(other is not member and other.backends for other in (*self.busy, *self._idle))

    def _do_without(self, member: Member, record: records.Failed) -> None:
        """A server has no connection for one copier more: the others do its work."""
        for step in self._take_back(member):
            self._schedule.put_back(step.key)
        self._report_without(record)

    def _report_without(self, record: records.Failed) -> None:
        if not self._reduced:  # the others that find none would say the same
            words = f"the clone goes on with fewer than {len(self._crew.members)} copiers: {record.message}"
            self._report.outcome(Outcome("option parallel", "skipped", record.sqlstate, words))
        self._reduced = True

    async def _died(self, member: Member) -> None:
        """A copier was killed.  Its steps are done again, once, if they were not committed and others are left."""
        if member not in self.busy:
            with suppress(ValueError):  # it was done without already
                self._idle.remove(member)
            return
        await self._recovery.steady()
        await self._connections.end_backends([member])
        steps, doubtful = self.busy[member], member in self._recovery.doubtful
        if (member.committing or doubtful) and (entries := await self._entered(member)):
            self._recovery.doubtful.discard(member)
            self._finished(member, entries)
            self._idle.remove(member)
            return
        again = next((step for step in steps if step.key in self._redone), None)
        if again or not (len(self.busy) > 1 or self._idle):
            del self.busy[member]
            raise death_of(member, again or steps[0])
        self._redone.update(step.key for step in steps)
        self._take_apart(member)
