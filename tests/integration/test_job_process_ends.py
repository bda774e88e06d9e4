"""Jobs with hand-made plans that are cancelled, and processes and backends of theirs that die: nothing stays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from clone_engine.records.channel import Advanced
from clone_engine.records.steps import Plan
from tests.harness.waiting import wait_until
from tests.integration.job_phases import PHASES, SLOW_COPY, at_work, start_and_reach
from tests.integration.job_runs import JOB_ID, Clone, JobRun
from tests.integration.shop import BIG_ROWS, CONTENTS, DEFINITIONS, halting_copy, plan, whole_plan

WITHIN = 10.0
"""Seconds to wait for the answer to a cancel: far less than what is cancelled would take."""


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("phase", PHASES)
def test_cancel(clone: Clone, phase: str, parallel: int) -> None:
    job, blocker = start_and_reach(clone, phase, parallel)
    with blocker:
        job.cancel()
        ended = job.wait(WITHIN)
        assert (ended.status, ended.sqlstate, ended.error) == ("cancelled", "", "")
        if phase == "copy":
            assert job.outcomes()["table shop.orders"] == ("failed", "")
        clone.assert_gone(1)
    assert job.errors() == ""


def test_cancel_before_anything_has_begun(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, SLOW_COPY))
    job.cancel()
    assert job.wait().status == "cancelled"
    clone.assert_gone()


def test_a_copier_that_does_not_leave_is_killed_and_its_backends_ended(clone: Clone) -> None:
    job, blocker = start_and_reach(clone, "index", 1)
    with blocker:
        os.kill(job.copiers()[0], signal.SIGSTOP)
        job.cancel()
        assert job.wait(WITHIN).status == "cancelled"
        clone.assert_gone(1)


@pytest.mark.parametrize("how", ["hang up", "kill", "terminate"])
@pytest.mark.parametrize("phase", ["copy", "index", "planning"])
def test_nothing_stays_when_the_manager_or_the_job_process_dies(clone: Clone, phase: str, how: str) -> None:
    job, blocker = start_and_reach(clone, phase, 2)
    copiers = job.copiers()
    with blocker:
        match how:
            case "hang up":
                job.hang_up()
            case "kill":
                job.process.kill()
            case "terminate":
                job.process.terminate()
        job.process.wait(5)
        clone.assert_gone(3)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and _runs(pid) for pid in copiers), 3, "the copiers' end")


def _runs(pid: int) -> bool:
    """Whether it is more than a zombie that nobody reaps."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_copier_fails_the_job_if_it_was_the_only_one(clone: Clone) -> None:
    job, blocker = start_and_reach(clone, "index", 1)
    with blocker:
        (copier,) = job.copiers()
        os.kill(copier, signal.SIGKILL)
        ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "58000")
    assert f"copier process {copier} ended unexpectedly" in ended.error
    assert "was not committed" in ended.error
    clone.assert_gone()


def test_the_step_of_a_killed_copier_is_done_once_more(clone: Clone) -> None:
    """In the middle of a COPY, with another copier at hand: every row arrives exactly once."""
    whole: Plan = whole_plan(clone.source, 2)
    slow = halting_copy(clone.source)
    steps = (DEFINITIONS, slow, *(s for s in whole.steps if s.key == "table shop.customers"))
    job = clone.run(plan(*steps), 2)
    wait_until(lambda: any(m.progress.rows_copied > 100 for m in job.all(Advanced)), 20, "rows on their way")
    busy = [pid for pid in job.copiers() if _backends_of(pid)]
    os.kill(_copier_of_copy(job, busy), signal.SIGKILL)
    with clone.source.connect(application_name="go on"):
        ended = job.wait()
    assert (ended.status, ended.error) == ("completed", "")
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))
    assert job.all(Advanced)[-1].progress.rows_copied == BIG_ROWS + 1000
    clone.assert_gone()


def _backends_of(pid: int) -> int:
    """Sockets that a copier has open, besides its channel."""
    return (
        len([fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink() and "socket" in str(fd.readlink())]) - 1
    )


def _copier_of_copy(job: JobRun, busy: list[int]) -> int:
    """The copier that has both a source and a target connection and waits for the source."""
    return max(busy, key=_backends_of) if len(busy) > 1 else busy[0]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_backend_of_a_copier_that_is_ended(clone: Clone, side: str) -> None:
    """Without patience; with it, tests/faults/test_lost_connections.py."""
    job = clone.run(plan(DEFINITIONS, SLOW_COPY), 2, retry_for=0)
    wait_until(lambda: ("source", "pg_sleep") in at_work(clone), 20, "the job in COPY")
    database = clone.source if side == "source" else clone.target
    database.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}'"
        f" AND datname = '{database.name}' AND query LIKE 'COPY%'"
    )
    ended = job.wait()
    assert ended.status == "failed"
    assert ended.sqlstate in {"57P01", "08006"}
    assert ended.error.startswith("table shop.orders: ")
    clone.assert_gone()


def test_a_lost_snapshot_fails_the_job_within_seconds(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, SLOW_COPY), 2)
    wait_until(lambda: ("source", "pg_sleep") in at_work(clone), 20, "the job in COPY")
    clone.source.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}'"
        f" AND datname = '{clone.source.name}' AND query NOT LIKE 'COPY%'"
    )
    ended = job.wait(10)
    assert (ended.status, ended.sqlstate) == ("failed", "08006")
    assert "snapshot was lost" in ended.error
    clone.assert_gone()
