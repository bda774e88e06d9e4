"""Finished jobs that are forgotten: as a caller asks, by their number, and as time goes by."""

from __future__ import annotations

import asyncio

import pytest

from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.jobs.retention import DAY, Retention
from clone_engine.records.job_store import JobStore
from tests.unit.engine.managed import ADMIN, ALICE, BOB, SECRET_SOURCE, TARGET, run, submit, until

pytestmark = pytest.mark.usefixtures("within_limit")


async def test_clear_forgets_the_finished_jobs_of_the_caller(manager: Manager, store: JobStore) -> None:
    await run(manager, "complete")
    await run(manager, "fail")
    await run(manager, "complete", BOB)
    running = await submit(manager, "wait")
    assert sorted(await asyncio.gather(manager.clear(ALICE), manager.clear(ALICE))) == [0, 2]
    assert [job.job_id for job in manager.visible(ADMIN)] == [3, running]
    assert await manager.clear(ALICE) == 0
    assert await manager.clear(ADMIN) == 1
    assert [job.job_id for job in await store.load()] == [running]
    assert await submit(manager, "complete") == 5


async def test_clear_leaves_what_an_unfinished_job_goes_on_from(manager: Manager) -> None:
    first = await submit(manager, "wait")
    await manager.cancel(ALICE, first)
    second = await manager.resume(ALICE, first, TARGET)
    assert await manager.clear(ALICE) == 0
    await manager.cancel(ALICE, second)
    assert await manager.clear(ALICE) == 2


async def test_the_newest_finished_jobs_are_kept(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(retention=Retention(count=2)), dispatcher)
    await manager.start()
    working = await submit(manager, "wait")
    for behaviour in ("complete", "fail", "complete", "complete"):
        job = await run(manager, behaviour, source=SECRET_SOURCE)
        await until(lambda: not manager._live.keys() - {working})
        assert job in manager.visible(ALICE)
    await until(lambda: len(manager.visible(ALICE)) == 3)
    assert [job.job_id for job in manager.visible(ALICE)] == [job.job_id for job in await store.load()] == [1, 4, 5]
    assert "of 0 jobs" in repr(manager._sources)
    await manager.cancel(ALICE, working)
    await until(lambda: [job.job_id for job in manager.visible(ALICE)] == [1, 5])
    assert await submit(manager, "complete") == 6
    await manager.stop()


async def test_old_jobs_are_forgotten_as_time_goes_by_and_at_the_start(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    now = 1_000_000.0
    settings = ManagerSettings(retention=Retention(days=1), tidy_interval=0.01)
    manager = Manager(store, settings, dispatcher, lambda: now)
    await manager.start()
    await run(manager, "complete")
    now += DAY - 1
    await run(manager, "complete")
    assert [job.job_id for job in manager.visible(ALICE)] == [1, 2]
    now += 2
    await until(lambda: [job.job_id for job in manager.visible(ALICE)] == [2])
    await manager.stop()
    now += DAY
    manager = Manager(store, settings, dispatcher, lambda: now)
    await manager.start()
    assert manager.visible(ALICE) == [] == await store.load()
    assert await submit(manager, "complete") == 3
    await manager.stop()
