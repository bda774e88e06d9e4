"""How far a job is: from steps that begin, move rows and finish, to the Progress record that users see.

Pure: no clock.  Numbers come from the plan's estimates and from what was really moved; the percentage never falls and
stays below 100 until the job has ended.  How fast it goes is `pace.py`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from clone_engine.records.jobs import MAX_PCT_RUNNING, Progress
from clone_engine.records.steps import AnyStep, Copy, LargeObjects
from clone_engine.running.costs import cost

NEARLY = 0.99
"""The largest share of a step that has not ended: estimates may be too small."""


class Expected:
    """How much is still to come, of steps of which it was estimated, and how many there are of which it is unknown."""

    def __init__(self) -> None:
        self.known = 0
        self.unknown = 0

    def add(self, estimate: int | None, sign: int = 1) -> None:
        """Count a step, or with sign -1 do so no longer."""
        if estimate is None:
            self.unknown += sign
        else:
            self.known += sign * estimate

    def total(self, done: int, under_way: Iterable[tuple[int | None, int]], least: int) -> int | None:
        """The whole, with what is `done` and the steps under way (what was estimated of each, and what it has moved);
        at least `least`.  None if it is unknown."""
        if self.unknown:
            return None
        more = sum(max(0, moved - estimate) for estimate, moved in under_way if estimate is not None)
        return max(least, done + self.known + more)


class Account:
    """The counts of one job.  Steps in `done` (of an earlier job) count as finished, without rows."""

    def __init__(self, steps: Iterable[AnyStep], tables: Collection[str], done: Collection[str] = ()) -> None:
        self._steps = {step.key: step for step in steps}
        self._all_cost = sum(map(cost, self._steps.values())) or 1.0
        self._finished_cost = 0.0
        self._parts_left = Counter(step.table for step in self._steps.values() if isinstance(step, Copy))
        self._without_parts = len(set(tables) - self._parts_left.keys())  # structure only: complete when the job is
        self._tables = set(tables) | self._parts_left.keys()
        self._running: dict[str, tuple[int, int]] = {}
        self._built: dict[str, float] = {}
        self._rows_to_come, self._bytes_to_come = Expected(), Expected()
        self._rows = self._bytes = 0
        self._counts: dict[str, tuple[int, int]] = {}
        self._most_rows = self._most_bytes = 0
        self._most_work = 0.0
        self._phase = self._table = ""
        for step in self._steps.values():
            self._expect(step, 1)
        for key in done:
            self._count(key)

    def begin(self, key: str) -> None:
        """A step runs."""
        self._running[key] = (0, 0)
        self._show()

    def move(self, key: str, rows: int, size: int) -> None:
        """The step has moved this many rows and bytes so far."""
        self._running[key] = (rows, size)

    def build(self, key: str, share: float) -> None:
        """The server says that this share of what the step builds is done."""
        if key in self._running:
            self._built[key] = share

    def finish(self, key: str, rows: int, size: int) -> bool:
        """The step is done, with these final counts.  Whether it completes its table."""
        self._leave(key)
        self._rows += rows
        self._bytes += size
        self._counts[key] = (rows, size)
        completes = self._count(key)
        self._show()
        return completes

    def put_back(self, key: str) -> None:
        """The step has not been done after all; what it moved does not count."""
        self._leave(key)
        self._show()

    def reopen(self, key: str) -> None:
        """The step was finished, and is not any more: it and what it moved count no longer."""
        step = self._steps[key]
        rows, size = self._counts.pop(key)
        self._rows -= rows
        self._bytes -= size
        self._finished_cost -= cost(step)
        self._expect(step, 1)
        if isinstance(step, Copy):
            self._parts_left[step.table] += 1

    @property
    def work(self) -> float:
        """The share of all work that is done, from 0 to 1.  It never falls."""
        running = sum(cost(self._steps[key]) * self._share(key, *moved) for key, moved in self._running.items())
        self._most_work = max(self._most_work, min(1.0, (self._finished_cost + running) / self._all_cost))
        return self._most_work

    def progress(self) -> Progress:
        """How far the job is now."""
        moved = self._running.values()
        self._most_rows = max(self._most_rows, self._rows + sum(rows for rows, _ in moved))
        self._most_bytes = max(self._most_bytes, self._bytes + sum(size for _, size in moved))
        under_way = [(self._steps[key], *each) for key, each in self._running.items()]
        rows = [(_rows_of(step), rows) for step, rows, _ in under_way]
        sizes = [(_bytes_of(step), size) for step, _, size in under_way]
        left = sum(1 for count in self._parts_left.values() if count)
        return Progress(
            phase=self._phase,
            current_table=self._table,
            tables_total=len(self._tables),
            tables_completed=len(self._tables) - left - self._without_parts,
            rows_copied=self._most_rows,
            bytes_copied=self._most_bytes,
            pct_complete=round(min(MAX_PCT_RUNNING, 100 * self.work), 1),
            rows_total=self._rows_to_come.total(self._rows, rows, self._most_rows),
            bytes_total=self._bytes_to_come.total(self._bytes, sizes, self._most_bytes),
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
            rows_total=self._rows,
            bytes_total=self._bytes,
        )

    def _leave(self, key: str) -> None:
        self._running.pop(key, None)
        self._built.pop(key, None)

    def _expect(self, step: AnyStep, sign: int) -> None:
        self._rows_to_come.add(_rows_of(step), sign)
        self._bytes_to_come.add(_bytes_of(step), sign)

    def _count(self, key: str) -> bool:
        step = self._steps[key]
        self._finished_cost += cost(step)
        self._expect(step, -1)
        if not isinstance(step, Copy):
            return False
        self._parts_left[step.table] -= 1
        return not self._parts_left[step.table]

    def _share(self, key: str, rows: int, size: int) -> float:
        """The share of a running step that is done."""
        step = self._steps[key]
        share = copied(step, rows, size) if isinstance(step, Copy) else self._built.get(key, 0.0)
        return min(NEARLY, share)

    def _show(self) -> None:
        """The phase and table that users see: of data that flows if any does, else of the step begun last."""
        running = [self._steps[key] for key in self._running]
        copies = [step for step in running if isinstance(step, Copy)]
        if copies:
            self._table = copies[-1].display_name
        if shown := (copies or running):
            self._phase = shown[-1].phase


def copied(step: Copy, rows: int, size: int) -> float:
    """The share of a table's rows, or of its part's, that is copied, as far as it was estimated; it may pass 1.

    Rows are the better measure: text is longer than pages.
    """
    if step.estimated_rows:
        return rows / step.estimated_rows
    return size / step.weight if step.weight else 0.0


def _rows_of(step: AnyStep) -> int | None:
    """How many rows it is expected to copy; None if that is unknown."""
    return step.estimated_rows if isinstance(step, Copy) else 0


def _bytes_of(step: AnyStep) -> int | None:
    """How many bytes it is expected to copy; None if that is unknown."""
    if isinstance(step, LargeObjects):
        return None
    return step.estimated_bytes if isinstance(step, Copy) else 0
