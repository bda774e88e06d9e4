"""Which step of a clone may run next: the graph of `after`, the relations that `holds` names, and first of all what the
longest way to the end begins with.

Pure: no sockets, no clock.  Who runs the steps, and what becomes of them, is `foreman.py`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Final

import msgspec

from clone_engine.records.steps import AnyStep, Copy
from clone_engine.running.costs import cost

MOST: Final = 64
"""Steps that are done at once: more bring nothing, hold more locks, and are more to do again if one fails."""


class Schedule:
    """The steps that are still to be done.  `start` hands them out, several small ones at once, `finish` frees those
    that waited for one, `reopen` takes it back.

    ValueError if two steps have one key, if a step waits for one that does not exist, or if steps wait in a circle.
    """

    def __init__(self, steps: Sequence[AnyStep], done: Collection[str] = ()) -> None:
        self._steps = {step.key: step for step in steps}
        self._order = {key: place for place, key in enumerate(self._steps)}
        self._followers: defaultdict[str, list[str]] = defaultdict(list)
        self._missing: Counter[str] = Counter()
        self._ready: list[tuple[float, int, str]] = []
        self._held: set[str] = set()
        self._running: set[str] = set()
        self._left = {key for key in self._steps if key not in done}
        self._check(steps)
        self._ways = _ways(self._steps)
        for key in self._left:
            self._link(key)

    def __repr__(self) -> str:
        return f"<Schedule {len(self._left)} left, {len(self._running)} running, {len(self._ready)} ready>"

    @property
    def complete(self) -> bool:
        """Whether every step is done."""
        return not self._left

    def start(self, copiers: int = 1) -> tuple[AnyStep, ...]:
        """The step that may run now with the longest way to the end (of equal ones the earliest of the plan); none if
        there is none.

        If that may be done with others, so many of those that come next and may, too, as leave the other `copiers`
        their share.
        """
        most = min(MOST, -(-len(self._ready) // copiers))
        found: list[AnyStep] = []
        passed = []
        while self._ready and (not found or len(found) < most):
            entry = heappop(self._ready)
            step = self._steps[entry[2]]
            if found and not _together(found[0], step):
                passed.append(entry)
                break
            if self._held.isdisjoint(step.holds):
                self._running.add(step.key)
                self._held.update(step.holds)
                found.append(step)
            else:
                passed.append(entry)
        for entry in passed:
            heappush(self._ready, entry)
        return tuple(found)

    def apart(self, keys: Iterable[str]) -> None:
        """These are done alone from now on."""
        for key in keys:
            self._steps[key] = msgspec.structs.replace(self._steps[key], small=False)

    def finish(self, key: str) -> None:
        """The step is done: what it holds is free, and what waited for it alone is ready."""
        self._release(key)
        self._left.discard(key)
        for follower in self._followers.pop(key, ()):
            self._missing[follower] -= 1
            if not self._missing[follower]:
                self._offer(follower)

    def put_back(self, key: str) -> None:
        """The step that was started has not been done and may be started again."""
        self._release(key)
        self._link(key)

    def reopen(self, keys: Collection[str]) -> None:
        """Steps that were done are not done any more: what waits for one of them waits again."""
        self._left.update(keys)
        self._followers.clear()
        self._ready.clear()
        for key in self._left - self._running:
            self._link(key)

    @property
    def left(self) -> Iterator[AnyStep]:
        """The steps that are not done."""
        return (self._steps[key] for key in self._left)

    def _release(self, key: str) -> None:
        self._running.remove(key)
        self._held.difference_update(self._steps[key].holds)

    def _link(self, key: str) -> None:
        waits_for = {other for other in self._steps[key].after if other in self._left}
        self._missing[key] = len(waits_for)
        for other in waits_for:
            self._followers[other].append(key)
        if not waits_for:
            self._offer(key)

    def _offer(self, key: str) -> None:
        heappush(self._ready, (-self._ways[key], self._order[key], key))

    def _check(self, steps: Sequence[AnyStep]) -> None:
        if len(self._steps) != len(steps):
            raise ValueError("two steps of the plan have the same key")
        for step in self._steps.values():
            if unknown := [key for key in step.after if key not in self._steps]:
                raise ValueError(f"step {step.key} waits for {unknown[0]}, which is not in the plan")
        if circle := self._steps.keys() - set(_in_order(self._steps)):
            raise ValueError(f"steps wait for each other: {', '.join(sorted(circle))}")


def _together(first: AnyStep, step: AnyStep) -> bool:
    """Whether both may be done in one transaction, one behind the other."""
    if not (first.small and step.small and type(first) is type(step)):
        return False
    return not (isinstance(first, Copy) and isinstance(step, Copy)) or first.replica == step.replica


def _ways(steps: dict[str, AnyStep]) -> dict[str, float]:
    """What each step and all that can only follow it one behind the other cost, at the most."""
    ways = dict.fromkeys(steps, 0.0)  # first of what follows alone
    for key in reversed(_in_order(steps)):
        ways[key] += cost(steps[key])
        for other in steps[key].after:
            ways[other] = max(ways[other], ways[key])
    return ways


def _in_order(steps: dict[str, AnyStep]) -> list[str]:
    """The keys, each behind those that it waits for; without those that (or whose forerunners) wait for each other."""
    missing = {key: len(set(step.after)) for key, step in steps.items()}
    followers: defaultdict[str, list[str]] = defaultdict(list)
    for key, step in steps.items():
        for other in set(step.after):
            followers[other].append(key)
    reached = [key for key, count in missing.items() if not count]
    for key in reached:  # grows while it is walked
        for follower in followers[key]:
            missing[follower] -= 1
            if not missing[follower]:
                reached.append(follower)
    return reached
