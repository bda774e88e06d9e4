"""Runs from a source that is far away, as tables of Markdown: one large table, or many small ones."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.clones.showing import GIGA, Rounds, Run, copy_of, range_of
from bench.report import table

MEGA = 1e6
ROUND_TRIPS = "round trips: connections", "sum", "most of one"
"""Connections to the source, how often all of them waited for an answer there, and the one that did so most often.
What makes a connection is one more."""


def of_large(rounds: Rounds, size: int) -> str:
    """A row for each way: medians, and what it gains on the first one's run of the same round, with its range."""
    first, *_ = rounds.values()
    cpu = ("CPU s/GB: clients", "source", "target", "wire")
    header = ("way", "seconds", "range", "MB/s", "gain", "range", *cpu, *ROUND_TRIPS, "MB: clients", "copy")
    return table(header, [_large(name, runs, first, size) for name, runs in rounds.items()])


def of_small(rounds: Rounds, tables: int) -> str:
    """A row for each way: medians; the tables are the same for all."""
    cpu = ("CPU s: clients", "source", "target")
    header = ("way", "seconds", "range", "s for 1,000 tables", *cpu, *ROUND_TRIPS, "MB: clients", "copy")
    return table(header, [_small(name, runs, tables) for name, runs in rounds.items()])


def _large(name: str, runs: Sequence[Run], first: Sequence[Run], size: int) -> tuple[str, ...]:
    seconds = [run.taken.seconds for run in runs]
    gains = [one.taken.seconds / run.taken.seconds for one, run in zip(first, runs, strict=True)]
    cpu = [f"{_processor(runs, group) / (size / GIGA):.2f}" for group in ("clients", "source", "target", "wire")]
    rate = size / MEGA / median(seconds)
    gain = (f"{median(gains):.2f}", range_of(gains))
    return name, f"{median(seconds):.2f}", range_of(seconds), f"{rate:.1f}", *gain, *cpu, *_last(runs)


def _small(name: str, runs: Sequence[Run], tables: int) -> tuple[str, ...]:
    seconds = [run.taken.seconds for run in runs]
    cpu = [f"{_processor(runs, group):.1f}" for group in ("clients", "source", "target")]
    each = median(seconds) / tables * 1000
    return name, f"{median(seconds):.2f}", range_of(seconds), f"{each:.2f}", *cpu, *_last(runs)


def _last(runs: Sequence[Run]) -> tuple[str, ...]:
    waits = runs[-1].waits or (0,)
    memory = max(run.taken.memory["clients"] for run in runs) / MEGA
    return str(len(waits)), str(sum(waits)), str(max(waits)), f"{memory:.0f}", copy_of(runs)


def _processor(runs: Sequence[Run], group: str) -> float:
    return median(run.taken.processor[group] for run in runs)
