"""How far a job is: from steps that begin, move rows and finish, to the Progress record that users see.

Pure: no clock.  Numbers come from the plan's estimates and from what was really moved; the percentage never falls and
stays below 100 until the job has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from clone_engine.records.jobs import MAX_PCT_RUNNING, Progress
from clone_engine.records.steps import AnyStep, Copy

NEARLY = 0.99
"""The largest share of a step that has not ended: estimates may be too small."""


class Account:
    """The counts of one job.  Steps in `done` (of an earlier job) count as finished, without rows."""

    def __init__(self, steps: Iterable[AnyStep], tables: Collection[str], done: Collection[str] = ()) -> None:
        self._steps = {step.key: step for step in steps}
        by_bytes = any(isinstance(step, Copy) and step.estimated_bytes for step in self._steps.values())
        self._units = {key: _units(step, by_bytes) for key, step in self._steps.items()}
        self._all_units = sum(self._units.values()) or 1
        self._finished_units = 0
        self._parts_left = Counter(step.table for step in self._steps.values() if isinstance(step, Copy))
        self._without_parts = len(set(tables) - self._parts_left.keys())  # structure only: complete when the job is
        self._tables = set(tables) | self._parts_left.keys()
        self._running: dict[str, tuple[int, int]] = {}
        self._rows = self._bytes = 0
        self._counts: dict[str, tuple[int, int]] = {}
        self._most_rows = self._most_bytes = 0
        self._most_pct = 0.0
        self._phase = self._table = ""
        for key in done:
            self._count(key)

    def begin(self, key: str) -> None:
        """A step runs."""
        self._running[key] = (0, 0)
        self._show()

    def move(self, key: str, rows: int, size: int) -> None:
        """The step has moved this many rows and bytes so far."""
        self._running[key] = (rows, size)

    def finish(self, key: str, rows: int, size: int) -> bool:
        """The step is done, with these final counts.  Whether it completes its table."""
        self._running.pop(key, None)
        self._rows += rows
        self._bytes += size
        self._counts[key] = (rows, size)
        completes = self._count(key)
        self._show()
        return completes

    def put_back(self, key: str) -> None:
        """The step has not been done after all; what it moved does not count."""
        self._running.pop(key, None)
        self._show()

    def reopen(self, key: str) -> None:
        """The step was finished, and is not any more: it and what it moved count no longer."""
        rows, size = self._counts.pop(key)
        self._rows -= rows
        self._bytes -= size
        self._finished_units -= self._units[key]
        if isinstance(step := self._steps[key], Copy):
            self._parts_left[step.table] += 1

    def progress(self) -> Progress:
        """How far the job is now."""
        moved_rows = self._rows + sum(rows for rows, _ in self._running.values())
        moved_bytes = self._bytes + sum(size for _, size in self._running.values())
        self._most_rows = max(self._most_rows, moved_rows)
        self._most_bytes = max(self._most_bytes, moved_bytes)
        self._most_pct = max(self._most_pct, min(MAX_PCT_RUNNING, self._pct()))
        left = sum(1 for count in self._parts_left.values() if count)
        return Progress(
            phase=self._phase,
            current_table=self._table,
            tables_total=len(self._tables),
            tables_completed=len(self._tables) - left - self._without_parts,
            rows_copied=self._most_rows,
            bytes_copied=self._most_bytes,
            pct_complete=round(self._most_pct, 1),
        )

    def ended(self) -> Progress:
        """The progress of a job that has completed: exact counts, 100 %."""
        return Progress(
            phase="completed",
            current_table=self._table,
            tables_total=len(self._tables),
            tables_completed=len(self._tables),
            rows_copied=self._rows,
            bytes_copied=self._bytes,
            pct_complete=100.0,
        )

    def _count(self, key: str) -> bool:
        step = self._steps[key]
        self._finished_units += self._units[key]
        if not isinstance(step, Copy):
            return False
        self._parts_left[step.table] -= 1
        return not self._parts_left[step.table]

    def _pct(self) -> float:
        running = sum(self._units[key] * self._share(key, *moved) for key, moved in self._running.items())
        return 100 * (self._finished_units + running) / self._all_units

    def _share(self, key: str, rows: int, size: int) -> float:
        """The share of a running step that is done.  Rows are the better measure: text is longer than pages."""
        step = self._steps[key]
        if not isinstance(step, Copy):
            return 0.0
        if step.estimated_rows:
            return min(NEARLY, rows / step.estimated_rows)
        return min(NEARLY, size / step.estimated_bytes) if step.estimated_bytes else 0.0

    def _show(self) -> None:
        """The phase and table that users see: of data that flows if any does, else of the step begun last."""
        running = [self._steps[key] for key in self._running]
        copies = [step for step in running if isinstance(step, Copy)]
        if copies:
            self._table = copies[-1].display_name
        if shown := (copies or running):
            self._phase = shown[-1].phase


def _units(step: AnyStep, by_bytes: bool) -> int:
    """What a step weighs in the percentage: bytes of data where there are any, else every step the same."""
    if not by_bytes:
        return 1
    return max(1, step.estimated_bytes) if isinstance(step, Copy) else 0
