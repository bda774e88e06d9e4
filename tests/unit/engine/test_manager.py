"""The manager over both stores, with jobs in memory: their ends, who sees what, and who is told.  With processes:
`test_manager_processes.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.records.errors import PgError
from clone_engine.records.job_store import JobStore
from clone_engine.records.jobs import FINISHED, Job, Status
from clone_engine.records.request import Conninfo
from tests.unit.engine.managed import (
    ADMIN,
    ALICE,
    BOB,
    SECRET_SOURCE,
    SOURCE,
    TARGET,
    clone,
    refused,
    run,
    shown,
    submit,
    until_copying,
)

pytestmark = pytest.mark.usefixtures("within_limit")


async def test_job_runs_to_its_end(manager: Manager) -> None:
    job = await manager.submit(ALICE, clone("complete"), SECRET_SOURCE, TARGET)
    assert (job.job_id, job.status, job.owner, job.database) == (1, "pending", "alice", "app")
    assert job.source == SOURCE and job.source_had_secret
    job = await manager.wait(1)
    assert (job.status, job.error, job.sqlstate) == ("completed", "", "")
    progress = job.progress
    assert (progress.phase, progress.pct_complete, progress.current_table) == ("completed", 100.0, "items")
    assert (progress.tables_completed, progress.tables_total, progress.rows_copied) == (2, 2, 20)
    assert job.started_at and job.ended_at and job.submitted_at <= job.started_at <= job.ended_at
    assert [o.object for o in await manager.outcomes(ALICE, 1)] == ["table orders", "table items"]


ENDS: list[tuple[str, Status, str, str]] = [
    ("fail", "failed", "23505", "duplicate key value violates unique constraint"),
    ("die", "failed", "58000", "job process exited unexpectedly (RuntimeError); go on with pgclone_resume(1)"),
    ("stop_by_itself", "failed", "58000", "job process was stopped from outside; go on with pgclone_resume(1)"),
    ("hang_after_end", "completed", "", ""),
]


@pytest.mark.parametrize(("behaviour", "status", "sqlstate", "error"), ENDS)
async def test_end(manager: Manager, behaviour: str, status: Status, sqlstate: str, error: str) -> None:
    job = await run(manager, behaviour)
    assert (job.status, job.sqlstate, job.error) == (status, sqlstate, error)
    assert job.ended_at is not None


async def test_failed_job_keeps_its_phase_and_is_never_at_100_percent(manager: Manager) -> None:
    job = await run(manager, "fail")
    assert (job.progress.phase, job.progress.pct_complete, job.progress.rows_copied) == ("copying data", 99.9, 5)


async def test_jobs_wait_for_room_first_come_first_served(manager: Manager) -> None:
    jobs = [await submit(manager, "wait") for _ in range(4)]
    await until_copying(manager, 1, 2)
    assert [shown(manager, j).status for j in jobs] == ["running", "running", "pending", "pending"]
    await manager.cancel(ALICE, 2)
    await until_copying(manager, 3)
    assert [shown(manager, j).status for j in jobs] == ["running", "cancelled", "running", "pending"]


async def test_a_limit_of_one_role_does_not_hold_up_others(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(Limits(3, per_role=1)), dispatcher)
    await manager.start()
    jobs = [await submit(manager, "wait") for _ in range(2)] + [await submit(manager, "wait", BOB)]
    await until_copying(manager, 1, 3)
    assert [shown(manager, j).status for j in jobs] == ["running", "pending", "running"]
    await manager.cancel(ALICE, 1)
    await until_copying(manager, 2)
    await manager.stop()


async def test_progress_is_visible_while_it_runs_and_version_tells_of_it(manager: Manager) -> None:
    before = manager.version
    job_id = await submit(manager, "wait")
    assert manager.version > before
    before = manager.version
    await until_copying(manager, job_id)
    assert manager.version > before
    assert (shown(manager, job_id).progress.rows_copied, shown(manager, job_id).status) == (10, "running")
    before = manager.version
    await manager.cancel(ALICE, job_id)
    assert manager.version > before
    before = manager.version
    manager.visible(ALICE)
    await manager.wait(job_id)
    assert manager.version == before


async def test_each_state_is_told_in_order_when_it_is_in_the_store(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    told: dict[int, list[str]] = {}

    async def notify(target: Conninfo, job_id: int, payloads: Sequence[str]) -> None:
        assert target == TARGET
        await asyncio.sleep(0)  # what comes meanwhile comes next
        for said in map(json.loads, payloads):
            assert (said["job_id"], said["op_type"], said["owner"]) == (job_id, "schema", "alice")
            told.setdefault(job_id, []).append(said["status"])
            (kept,) = (job for job in await store.load() if job.job_id == job_id)
            assert said["status"] in ("pending", kept.status) or kept.status in FINISHED

    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher, notify=notify)
    await manager.start()
    await run(manager, "complete")
    await run(manager, "fail")
    waiting, pending = await submit(manager, "wait"), await submit(manager, "wait")
    await manager.cancel(ALICE, pending)
    await manager.cancel(ALICE, waiting)
    interrupted = await submit(manager, "wait")
    await until_copying(manager, interrupted)
    await manager.stop()
    assert told == {
        1: ["pending", "running", "completed"],
        2: ["pending", "running", "failed"],
        waiting: ["pending", "running", "cancelled"],
        pending: ["pending", "cancelled"],
        interrupted: ["pending", "running", "failed"],
    }


async def test_nothing_fails_over_a_notification(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    async def notify(target: Conninfo, job_id: int, payloads: Sequence[str]) -> None:
        raise PgError("53300", "sorry, too many clients already")

    manager = Manager(store, ManagerSettings(), dispatcher, notify=notify)
    await manager.start()
    assert (await run(manager, "complete")).status == "completed"
    await manager.stop()


async def test_whoever_watches_learns_of_each_change(manager: Manager) -> None:
    copy: dict[int, Job] = {}
    versions: list[int] = []

    def watch(job_id: int, job: Job | None) -> None:
        versions.append(manager.version)
        if job:
            copy[job_id] = job
        else:
            del copy[job_id]
        assert list(copy.values()) == list(manager.jobs)

    manager.watch(watch)
    await run(manager, "complete")
    await run(manager, "fail", BOB)
    await manager.cancel(ALICE, await submit(manager, "wait"))
    assert await manager.clear(ALICE) == 2
    assert list(copy) == [2]
    assert versions == list(range(versions[0], versions[0] + len(versions)))


async def test_others_neither_see_nor_control_a_job(manager: Manager) -> None:
    job_id = await submit(manager, "wait")
    assert manager.visible(BOB) == []
    assert [job.job_id for job in manager.visible(ALICE)] == [job_id]
    for call in (manager.cancel(BOB, job_id), manager.resume(BOB, job_id, TARGET), manager.outcomes(BOB, job_id)):
        await refused(call, "P0002", f"pgclone: job {job_id} not found")
    await refused(manager.cancel(BOB, 99), "P0002", "pgclone: job 99 not found")
    await refused(manager.wait(99), "P0002", "pgclone: job 99 not found")
    assert await manager.clear(BOB) == 0
    assert await manager.cancel(ADMIN, job_id) == "cancelled"


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
async def test_a_clock_that_jumps_by_an_hour_makes_no_time_negative(
    store: JobStore, dispatcher: MemoryDispatcher, jump: float
) -> None:
    now = 1_000_000.0
    manager = Manager(store, ManagerSettings(), dispatcher, lambda: now)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    now += jump
    assert shown(manager, 1).elapsed_ms(now) == max(0.0, jump) * 1000
    await manager.cancel(ALICE, 1)
    job = shown(manager, 1)
    assert job.started_at is not None and job.ended_at is not None and job.started_at <= job.ended_at
    assert job.elapsed_ms(now) == max(0.0, jump) * 1000
    assert await submit(manager, "complete") == 2
    await manager.stop()


async def test_repr_is_useful_and_without_secrets(manager: Manager) -> None:
    await submit(manager, "wait", source=SECRET_SOURCE)
    assert "1 jobs, 1 running, 0 waiting" in repr(manager)
    assert "S3cret" not in repr(manager) + repr(vars(manager)) + repr([vars(v) for v in manager._live.values()])
