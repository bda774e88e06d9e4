"""Which finished jobs are forgotten, and which are kept whatever their age."""

from __future__ import annotations

import pytest

from clone_engine.jobs.retention import DAY, Retention, outdated
from clone_engine.records.jobs import Job, Status
from clone_engine.records.request import CloneRequest, Conninfo

NOW = 100 * DAY


def job(
    number: int,
    status: Status = "completed",
    days: float = 0.0,
    resumed_from: int = 0,
    to_go_on: bool = False,
    owner: str = "alice",
) -> Job:
    """A job that ended so many days ago."""
    ended = NOW - days * DAY if status not in {"pending", "running"} else None
    return Job(
        number,
        owner,
        "app",
        CloneRequest("schema", "s"),
        Conninfo({}),
        status=status,
        ended_at=ended,
        resumed_from=resumed_from,
        to_go_on=to_go_on,
    )


CASES: dict[str, tuple[list[Job], Retention, list[int]]] = {
    "no limit": ([job(1, days=99), job(2)], Retention(), []),
    "too many": ([job(1, days=3), job(2, days=2), job(3, days=1)], Retention(count=2), [1]),
    "not too many of anyone": ([job(1, days=3, owner="bob"), job(2, days=2), job(3)], Retention(count=2), []),
    "not too many": ([job(1, days=3), job(2, days=2)], Retention(count=2), []),
    "the one that ended first, not the one that came first": ([job(1), job(2, days=1)], Retention(count=1), [2]),
    "too old": ([job(1, days=8), job(2, days=6)], Retention(days=7), [1]),
    "too old or too many": ([job(1, days=8), job(2, days=2), job(3, days=1)], Retention(1, 7), [1, 2]),
    "unfinished": ([job(1, "running"), job(2, "pending"), job(3, days=9)], Retention(1, 7), [3]),
    "to be gone on with": ([job(1, "failed", 9, to_go_on=True), job(2, "failed", 9)], Retention(1, 7), [2]),
    "needed by one that runs": (
        [job(1, "failed", 9), job(2, "failed", 9, 1), job(3, "running", resumed_from=2)],
        Retention(1, 7),
        [],
    ),
    "needed by one that can be resumed": (
        [job(1, "failed", 9), job(2, "cancelled", 1, 1), job(3)],
        Retention(days=7),
        [],
    ),
    "needed no more": ([job(1, "failed", 9), job(2, "completed", 1, 1)], Retention(days=7), [1]),
    "forgotten together with the one that needs it": (
        [job(1, "failed", 9), job(2, "failed", 8, 1)],
        Retention(days=7),
        [1, 2],
    ),
    "from the future, as after a clock that was wrong": ([job(1, days=-1), job(2)], Retention(days=7), []),
}


@pytest.mark.parametrize(("jobs", "retention", "forgotten"), CASES.values(), ids=CASES)
def test_outdated(jobs: list[Job], retention: Retention, forgotten: list[int]) -> None:
    assert outdated(jobs, retention, NOW) == forgotten
