"""Job records: which state may follow which, and the texts that SQL users see."""

from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest

from clone_engine.records.jobs import FINISHED, RESUMABLE, TRANSITIONS, Job, Progress, Status, Worker
from clone_engine.records.request import CloneRequest, Conninfo
from clone_engine.records.shown import (
    elapsed_text,
    eta,
    listed_json,
    notice_json,
    progress_bar,
    progress_json,
    timestamp,
    view_row,
    worker_jobs,
)
from proxy.calls.signatures import VIEW_COLUMNS

PENDING = Job(1, "alice", "app", CloneRequest("schema", "sales"), Conninfo({}), submitted_at=1000.0)
RUNNING = PENDING.to(
    "running",
    started_at=1001.5,
    progress=Progress("copying data", "orders", 12, 5, 450_000, 2**33, 60.0, 900_000, 2**34, 50_000.5, 30.0),
)
FAILED = RUNNING.to("failed", ended_at=1010.0, error='duplicate key "x"', sqlstate="23505")


def test_states() -> None:
    assert TRANSITIONS.keys() == set(get_args(Status))
    assert {"completed", "failed", "cancelled"} == FINISHED
    assert RESUMABLE < FINISHED


@pytest.mark.parametrize("before", get_args(Status))
@pytest.mark.parametrize("after", get_args(Status))
def test_only_the_table_decides_what_follows(before: Status, after: Status) -> None:
    job = Job(1, "alice", "app", PENDING.request, PENDING.source, status=before)
    if after in TRANSITIONS[before]:
        assert job.to(after).status == after
    else:
        with pytest.raises(ValueError, match=f"job 1: {before} cannot become {after}"):
            job.to(after)


@pytest.mark.parametrize(
    ("pct", "bar"),
    [
        (0.0, "[░░░░░░░░░░░░░░░░░░░░] 0.0% | 7 rows | 00:00:03 elapsed"),
        (4.9, "[░░░░░░░░░░░░░░░░░░░░] 4.9% | 7 rows | 00:00:03 elapsed"),
        (5.0, "[█░░░░░░░░░░░░░░░░░░░] 5.0% | 7 rows | 00:00:03 elapsed"),
        (50.0, "[██████████░░░░░░░░░░] 50.0% | 7 rows | 00:00:03 elapsed"),
        (60.0, "[████████████░░░░░░░░] 60.0% | 7 rows | 00:00:03 elapsed"),
        (99.9, "[███████████████████░] 99.9% | 7 rows | 00:00:03 elapsed"),
        (100.0, "[████████████████████] 100.0% | 7 rows | 00:00:03 elapsed"),
    ],
)
def test_bar(pct: float, bar: str) -> None:
    assert progress_bar(pct, 7, "00:00:03") == bar


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "00:00:00"), (999, "00:00:00"), (1000, "00:00:01"), (510_000, "00:08:30"), (360_000_000, "100:00:00")],
)
def test_elapsed_text(milliseconds: int, text: str) -> None:
    assert elapsed_text(milliseconds) == text


def test_elapsed_time() -> None:
    assert PENDING.elapsed_ms(2000.0) == 0
    assert RUNNING.elapsed_ms(1010.0) == 8500
    assert RUNNING.elapsed_ms(900.0) == 0  # the clock was set back
    assert FAILED.elapsed_ms(5000.0) == 8500


def test_timestamp() -> None:
    assert timestamp(None) is None
    assert timestamp(0.0) == "1970-01-01T00:00:00.000000+00:00"
    assert timestamp(1_700_000_000.25) == "2023-11-14T22:13:20.250000+00:00"


def test_row_of_the_view() -> None:
    row = view_row(RUNNING, 1010.0)
    assert list(row) == [name for name, _ in VIEW_COLUMNS]
    assert list(row.values()) == [
        1, "running", "schema", "sales", "", "copying data", "orders", 12, 5, 450_000, 2**33, 8500,
        "1970-01-01T00:16:41.500000+00:00", None, None, 60.0,
        "[████████████░░░░░░░░] 60.0% | 450000 rows | 00:00:08 elapsed", "00:00:08",
        "alice", "app", 900_000, 2**34, 50_000.5, "1970-01-01T00:17:20.000000+00:00",
    ]  # fmt: skip
    row = view_row(FAILED, 5000.0)
    assert (row["end_time"], row["error_message"]) == ("1970-01-01T00:16:50.000000+00:00", 'duplicate key "x"')
    row = view_row(PENDING, 5000.0)
    assert (row["start_time"], row["elapsed_ms"], row["pct_complete"], row["current_phase"]) == (None, 0, 0.0, "")
    assert [row[name] for name in ("rows_total", "bytes_total", "rows_per_second", "eta")] == [None] * 4


