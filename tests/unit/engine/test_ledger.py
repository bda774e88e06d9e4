"""The ledger and a store that cannot take the end of a job yet: what is owed stays owed until it has it, or the job is
forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from clone_engine.jobs.ledger import Ledger, Unsaved
from clone_engine.records.job_store import MemoryStore, StoreError
from clone_engine.records.jobs import Job, Outcome
from clone_engine.records.request import CloneRequest, Conninfo

ENDED = Job(0, "bob", "app", CloneRequest("table", "public", "t"), Conninfo({}), status="failed")


class FullStore(MemoryStore):
    """Refuses to save while it is full, once it is `allowed` to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True
        self.allowed = asyncio.Event()
        self.asked = asyncio.Event()

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        self.asked.set()
        await self.allowed.wait()
        if self.full:
            raise StoreError("job store is full", "53100")
        await super().save(job, done=done, undone=undone, outcomes=outcomes)


async def owing() -> tuple[FullStore, Ledger]:
    """A ledger that owes the end of job 1, and is asked to settle that next."""
    store = FullStore()
    ledger = Ledger(store)
    await ledger.open()
    job = await ledger.add(ENDED, (), None)
    store.allowed.set()
    unsaved = Unsaved()
    unsaved.outcomes.append(Outcome("table public.t", "done"))
    await ledger.end(job, unsaved)
    store.allowed.clear()
    store.asked.clear()
    return store, ledger


async def test_what_is_owed_is_saved_once_when_there_is_room() -> None:
    store, ledger = await owing()
    store.allowed.set()
    await ledger.settle()
    assert await store.outcomes(1) == []
    store.full = False
    await ledger.settle()
    await ledger.settle()
    assert [outcome.object for outcome in await store.outcomes(1)] == ["table public.t"]


async def test_a_job_that_is_forgotten_while_its_end_is_saved_in_vain_is_owed_no_more() -> None:
    store, ledger = await owing()
    settling = asyncio.create_task(ledger.settle())
    await store.asked.wait()
    assert await ledger.remove([1]) == [1]
    store.allowed.set()
    await settling
    await ledger.settle()
    assert not ledger.jobs


async def test_a_settling_that_is_cancelled_leaves_what_is_owed() -> None:
    store, ledger = await owing()
    settling = asyncio.create_task(ledger.settle())
    await store.asked.wait()
    settling.cancel()
    await asyncio.wait([settling])
    store.full = False
    store.allowed.set()
    await ledger.settle()
    assert [outcome.object for outcome in await store.outcomes(1)] == ["table public.t"]
