"""What SQL users are shown of a job: rows of the jobs view, and texts that hold JSON.

Pure: no clock.  The formats are those of the original extension, with ours behind them; which functions return them is
the proxy's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from clone_engine.records.jobs import FINISHED, Job, Progress, Status
from clone_engine.records.request import CloneRequest

SHOW_WORKERS: frozenset[Status] = frozenset({"running", "completed"})
"""States in which the copiers of a job are shown: what they did for one that ended otherwise may be undone."""
MORE_OF_PROGRESS = ("pct_complete", "bytes_copied", "rows_total", "bytes_total", "rows_per_second", "eta")
"""The columns of the view that the text of pgclone_progress(id) has behind the original's keys."""
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
