"""What the tests of the managing side share: both stores, both dispatchers, and a manager."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clone_engine.jobs.children import JobProcesses, StopLimits
from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Manager, ManagerSettings
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.job_store import JobStore, MemoryStore
from tests.unit.engine.scripts import behave

STAND_IN = (sys.executable, "-P", str(Path(__file__).with_name("stand_in.py")))
QUICK = StopLimits(cancel=1.0, terminate=0.5, ended=0.5)


@pytest.fixture
async def processes() -> AsyncIterator[JobProcesses]:
    processes = JobProcesses({"PATH": "/usr/bin:/bin"}, QUICK, STAND_IN)
    yield processes
    await processes.close()


@pytest.fixture
def dispatcher() -> MemoryDispatcher:
    return MemoryDispatcher(behave)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JobStore:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "jobs.sqlite")


@pytest.fixture
async def within_limit() -> AsyncIterator[None]:
    """A test that waits for ever fails."""
    async with asyncio.timeout(60):
        yield


@pytest.fixture
async def manager(store: JobStore, dispatcher: MemoryDispatcher) -> AsyncIterator[Manager]:
    manager = Manager(store, ManagerSettings(Limits(2)), dispatcher, time.time)
    await manager.start()
    yield manager
    await manager.stop()
