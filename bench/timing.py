"""Two ways to run a statement, timed in turns, so that whatever else the machine does falls on both alike.

Beside the time that passes, the time that the processes at work were running: load by others changes that little.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

BLOCK = 10
"""Runs of one way before the other's turn: so many that caches are warm, so few that load is shared."""


class Way(NamedTuple):
    """What runs a statement once, and the processes that work on it: a server's backend, and perhaps a proxy."""

    run: Callable[[], None]
    backend: int
    proxy: int = 0


class Figures(NamedTuple):
    """Microseconds of one way, for one run; of the processes the mean."""

    median: float
    p90: float
    backend: float
    proxy: float


class Pair(NamedTuple):
    """The figures of two ways to do the same."""

    first: Figures
    second: Figures

    @property
    def ratio(self) -> float:
        """How many times the first's median the second's is."""
        return self.second.median / self.first.median


def in_turns(first: Way, second: Way, times: int) -> Pair:
    """Run both `times` times, in blocks, after one block each that does not count."""
    blocks = range(max(1, times // BLOCK))
    for way in (first, second):
        _Samples(way).block()
    samples = (_Samples(first), _Samples(second))
    gc.disable()  # the client's garbage is not what is measured
    try:
        for _ in blocks:
            for each in samples:
                each.block()
    finally:
        gc.enable()
    return Pair(*(each.figures() for each in samples))


class _Samples:
    def __init__(self, way: Way) -> None:
        self._way = way
        self._wall: list[float] = []
        self._cpu = [0.0, 0.0]

    def block(self) -> None:
        way = self._way
        before = _cpu(way.backend), _cpu(way.proxy)
        for _ in range(BLOCK):
            begun = time.perf_counter()
            way.run()
            self._wall.append((time.perf_counter() - begun) * 1e6)
        for i, pid in enumerate((way.backend, way.proxy)):
            self._cpu[i] += _cpu(pid) - before[i]

    def figures(self) -> Figures:
        backend, proxy = (used / len(self._wall) for used in self._cpu)
        return Figures(median(self._wall), quantiles(self._wall, n=10)[-1], backend, proxy)


def _cpu(pid: int) -> float:
    """Microseconds for which a process's main thread was on a processor; 0 where nobody says."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000
    except OSError:
        return 0.0
