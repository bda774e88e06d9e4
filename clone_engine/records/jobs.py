"""A job's record and the states it can be in.

Pure: no clock, no store, no process.  `TRANSITIONS` is the only place that says which state may follow which;
the manager is the only writer of records.  What SQL users are shown of one is `shown.py`'s.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from clone_engine.records.request import CloneRequest, Conninfo

Status = Literal["pending", "running", "completed", "failed", "cancelled"]

TRANSITIONS: dict[Status, frozenset[Status]] = {
    "pending": frozenset({"running", "failed", "cancelled"}),
    "running": frozenset({"completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}
FINISHED: frozenset[Status] = frozenset(s for s, following in TRANSITIONS.items() if not following)
RESUMABLE: frozenset[Status] = frozenset({"failed", "cancelled"})
MAX_PCT_RUNNING = 99.9
"""100 is for completed jobs: until the last step is committed something may still go wrong."""


class Worker(msgspec.Struct, frozen=True):
    """What one copier of a job does: the rows of which table, or of which part of it, and how far it is with those."""

    phase: str = ""
    schema_name: str = ""
    table_name: str = ""
    """The table whose rows it copies, or copied last; '' for none yet."""
    rows_copied: int = 0
    bytes_copied: int = 0
    pct_complete: float = 0.0
    rows_total: int | None = None
    bytes_total: int | None = None
    started_at: float | None = None
    ended_at: float | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a job is.  Rows and bytes are those copied so far; `pct_complete` is 0 to 100."""

    phase: str = ""
    current_table: str = ""
    tables_total: int = 0
    tables_completed: int = 0
    rows_copied: int = 0
    bytes_copied: int = 0
    pct_complete: float = 0.0
    rows_total: int | None = None
    """How many rows it will be: an estimate, never less than are copied, and exact when all are; None if unknown."""
    bytes_total: int | None = None
    """The same of bytes: the size of tables on the source, until their rows are copied."""
    rows_per_second: float | None = None
    """Over the last seconds; None if unknown."""
    seconds_left: float | None = None
    """When this was said; None if unknown."""
    workers: tuple[Worker, ...] = ()
    """Of a job that was asked to use several copiers."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of one object: `object` as `kind name`, `result`, and for the last two the server's words."""

    object: str
    result: Literal["done", "skipped", "failed"]
    sqlstate: str = ""
    message: str = ""


class Job(msgspec.Struct, frozen=True):
    """Everything that is known of a job, without any secret.  Times are seconds since the epoch, or None."""

    job_id: int
    owner: str
    """The role that the target server authenticated."""
    database: str
    request: CloneRequest
    source: Conninfo
    """The source conninfo without its secrets."""
    source_had_secret: bool = False
    """Whether the caller's conninfo held a secret, which is not in here."""
    status: Status = "pending"
    progress: Progress = Progress()
    submitted_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    sqlstate: str = ""
    error: str = ""
    resumed_from: int = 0
    """The job that this one goes on from; 0 if none."""
    to_go_on: bool = False
    """Whether the proxy is to go on with it by itself when it starts again."""
    crashes: int = 0
    """How many crashes of the proxy in a row interrupted it and those that it goes on from while they ran, with nothing
    done in between."""

    @property
    def name_on_target(self) -> str:
        """What the job calls the things that it makes for itself on the target.

        Not by its id alone: another proxy, with a store of its own, may run a job of the same id on the same target.
        """
        told_apart = f"{self.submitted_at!r} {self.owner} {self.database} {self.source.parameters}"
        return f"pgclone_job_{self.job_id}_{hashlib.sha256(told_apart.encode()).hexdigest()[:8]}"

    def to(self, status: Status, **changes: Any) -> Job:
        """This record in another state, with other changes.  ValueError if the table does not allow it."""
        if status not in TRANSITIONS[self.status]:
            raise ValueError(f"job {self.job_id}: {self.status} cannot become {status}")
        return msgspec.structs.replace(self, status=status, **changes)

    @property
    def numbers(self) -> range:
        """The job's number, and those of its copiers."""
        return range(self.job_id, self.job_id + 1 + len(self.progress.workers))

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds from start to end, or to `now` while it runs; 0 before it started.  Never negative."""
        if self.started_at is None:
            return 0
        return max(0, int(((self.ended_at if self.ended_at is not None else now) - self.started_at) * 1000))
