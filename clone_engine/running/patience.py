"""How long a job tries again what fails for a lost connection: the arithmetic of the pauses.

Pure: no clock.  What is worth another try is told by `servers.server_error`; `foreman.py` and `connections.py` wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

TRIES: Final = 5
"""After the first.  A bound in number too: a step that brings its server down must not do so for ever."""
GROWTH: Final = 3
"""How many times as long as the one before each pause is."""
FIRST_LOOK: Final = 0.1
LONGEST_LOOK: Final = 2.0
"""Seconds between two attempts to connect to a server that does not answer."""


class Patience:
    """Of one job, which tries again for about `seconds` what was lost; not at all if that is 0."""

    def __init__(self, seconds: float) -> None:
        self._first = seconds * (GROWTH - 1) / (GROWTH**TRIES - 1)
        self._losses: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Patience with {len(self._losses)} steps, {sum(self._losses.values())} losses>"

    def pause(self, key: str) -> float | None:
        """The seconds until what has this key may be tried once more; None when that was tried often enough."""
        self._losses[key] += 1
        if not self._first or self._losses[key] > TRIES:
            return None
        return float(self._first * GROWTH ** (self._losses[key] - 1))


def looks() -> Iterator[float]:
    """The pauses between attempts to connect to a server that does not answer: short ones first."""
    pause = FIRST_LOOK
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_LOOK)
