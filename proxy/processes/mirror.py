"""The records of all jobs in a process that has no manager: as the first process tells of them.

Pure.  They are complete once the process is ready, and an action's answer comes behind the changes that it has made.
"""

from __future__ import annotations

from collections.abc import Collection

from clone_engine.records.jobs import Job


class Mirror:
    """A copy of the manager's records (calls.snapshot.Records)."""

    def __init__(self) -> None:
        self.version = 0
        self._jobs: dict[int, Job] = {}  # in order of their ids, as they are told

    def __repr__(self) -> str:
        return f"<Mirror of {len(self._jobs)} jobs>"

    @property
    def jobs(self) -> Collection[Job]:
        """The records in order of their ids."""
        return self._jobs.values()

    def show(self, job: Job) -> None:
        """A record is new, or in the place of an earlier one."""
        self._jobs[job.job_id] = job
        self.version += 1

    def forget(self, job_id: int) -> None:
        """A record is gone."""
        self._jobs.pop(job_id, None)
        self.version += 1
