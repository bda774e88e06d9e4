"""What a clone takes: time, and of each group of processes the time on processors and the memory."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench.processes import processor_seconds

LOOK = 0.2
"""Seconds between two looks at the memory."""


class Taken(NamedTuple):
    """By one run."""

    seconds: float
    processor: Mapping[str, float]
    """Seconds, by group."""
    memory: Mapping[str, int]
    """Most bytes that a group has had, beside files, at a time, as far as was seen; shared ones count once."""


def measured(run: Callable[[], None], groups: Mapping[str, int]) -> Taken:
    """What `run` takes; `groups` are processes by name, each with all that have come from it, but for those of other
    groups; of this process only those that have come from it."""
    with _Watching(groups) as watching:
        before = {name: _processor(pid, groups) for name, pid in groups.items()}
        since = time.monotonic()
        run()
        seconds = time.monotonic() - since
        processor = {name: _processor(pid, groups) - before[name] for name, pid in groups.items()}
    return Taken(seconds, processor, dict(watching.most))


class _Watching:
    """Looks at the groups' memory again and again."""

    def __init__(self, groups: Mapping[str, int]) -> None:
        self.most: defaultdict[str, int] = defaultdict(int)
        self._groups = groups
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            children = _children()
            for name, pid in self._groups.items():
                own = sum(map(_own_bytes, _all_of(pid, children, self._groups.values())))
                self.most[name] = max(self.most[name], own)
            if self._over.wait(LOOK):
                return


def _processor(pid: int, groups: Mapping[str, int]) -> float:
    """Seconds of the processor that a process and all that have come from it have used."""
    used = sum(os.times()[2:4]) if pid == os.getpid() else 0.0  # of children that have ended
    for one in _all_of(pid, _children(), groups.values()):
        with suppress(OSError):  # it has ended: its parent knows what it has used
            used += processor_seconds(one)
    return used


def _all_of(pid: int, children: Mapping[int, list[int]], others: Collection[int]) -> Iterator[int]:
    """A process, unless it is this one, and all that have come from it, but for the groups of the others."""
    if pid != os.getpid():
        yield pid
    for child in children.get(pid, ()):
        if child not in others:
            yield from _all_of(child, children, others)


def _children() -> Mapping[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
                found[int(parent)].append(int(place.name))
    return found


def _own_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0