def test_a_job_that_has_ended_has_an_average_and_no_end_to_come() -> None:
    row = view_row(FAILED, 5000.0)
    assert (row["rows_per_second"], row["eta"]) == (round(450_000 / 8.5, 1), None)
    at_once = msgspec.structs.replace(FAILED, ended_at=FAILED.started_at)
    assert view_row(at_once, 5000.0)["rows_per_second"] is None


def test_the_end_to_come_is_never_past_whatever_the_clock_is_set_to() -> None:
    for now in (0.0, 1010.0, 10.0**9):
        assert eta(RUNNING, now) == now + 30.0


def test_workers_are_jobs_of_their_tables() -> None:
    worker = Worker("copying data", "sales", "orders", 10, 90, 12.5, 80, 700, 1005.0)
    progress = msgspec.structs.replace(RUNNING.progress, workers=(worker, Worker("creating indexes")))
    job = msgspec.structs.replace(RUNNING, job_id=5, progress=progress)
    assert list(job.numbers) == [5, 6, 7]
    first, second = (view_row(each, 1010.0) for each in worker_jobs(job))
    assert list(first.values()) == [
        6, "running", "table", "sales", "orders", "copying data", "orders", 1, 0, 10, 90, 5000,
        "1970-01-01T00:16:45.000000+00:00", None, None, 12.5,
        "[██░░░░░░░░░░░░░░░░░░] 12.5% | 10 rows | 00:00:05 elapsed", "00:00:05",
        "alice", "app", 80, 700, None, None,
    ]  # fmt: skip
    assert (second["job_id"], second["table_name"], second["tables_total"], second["start_time"]) == (7, "", 0, None)
    assert list(worker_jobs(job.to("completed", ended_at=1010.0)))[1].status == "completed"
    assert list(worker_jobs(job.to("failed", ended_at=1010.0))) == []
    assert [list(worker_jobs(each)) for each in worker_jobs(job)] == [[], []]


def test_progress_text() -> None:
    ours = (
        '"pct_complete": 60.0, "bytes_copied": 8589934592, "rows_total": 900000, "bytes_total": 17179869184, '
        '"rows_per_second": '
    )
    common = '"tables_completed": 5, "tables_total": 12, "rows_copied": 450000, "current_table": "orders"'
    assert progress_json(RUNNING, 1010.0) == (
        f'{{"job_id": 1, "status": "running", "phase": "copying data", {common}, "elapsed_ms": 8500, '
        f'{ours}50000.5, "eta": "1970-01-01T00:17:20.000000+00:00"}}'
    )
    failed = f'{common}, "error": "duplicate key \\"x\\"", "elapsed_ms": 8500, {ours}52941.2}}'
    assert progress_json(FAILED, 0).endswith(failed)
    assert "elapsed_ms" not in json.loads(progress_json(PENDING, 0))


def test_what_listeners_are_told() -> None:
    assert json.loads(notice_json(PENDING)) == {
        "job_id": 1, "status": "pending", "op_type": "schema", "schema": "sales", "table": "", "owner": "alice",
        "pct_complete": 0.0, "rows_copied": 0,
    }  # fmt: skip
    told = json.loads(notice_json(msgspec.structs.replace(FAILED, resumed_from=7)))
    assert (told["status"], told["sqlstate"], told["resumed_from"]) == ("failed", "23505", 7)
    assert "duplicate key" not in notice_json(FAILED)  # an error can quote values, and everybody may listen


def test_what_listeners_are_told_fits_whatever_the_names() -> None:
    name = "\N{OLD ITALIC LETTER A}" * 63
    job = Job(2**31, name, name, CloneRequest("database_create", name, name), PENDING.source, sqlstate="XX000")
    assert notice_json(job).isascii() and len(notice_json(job)) < 8000


def test_listed_text() -> None:
    assert listed_json(PENDING) == (
        '{"job_id": 1, "status": "pending", "schema": "sales", "table": "", "phase": "", '
        '"tables_completed": 0, "tables_total": 0}'
    )
