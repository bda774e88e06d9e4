"""Jobs that are cancelled, in each of their states and by several callers at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.records.job_store import JobStore, MemoryStore
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Options
from tests.unit.engine.managed import ALICE, BOB, SOURCE, TARGET, refused, run, shown, submit, until, until_copying

pytestmark = pytest.mark.usefixtures("within_limit")


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("wait", ""),
        ("ignore_cancel", "did not stop by itself (ended by force); what it was doing may be left half done"),
    ],
)
async def test_cancel_of_a_running_job(manager: Manager, behaviour: str, error: str) -> None:
    job_id = await submit(manager, behaviour)
    await until_copying(manager, job_id)
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    job = shown(manager, job_id)
    assert (job.status, job.progress.phase) == ("cancelled", "cancelled")
    assert job.error.removeprefix("job process ") == error
    assert job.progress.pct_complete < 100
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert shown(manager, job_id) == job


async def test_many_cancels_at_once_and_one_of_another_job(manager: Manager) -> None:
    first, second = await submit(manager, "wait"), await submit(manager, "wait")
    await until_copying(manager, first, second)
    assert set(await asyncio.gather(*(manager.cancel(ALICE, first) for _ in range(100)))) == {"cancelled"}
    assert (shown(manager, first).status, shown(manager, second).status) == ("cancelled", "running")


async def test_the_numbers_of_workers_are_their_jobs(manager: Manager) -> None:
    request = CloneRequest("schema", "parallel", options=Options(parallel=2))
    job = await manager.submit(ALICE, request, SOURCE, TARGET)
    await until(lambda: bool(shown(manager, job.job_id).progress.workers))
    assert await submit(manager, "wait") == job.job_id + 3
    await refused(manager.cancel(BOB, job.job_id + 1), "P0002", f"pgclone: job {job.job_id + 1} not found")
    assert await manager.cancel(ALICE, job.job_id + 2) == "cancelled"
    assert await manager.cancel(ALICE, job.job_id + 1) == "cancelled"  # in one statement with the other
    assert shown(manager, job.job_id).status == "cancelled"
    await refused(manager.cancel(ALICE, job.job_id + 5), "P0002", f"pgclone: job {job.job_id + 5} not found")


async def test_cancel_of_a_job_that_is_only_just_submitted(manager: Manager) -> None:
    job_id = await submit(manager, "wait")
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert shown(manager, job_id).status == "cancelled"


async def test_jobs_that_are_cancelled_together_do_not_start_in_each_others_place(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    ids = [await submit(manager, "wait") for _ in range(4)]
    await until_copying(manager, ids[0])
    for job_id in ids[:3]:
        manager.begin_cancel(ALICE, job_id)
    await asyncio.gather(*(manager.wait(job_id) for job_id in ids[:3]))
    await until_copying(manager, ids[3])
    assert [start.job_id for start in dispatcher.started] == [ids[0], ids[3]]
    assert [shown(manager, job_id).status for job_id in ids] == ["cancelled"] * 3 + ["running"]
    await manager.stop()


class StoreThatWaits(MemoryStore):
    """Takes its time to write that a job runs."""

    def __init__(self) -> None:
        super().__init__()
        self.may_run = asyncio.Event()

    async def save(self, job: Job, **news: Any) -> None:
        if job.status == "running":
            await self.may_run.wait()
        await super().save(job, **news)


async def test_cancel_while_it_is_written_down_that_the_job_runs(dispatcher: MemoryDispatcher) -> None:
    store = StoreThatWaits()
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    job_id = await submit(manager, "wait")
    manager.begin_cancel(ALICE, job_id)
    store.may_run.set()
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert (shown(manager, job_id).status, dispatcher.started) == ("cancelled", [])
    await manager.stop()


async def test_a_pending_job_that_is_cancelled_during_a_shutdown_stays_cancelled(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    """It is not among the jobs that go on when the proxy starts again."""
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    job_id = await submit(manager, "wait")
    manager.begin_cancel(ALICE, job_id)
    await manager.stop()
    assert shown(manager, job_id).status == "cancelled"


async def test_cancel_of_a_pending_job(manager: Manager) -> None:
    ids = [await submit(manager, "wait") for _ in range(3)]
    assert await manager.cancel(ALICE, ids[2]) == "cancelled"
    job = shown(manager, ids[2])
    assert (job.status, job.started_at, job.elapsed_ms(time.time())) == ("cancelled", None, 0)


@pytest.mark.parametrize("behaviour", ["complete", "fail"])
async def test_cancel_leaves_a_finished_job_alone(manager: Manager, behaviour: str) -> None:
    job = await run(manager, behaviour)
    assert await manager.cancel(ALICE, job.job_id) == "cancelled"
    assert shown(manager, job.job_id) == job
