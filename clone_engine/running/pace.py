"""How fast a job is, and when it will be through: rates over the last seconds.

Pure: the caller gives the time, of a clock that is never set.
"""

from __future__ import annotations

from collections import deque
from typing import Final

ROWS_WINDOW: Final = 5.0
"""Seconds over which rows are averaged: shorter ones show the bursts in which chunks come."""
WORK_WINDOW: Final = 30.0
"""Seconds over which work is averaged: what is left takes as long as a mixture of the steps before."""
SHORTEST: Final = 1.0
"""Seconds behind which an average is worth showing."""
LONGEST: Final = 100 * 86_400.0
"""Seconds beyond which nobody can say what is left."""


class Window:
    """The rate of something that grows, over the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, float]] = deque()

    def note(self, now: float, value: float) -> None:
        """It is `value` now."""
        self._seen.append((now, value))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._seconds:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """How much more it gets each second, never less than 0; None if that is not known yet."""
        if not self._seen:
            return None
        (began, before), (ended, after) = self._seen[0], self._seen[-1]
        if ended - began < SHORTEST:
            return None
        return max(0.0, (after - before) / (ended - began))


class Pace:
    """Of one job.  `note` it as often as progress is shown."""

    def __init__(self) -> None:
        self._rows = Window(ROWS_WINDOW)
        self._work = Window(WORK_WINDOW)

    def note(self, now: float, rows: int, work: float) -> None:
        """So many rows have been copied, and so much of all work, a share of 1, is done."""
        self._rows.note(now, rows)
        self._work.note(now, work)
        self._left = 1.0 - work

    @property
    def rows_per_second(self) -> float | None:
        """None if it is not known yet."""
        rate = self._rows.rate
        return None if rate is None else round(rate, 1)

    @property
    def seconds_left(self) -> float | None:
        """None if nothing has moved for a while, so that nobody can say."""
        rate = self._work.rate
        if not rate or (left := max(0.0, self._left / rate)) > LONGEST:
            return None
        return round(left, 1)
