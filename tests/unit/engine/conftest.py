"""What the tests of the managing side share: both stores, both dispatchers, and jobs that clone nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clone_engine.jobs.children import JobProcesses, StopLimits
from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.job_store import JobStore, MemoryStore
from tests.unit.engine.scripts import behave

STAND_IN = (sys.executable, "-P", str(Path(__file__).with_name("stand_in.py")))
QUICK = StopLimits(cancel=1.0, terminate=0.5, ended=0.5)


@pytest.fixture
def processes() -> JobProcesses:
    return JobProcesses({"PATH": "/usr/bin:/bin"}, QUICK, STAND_IN)


@pytest.fixture
def dispatcher() -> MemoryDispatcher:
    return MemoryDispatcher(behave)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JobStore:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "jobs.sqlite")
