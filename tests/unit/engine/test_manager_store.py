"""What is in the store when something is told, and stores that are full or slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clone_engine.jobs.dispatcher import Conversation, MemoryDispatcher
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.records.channel import Advanced, Done, Ended, Keep, Kept, Start
from clone_engine.records.job_store import JobStore, MemoryStore, Seal, StoreError
from clone_engine.records.jobs import Job, Outcome, Progress
from tests.harness.waiting import wait_until_async
from tests.unit.engine.managed import (
    ADMIN,
    ALICE,
    LIMIT,
    SOURCE,
    TARGET,
    clone,
    refused,
    run,
    shown,
    submit,
    until,
    until_copying,
)

pytestmark = pytest.mark.usefixtures("within_limit")


async def test_what_has_been_announced_is_in_the_store(manager: Manager, store: JobStore) -> None:
    await run(manager, "complete")
    await run(manager, "fail")
    assert await store.load() == manager.visible(ADMIN)


class UnreliableStore(MemoryStore):
    """Fails while it is told to, as a full disk does, and counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.saves = 0

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        self._check()
        return await super().add(job, done, seal)

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        self._check()
        self.saves += 1
        await super().save(job, done=done, undone=undone, outcomes=outcomes)

    def _check(self) -> None:
        if self.full:
            raise StoreError("database or disk is full", "53100")


async def test_progress_is_saved_now_and_then_and_shown_at_once(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    before = manager.version
    job = await run(manager, "chatter")
    assert job.progress.rows_copied == 199
    assert manager.version - before > 10
    assert store.saves <= 4  # running, at most once a second, completed
    await manager.stop()


async def test_full_store_refuses_new_jobs_and_spares_those_that_run(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    running, pending = await submit(manager, "wait"), await submit(manager, "complete")
    await until_copying(manager, running)
    store.full = True
    new = manager.submit(ALICE, clone("complete"), SOURCE, TARGET)
    await refused(new, "53100", "pgclone: the proxy's job store is full")
    await manager.cancel(ALICE, running)
    assert shown(manager, running).status == "cancelled"
    failed = await manager.wait(pending)
    assert (failed.status, failed.sqlstate) == ("failed", "53100")
    assert failed.error.startswith("the proxy's job store is full; the proxy's log has the reason; go on with")
    store.full = False
    assert (await run(manager, "complete")).status == "completed"
    await manager.stop()


async def known_to(store: JobStore, manager: Manager) -> bool:
    return await store.load() == manager.visible(ADMIN)


async def test_an_end_that_the_store_could_not_take_is_saved_when_it_can(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(tidy_interval=0.01), dispatcher)
    await manager.start()
    ids = [await submit(manager, "wait") for _ in range(2)]
    await until_copying(manager, *ids)
    store.full = True
    for job_id in ids:
        await manager.cancel(ALICE, job_id)
    assert [job.status for job in await store.load()] == ["running", "running"]
    store.full = False
    await wait_until_async(lambda: known_to(store, manager), LIMIT)
    assert await store.done(ids[1]) == ("table wait.orders",)
    await manager.stop()


async def test_an_end_that_the_store_could_not_take_is_saved_at_the_latest_at_the_stop(
    dispatcher: MemoryDispatcher,
) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    store.full = True
    await manager.cancel(ALICE, 1)
    assert not await known_to(store, manager)
    store.full = False
    await manager.stop()
    await store.open()
    assert await known_to(store, manager)
    await store.close()


class SlowStore(MemoryStore):
    """Takes what it is asked to take only when it is allowed to, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.allowed = asyncio.Semaphore(0)

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        await self._wait()
        return await super().add(job, done, seal)

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        await self._wait()
        await super().save(job, done=done, undone=undone, outcomes=outcomes)

    async def _wait(self) -> None:
        self.asked += 1
        await self.allowed.acquire()


async def test_nothing_is_announced_before_the_store_has_it() -> None:
    end = asyncio.Event()

    async def complete_when_told(start: Start, talk: Conversation) -> None:
        talk.say(Advanced(Progress("copying data")))
        await end.wait()
        talk.say(Ended("completed"))

    store, dispatcher, heard = SlowStore(), MemoryDispatcher(complete_when_told), []
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    submitting = asyncio.create_task(submit(manager, "orders"))
    await until(lambda: store.asked == 1)
    assert manager.visible(ADMIN) == [] and not submitting.done()
    store.allowed.release()
    assert await submitting == 1
    waiting = asyncio.create_task(manager.wait(1, heard.append))
    await until(lambda: store.asked == 2)
    assert shown(manager, 1).status == "pending" and dispatcher.started == []
    store.allowed.release()
    await until(lambda: store.asked == 3)  # progress may be seen before
    assert (shown(manager, 1).status, shown(manager, 1).progress.phase, heard) == ("running", "copying data", [])
    store.allowed.release()
    end.set()
    await until(lambda: store.asked == 4)
    assert shown(manager, 1).status == "running" and not waiting.done()
    store.allowed.release()
    assert (await waiting).status == "completed"
    await manager.stop()


async def test_keep_is_answered_when_all_that_was_said_before_is_in_the_store() -> None:
    talks: list[Conversation] = []

    async def follow_orders(start: Start, talk: Conversation) -> None:
        talks.append(talk)
        await talk.cancelled.wait()

    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), MemoryDispatcher(follow_orders))
    await manager.start()
    job_id = await submit(manager, "orders")
    await until(lambda: bool(talks))
    (talk,) = talks
    store.full = True
    talk.say(Done("a"), Keep(1))
    await until(talk.said.empty)
    store.full = False
    talk.say(Done("b"), Keep(2))
    assert await talk.kept.get() == Kept(2)
    assert talk.kept.empty()
    assert await store.done(job_id) == ("a", "b")
    await manager.stop()
