"""Which finished jobs are forgotten without being asked to: the oldest, when there are too many or they are too old.

Pure.  The manager asks at its start, whenever a job has ended and now and then, and forgets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import msgspec

from clone_engine.records.jobs import FINISHED, Job

DAY = 86_400.0


class Retention(msgspec.Struct, frozen=True):
    """Until when a finished job is kept; 0 is no limit."""

    count: int = 0
    """As long as no more than so many of its owner have ended after it: nobody's jobs push out another's."""
    days: float = 0.0
    """Since it ended."""


def outdated(jobs: Collection[Job], retention: Retention, now: float) -> list[int]:
    """The numbers of the jobs to forget.

    Never one that has not finished, that the proxy is yet to go on with, or that another one goes on from which may
    still need what it has left on the target.
    """
    finished = [job for job in jobs if job.status in FINISHED and not job.to_go_on]
    finished.sort(key=lambda job: (job.ended_at or 0.0, job.job_id), reverse=True)
    most = retention.count or len(finished)
    oldest = now - retention.days * DAY if retention.days else float("-inf")
    later: Counter[str] = Counter()
    old = set()
    for job in finished:
        if later[job.owner] >= most or (job.ended_at or 0.0) < oldest:
            old.add(job.job_id)
        later[job.owner] += 1
    return sorted(old - _needed({job.job_id: job for job in jobs}, old)) if old else []


def _needed(jobs: dict[int, Job], forgotten: Collection[int]) -> set[int]:
    """The jobs that those go on from which are kept and may yet be at work."""
    resumed = {job.resumed_from for job in jobs.values()}
    kept = [job for job in jobs.values() if job.job_id not in forgotten and job.status != "completed"]
    return {number for job in kept if job.job_id not in resumed for number in _chain(jobs, job)}


def _chain(jobs: dict[int, Job], job: Job) -> Iterator[int]:
    while earlier := jobs.get(job.resumed_from):
        yield earlier.job_id
        job = earlier
