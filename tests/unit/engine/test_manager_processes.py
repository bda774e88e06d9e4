"""The manager over processes that are real but clone nothing: how they end, and how they are ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.job_store import MemoryStore
from clone_engine.records.jobs import Status
from tests.unit.engine.managed import ALICE, run, shown, submit, until_copying

pytestmark = pytest.mark.usefixtures("within_limit")


@pytest.fixture
async def manager(processes: JobProcesses) -> AsyncIterator[Manager]:
    manager = Manager(MemoryStore(), ManagerSettings(), processes, time.time)
    await manager.start()
    yield manager
    await manager.stop()


ENDS: list[tuple[str, Status, str, str]] = [
    ("die", "failed", "58000", "job process exited unexpectedly (SIGKILL); go on with pgclone_resume(1)"),
    ("die_with_orphan", "failed", "58000", "job process exited unexpectedly (SIGKILL); go on with pgclone_resume(1)"),
    ("leave", "failed", "58000", "job process exited unexpectedly (exit code 3); go on with pgclone_resume(1)"),
    ("talk_nonsense", "failed", "58000", "job process sent a line that is no message"),
    ("flood", "failed", "58000", "job process sent a line that is too long"),
    ("complain_much", "completed", "", ""),
]


@pytest.mark.parametrize(("behaviour", "status", "sqlstate", "error"), ENDS)
async def test_end(manager: Manager, behaviour: str, status: Status, sqlstate: str, error: str) -> None:
    job = await run(manager, behaviour)
    assert (job.status, job.sqlstate, job.error) == (status, sqlstate, error)


async def test_process_that_cannot_be_started() -> None:
    manager = Manager(MemoryStore(), ManagerSettings(), JobProcesses({}, command=("/nonexistent/python",)))
    await manager.start()
    job = await run(manager, "complete")
    assert (job.status, job.sqlstate) == ("failed", "58000")
    assert job.error == "job process could not be started: No such file or directory"
    await manager.stop()


@pytest.mark.parametrize(("behaviour", "ending"), [("ignore_cancel", "SIGTERM"), ("ignore_signals", "SIGKILL")])
async def test_cancel_says_what_it_took(manager: Manager, behaviour: str, ending: str) -> None:
    job_id = await submit(manager, behaviour)
    await until_copying(manager, job_id)
    await manager.cancel(ALICE, job_id)
    error = f"job process did not stop by itself ({ending}); what it was doing may be left half done"
    assert (shown(manager, job_id).status, shown(manager, job_id).error) == ("cancelled", error)


def test_whole_life_of_jobs_on_the_loop_of_the_proxy(processes: JobProcesses, tmp_path: Path) -> None:
    async def live() -> list[Status]:
        manager = Manager(SqliteStore(tmp_path / "jobs"), ManagerSettings(), processes)
        await manager.start()
        await run(manager, "complete")
        await run(manager, "die")
        await submit(manager, "ignore_signals")
        await until_copying(manager, 3)
        await manager.cancel(ALICE, 3)
        await submit(manager, "wait")
        await until_copying(manager, 4)
        await manager.stop()
        return [job.status for job in manager.visible(ALICE)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(live()) == ["completed", "failed", "cancelled", "failed"]
