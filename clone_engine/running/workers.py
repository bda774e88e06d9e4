"""What each copier of a job does, for the rows of op_type `table` that a job with option parallel has in the view.

Pure but for the clock it is given.  How far the job as a whole is, is `progress.py`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from clone_engine.records.jobs import MAX_PCT_RUNNING, Worker
from clone_engine.records.steps import AnyStep, Copy
from clone_engine.running.progress import copied


class Workers:
    """The first `number` copiers, by their place.  What is said of others is not kept."""

    def __init__(self, number: int, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._steps: dict[int, Copy] = {}
        self._workers = [Worker() for _ in range(number)]

    def begin(self, place: int, step: AnyStep) -> None:
        """A copier begins a step: its row is that of the table whose rows it copies, or copied last."""
        if place >= len(self._workers):
            return
        if not isinstance(step, Copy):
            self._change(place, phase=step.phase)
            return
        self._steps[place] = step
        self._workers[place] = Worker(
            phase=step.phase,
            schema_name=step.table.removesuffix(f".{step.display_name}"),
            table_name=step.display_name,
            started_at=self._clock(),
            rows_total=step.estimated_rows,
            bytes_total=step.estimated_bytes,
        )

    def move(self, place: int, rows: int, size: int) -> None:
        """The copier has moved this many rows and bytes of its step so far."""
        if place in self._steps:
            pct = min(MAX_PCT_RUNNING, round(100 * copied(self._steps[place], rows, size), 1))
            self._count(place, rows, size, pct)

    def finish(self, place: int, rows: int, size: int) -> None:
        """The copier has done its step."""
        if self._steps.pop(place, None):
            self._count(place, rows, size, 100.0)
            self._change(place, phase="done", ended_at=self._clock(), rows_total=rows, bytes_total=size)
        elif place < len(self._workers):
            self._change(place, phase="done")

    def put_back(self, place: int) -> None:
        """The copier has left without having done its step."""
        if place < len(self._workers):
            self._steps.pop(place, None)
            self._workers[place] = Worker(phase="done")

    def now(self) -> tuple[Worker, ...]:
        """All of them, by place."""
        return tuple(self._workers)

    def ended(self) -> tuple[Worker, ...]:
        """All of them when the job is completed."""
        return tuple(msgspec.structs.replace(worker, phase="completed") for worker in self._workers)

    def _count(self, place: int, rows: int, size: int, pct: float) -> None:
        known = self._workers[place]
        self._change(
            place,
            rows_copied=rows,
            bytes_copied=size,
            pct_complete=pct,
            rows_total=None if known.rows_total is None else max(rows, known.rows_total),
            bytes_total=None if known.bytes_total is None else max(size, known.bytes_total),
        )

    def _change(self, place: int, **changes: object) -> None:
        self._workers[place] = msgspec.structs.replace(self._workers[place], **changes)
