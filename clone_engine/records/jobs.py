"""A job's record, the states it can be in, and the texts that describe it to SQL users.

Pure: no clock, no store, no process.  `TRANSITIONS` is the only place that says which state may follow which;
the manager is the only writer of records.  Formats follow the reference of the original extension
(columns of the jobs view, JSON of progress and jobs).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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


SHOW_WORKERS: frozenset[Status] = frozenset({"running", "completed"})
"""States in which the copiers of a job are shown: what they did for one that ended otherwise may be undone."""
MORE_OF_PROGRESS = ("pct_complete", "bytes_copied", "rows_total", "bytes_total", "rows_per_second", "eta")
"""The columns of the view that the text of pgclone_progress(id) has behind the original's keys."""
MAX_PCT_RUNNING = 99.9
"""100 is for completed jobs: until the last step is committed something may still go wrong."""
BAR_CELLS = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def progress_bar(pct: float, rows: int, elapsed: str, full: str = "█", empty: str = "░") -> str:
    """The bar of the jobs view: 20 cells, percentage with one decimal, rows and elapsed time."""
    filled = min(BAR_CELLS, int(pct / 100 * BAR_CELLS))
    return f"[{full * filled}{empty * (BAR_CELLS - filled)}] {pct:.1f}% | {rows} rows | {elapsed} elapsed"


def elapsed_text(elapsed_ms: int) -> str:
    """HH:MM:SS; hours may exceed 99."""
    seconds = elapsed_ms // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def worker_jobs(job: Job) -> Iterator[Job]:
    """The copiers of a job that was asked to use several, each as a job of the table that it is on, or was on last."""
    if job.status not in SHOW_WORKERS:
        return
    for number, worker in zip(job.numbers[1:], job.progress.workers, strict=True):
        yield msgspec.structs.replace(
            job,
            job_id=number,
            request=CloneRequest("table", worker.schema_name, worker.table_name),
            started_at=worker.started_at,
            ended_at=worker.ended_at,
            progress=Progress(
                phase=worker.phase,
                current_table=worker.table_name,
                tables_total=1 if worker.table_name else 0,
                tables_completed=0 if worker.ended_at is None else 1,
                rows_copied=worker.rows_copied,
                bytes_copied=worker.bytes_copied,
                pct_complete=worker.pct_complete,
                rows_total=worker.rows_total,
                bytes_total=worker.bytes_total,
            ),
        )


def view_row(job: Job, now: float) -> dict[str, Any]:
    """The columns of the jobs view, by name and in order: the original's 18, then ours.  Times are ISO 8601 in UTC, or
    None."""
    p, elapsed_ms = job.progress, job.elapsed_ms(now)
    elapsed = elapsed_text(elapsed_ms)
    return {
        "job_id": job.job_id,
        "status": job.status,
        "op_type": job.request.kind,
        "schema_name": job.request.schema_name,
        "table_name": job.request.table_name,
        "current_phase": p.phase,
        "current_table": p.current_table,
        "tables_total": p.tables_total,
        "tables_completed": p.tables_completed,
        "rows_copied": p.rows_copied,
        "bytes_copied": p.bytes_copied,
        "elapsed_ms": elapsed_ms,
        "start_time": timestamp(job.started_at),
        "end_time": timestamp(job.ended_at),
        "error_message": job.error or None,
        "pct_complete": p.pct_complete,
        "progress_bar": progress_bar(p.pct_complete, p.rows_copied, elapsed),
        "elapsed_time": elapsed,
        "owner": job.owner,
        "database": job.database,
        "rows_total": p.rows_total,
        "bytes_total": p.bytes_total,
        "rows_per_second": rows_per_second(job, elapsed_ms),
        "eta": timestamp(eta(job, now)),
    }


def rows_per_second(job: Job, elapsed_ms: int) -> float | None:
    """Over the last seconds while the job runs, over all of its time when it has ended; None if unknown."""
    if job.status not in FINISHED:
        return job.progress.rows_per_second
    return round(job.progress.rows_copied * 1000 / elapsed_ms, 1) if elapsed_ms else None


def eta(job: Job, now: float) -> float | None:
    """When the job will probably end: never in the past, and None unless it runs and that can be told."""
    left = job.progress.seconds_left
    return None if job.status != "running" or left is None else now + left


def timestamp(seconds: float | None) -> str | None:
    """`seconds` since the epoch as ISO 8601 with microseconds in UTC; None stays None."""
    return None if seconds is None else (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def progress_json(job: Job, now: float) -> str:
    """The text of pgclone_progress(id): one line of JSON with the original's keys, in its order, then ours; what is
    unknown is not in it."""
    p = job.progress
    out: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.status,
        "phase": p.phase,
        "tables_completed": p.tables_completed,
        "tables_total": p.tables_total,
        "rows_copied": p.rows_copied,
        "current_table": p.current_table,
    }
    if job.status == "failed":
        out["error"] = job.error
    if job.started_at is not None:
        out["elapsed_ms"] = job.elapsed_ms(now)
    row = view_row(job, now)
    out |= {key: row[key] for key in MORE_OF_PROGRESS if row[key] is not None}
    return json.dumps(out, ensure_ascii=False)


def listed_json(job: Job) -> str:
    """What the text of pgclone_jobs() says of a job: one object of its array."""
    out = {
        "job_id": job.job_id,
        "status": job.status,
        "schema": job.request.schema_name,
        "table": job.request.table_name,
        "phase": job.progress.phase,
        "tables_completed": job.progress.tables_completed,
        "tables_total": job.progress.tables_total,
    }
    return json.dumps(out, ensure_ascii=False)


def notice_json(job: Job) -> str:
    """What is said of a job on the channel pgclone_jobs when it comes to a state: one line of JSON in ASCII.

    Every role of the database may listen, so an error is its SQLSTATE: the text may quote values.  Names are limited,
    and so the line is far shorter than the 8000 bytes that a payload may have.
    """
    out: dict[str, Any] = {
        "job_id": job.job_id,
        "status": job.status,
        "op_type": job.request.kind,
        "schema": job.request.schema_name,
        "table": job.request.table_name,
        "owner": job.owner,
        "pct_complete": job.progress.pct_complete,
        "rows_copied": job.progress.rows_copied,
    }
    if job.sqlstate:
        out["sqlstate"] = job.sqlstate
    if job.resumed_from:
        out["resumed_from"] = job.resumed_from
    return json.dumps(out)
