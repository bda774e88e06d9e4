"""Jobs that an end of the proxy has interrupted, a shutdown or a crash, and which of them go on."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from clone_engine.jobs.dispatcher import Conversation, MemoryDispatcher, Script
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.jobs.verdicts import MAX_CRASHES
from clone_engine.records.channel import Done, Start
from clone_engine.records.job_store import JobStore
from clone_engine.records.jobs import Job
from tests.harness.waiting import wait_until_async
from tests.unit.engine.managed import (
    ADMIN,
    ALICE,
    LIMIT,
    SECRET_SOURCE,
    SOURCE,
    TARGET,
    clone,
    refused,
    shown,
    submit,
    until_copying,
)
from tests.unit.engine.scripts import behave

pytestmark = pytest.mark.usefixtures("within_limit")


async def test_stop_cancels_what_runs_and_says_how_to_go_on(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher, time.time)
    await manager.start()
    await submit(manager, "wait")
    await submit(manager, "wait", source=SECRET_SOURCE)
    await until_copying(manager, 1)
    waiters = [asyncio.create_task(manager.wait(1)), asyncio.create_task(manager.wait(2))]
    await manager.stop()
    running, pending = await asyncio.gather(*waiters)
    assert (running.status, running.sqlstate) == ("failed", "57P01")
    assert running.error == "interrupted by a shutdown of the proxy; go on with pgclone_resume(1)"
    assert (pending.status, pending.sqlstate) == ("failed", "57P01")
    assert "pgclone_resume(2) cannot go on" in pending.error
    await refused(manager.submit(ALICE, clone("wait"), SOURCE, TARGET), "57P03", "pgclone: the proxy is shutting down")
    await manager.stop()


async def test_jobs_left_by_a_crash_are_failed_at_the_next_start(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    await store.open()
    base = Job(0, "alice", "app", clone("wait"), SOURCE)
    for status in ("pending", "running", "completed"):
        await store.add(msgspec.structs.replace(base, status=status, started_at=1.0))
    await store.save((await store.load())[1], done=["table wait.orders"])
    await store.add(msgspec.structs.replace(base, status="running", source_had_secret=True))
    manager = Manager(store, ManagerSettings(), dispatcher, time.time)
    await manager.start()
    assert [job.status for job in manager.visible(ALICE)] == ["failed", "failed", "completed", "failed"]
    assert [job.sqlstate for job in manager.visible(ALICE)] == ["57P02", "57P02", "", "57P02"]
    assert shown(manager, 2).error == "interrupted by a restart of the proxy; go on with pgclone_resume(2)"
    assert await manager.resume(ALICE, 2, TARGET) == 5
    assert await store.done(5) == ("table wait.orders",)
    await refused(manager.resume(ALICE, 4, TARGET), "28000", "pgclone: the source password of job 4 is no longer known")
    await manager.stop()


async def test_what_was_interrupted_goes_on_once(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    first = Manager(store, ManagerSettings(Limits(2)), dispatcher)
    await first.start()
    for source in (SOURCE, SECRET_SOURCE, SOURCE, SOURCE):
        await submit(first, "wait", source=source)
    await first.cancel(ALICE, 4)
    await first.stop()
    second = Manager(store, ManagerSettings(), dispatcher)
    await second.start()
    assert [job.job_id for job in second.interrupted] == [1, 3]
    assert await second.resume(ALICE, 1, TARGET) == 5
    await second.leave(3)
    await second.leave(99)
    assert second.interrupted == []
    await second.cancel(ALICE, 5)
    await second.stop()
    third = Manager(store, ManagerSettings(), dispatcher)
    await third.start()
    assert third.interrupted == []
    await third.stop()


async def crash_and_restart(store: JobStore, manager: Manager, script: Script = behave) -> Manager:
    """The manager of a proxy that starts after that of `manager` was killed."""
    killed = [live.task for live in manager._live.values() if live.task]
    for task in killed:
        task.cancel()
    await asyncio.wait(killed)
    await store.close()
    new = Manager(store, ManagerSettings(), MemoryDispatcher(script))
    await new.start()
    return new


async def go_on(manager: Manager) -> list[int]:
    return [await manager.resume(ALICE, job.job_id, TARGET) for job in manager.interrupted]


async def test_a_job_that_is_there_at_each_crash_goes_on_so_often_and_no_more(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    running, waiting = await submit(manager, "ignore_cancel"), await submit(manager, "complete")
    for number in range(1, MAX_CRASHES):
        await until_copying(manager, running)
        manager = await crash_and_restart(store, manager)
        assert shown(manager, running).crashes == number
        running, *rest = await go_on(manager)
        if rest:  # the one that waited cannot have been the cause
            assert (shown(manager, waiting).crashes, (await manager.wait(rest[0])).status) == (0, "completed")
    await until_copying(manager, running)
    manager = await crash_and_restart(store, manager)
    assert manager.interrupted == []
    error = f"3 times in a row with nothing done in between, so it waits for you: go on with pgclone_resume({running})"
    assert shown(manager, running).error == f"interrupted by a restart of the proxy; {error}"
    assert await manager.resume(ALICE, running, TARGET) == running + 1
    await until_copying(manager, running + 1)
    await manager.stop()
    assert shown(manager, running + 1).to_go_on  # a shutdown is no crash


async def test_a_job_that_gets_something_done_between_crashes_goes_on(store: JobStore) -> None:
    async def one_more_table(start: Start, talk: Conversation) -> None:
        talk.say(Done(f"table {len(start.done)}"))
        await asyncio.Event().wait()

    async def one_more_done() -> bool:
        return len(await store.done(running)) > len(earlier)

    manager = Manager(store, ManagerSettings(), MemoryDispatcher(one_more_table))
    await manager.start()
    running, earlier = await submit(manager, "orders"), ()
    for _ in range(MAX_CRASHES + 1):
        await wait_until_async(one_more_done, LIMIT)
        earlier = await store.done(running)
        manager = await crash_and_restart(store, manager, one_more_table)
        assert shown(manager, running).crashes == 1
        (running,) = await go_on(manager)
    await manager.stop()


async def test_a_resumed_job_does_not_go_on_by_itself_though_the_new_one_is_forgotten(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    manager = await crash_and_restart(store, manager)
    assert await manager.resume(ADMIN, 1, TARGET) == 2
    await manager.cancel(ADMIN, 2)
    assert await manager.clear(Caller(ADMIN.role, "app")) == 1
    assert manager.interrupted == []
    await manager.stop()
