"""What the loss of the job's own connections means for its steps, and getting over it.

The journal on the target is what counts.  A target that was restarted may have lost commits, since the copiers do not
wait for the disk: so after each new connection to it what is missing in the journal is done again, and so is what a
copier was at.  The source's snapshot, once lost, is not replaced: rows of two moments would meet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import Copy, LargeObjects
from clone_engine.running.connections import Connections
from clone_engine.running.crew import Member
from clone_engine.running.journaling import GONE, JobJournal
from clone_engine.running.progress import Account
from clone_engine.running.reporting import Report
from clone_engine.running.scheduler import Schedule
from clone_engine.servers.journal import Entry
from clone_engine.servers.server_error import transient


class Recovery:
    """Of a job whose steps are handed out; `busy` are the copiers that are at one.  `renew` is called when a connection
    was lost: those of idle copiers are lost as well, or will be."""

    def __init__(
        self,
        connections: Connections,
        journal: JobJournal,
        report: Report,
        schedule: Schedule,
        account: Account,
        busy: Collection[Member],
        renew: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._journal = journal
        self._report = report
        self._schedule = schedule
        self._account = account
        self._busy = busy
        self._renew = renew
        self.doubtful: set[Member] = set()
        """Copiers that began their step before the target was lost: only the journal tells whether it is done."""

    def __repr__(self) -> str:
        return f"<Recovery, {len(self.doubtful)} copiers in doubt>"

    async def steady(self) -> None:
        """Both connections work when this returns, and the schedule has what is to be done again.

        PgError if a server cannot be had back in time, or what is lost cannot be replaced.
        """
        lost = False
        while await self._connections.restore("target"):
            lost = True
            self.doubtful.update(self._busy)
            with suppress_transient():
                self._compare(await self._entries())
        lost = await self._steady_source() or lost
        if lost:
            self._renew()
        self._connections.whole.set()

    async def entry(self, step: str) -> Entry | None:
        """The entry of a step; None if it has not been done.  PgError as `steady` raises it."""
        while True:
            with suppress_transient():
                return await self._journal.entry(self._connections.target, step)
            await self.steady()

    async def all_there(self) -> bool:
        """Whether the journal has every step, so that nothing is left to be done; if so, all is said of them.

        PgError as `steady` raises it.
        """
        while self._schedule.complete:
            with suppress_transient():
                self._compare(await self._entries())
                if self._schedule.complete:
                    await self._report.completed()
                    return True
            await self.steady()
        return False

    async def _steady_source(self) -> bool:
        """Whether there is a new connection to the source.  None is made when nothing more is to be read there."""
        keeper = self._connections.keeper
        error = await self._connections.loss("source")
        needed = any(isinstance(step, Copy | LargeObjects) for step in self._schedule.left)
        if keeper is None or error is None or not needed:
            return False
        if keeper.snapshot:
            raise snapshot_lost(error)
        return await self._connections.restore("source")

    async def _entries(self) -> Collection[Entry]:
        try:
            return await self._journal.entries(self._connections.target)
        except PgError as error:
            if error.sqlstate not in GONE:
                raise
            self._compare(())
            raise PgError(
                "55000",
                "pgclone: the target has lost what this job did there",
                detail="The job's journal is gone from the target database.",
                hint="Another job may go on from this one, or another server may have taken the target's place.  If "
                "neither is meant, see what is there and start the clone again.",
            ) from None

    def _compare(self, entries: Collection[Entry]) -> None:
        """Have done again what the target has lost."""
        lost = self._report.take_back({one.step for one in entries})
        if not lost:
            return
        if any(isinstance(step, Copy) for step in lost) and self._report.rows_are_in_use:
            raise ROWS_LOST
        for step in lost:
            self._account.reopen(step.key)
        self._schedule.reopen([step.key for step in lost])
        words = f"steps that it lost in a restart, and that were begun again: {len(lost)}"
        self._report.outcome(Outcome("connection to the target", "done", message=words))


ROWS_LOST: Final = PgError(
    "55000",
    "pgclone: a crash of the target has emptied unlogged tables that were complete",
    detail="Their triggers are there already, and would act on the rows if these were copied again now.",
    hint='Start the clone anew, with {"conflict": "replace"} for what is there.',
)


def snapshot_lost(error: PgError) -> PgError:
    """Why a job fails whose keeper was lost, with `error`."""
    return PgError(
        "08006",
        f"pgclone: the connection that keeps the source's snapshot was lost: {error.message}",
        detail="The rows that are still to be copied would be of another moment than those that are there.",
        hint="Resume the job: it goes on with a new snapshot, and keeps what is complete.  With the option "
        '{"consistent": false} a clone needs none.',
    )


@contextmanager
def suppress_transient() -> Iterator[None]:
    """What fails for a lost connection is to be tried again."""
    try:
        yield
    except PgError as error:
        if not transient(error.sqlstate):
            raise
