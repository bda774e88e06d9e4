"""Runs as tables of Markdown and as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from bench.clones.measuring import Taken
from bench.report import table

GIGA = 1e9
CPU = ("CPU s: clients", "source", "target")


class Run(NamedTuple):
    """One clone by one way."""

    way: str
    taken: Taken
    lacking: Sequence[str]
    """What the copy lacks, or has otherwise; or why there is none."""
    waits: Sequence[int] = ()
    """Of each connection to a source behind a wire, how often it waited for an answer."""
    failed: bool = False
    """Whether it was given up, so that its time says nothing."""


Rounds = Mapping[str, Sequence[Run]]
"""The runs of each way, by name."""


def raw(run: Run) -> str:
    """A run as one line of JSON."""
    taken = run.taken
    return json.dumps(
        {
            "way": run.way,
            "seconds": round(taken.seconds, 5),
            "processor": {name: round(seconds, 2) for name, seconds in taken.processor.items()},
            "memory": taken.memory,
            "lacking": list(run.lacking),
            **({"waits": list(run.waits)} if run.waits else {}),
        }
    )


def compared(rounds: Rounds, size: int) -> str:
    """The ways as `of_ways` has them, and what ours uses for each of the gigabytes that `size` bytes are."""
    first, *_ = rounds.values()
    used = _per_gigabyte(first, size)
    return f"{of_ways(rounds)}\nOurs used {used} s of the processor for each GB of {size / GIGA:.2f} GB of tables.\n"


def of_ways(rounds: Rounds) -> str:
    """A row for each way: medians, and the ratio of its time to the first one's of the same round, with its range."""
    first, *_ = rounds.values()
    header = ("way", "seconds", "range", "times ours", "range", *CPU, "MB: clients", "copy")
    return table(header, [_row(name, runs, first) for name, runs in rounds.items()])


def of_table(rounds: Rounds, size: int, text: int) -> str:
    """The ways as `of_ways` has them; then what the processor did for each GB of the table, which has `size` bytes on
    disk and `text` bytes as COPY writes them."""
    header = ("CPU s", "clients", "for each GB on disk", "for each GB of text")
    rows = [
        (name, f"{_used(runs):.2f}", _per_gigabyte(runs, size), _per_gigabyte(runs, text))
        for name, runs in rounds.items()
    ]
    sizes = f"{size / GIGA:.2f} GB on disk, {text / GIGA:.2f} GB of text"
    return f"{of_ways(rounds)}\n{sizes}:\n\n{table(header, rows)}"


def _row(name: str, runs: Sequence[Run], first: Sequence[Run]) -> tuple[str, ...]:
    seconds = [run.taken.seconds for run in runs]
    ratios = [one.taken.seconds / ours.taken.seconds for one, ours in zip(runs, first, strict=True)]
    groups = ("clients", "source", "target")
    cpu = [f"{median(run.taken.processor[group] for run in runs):.1f}" for group in groups]
    memory = max(run.taken.memory["clients"] for run in runs) / 1e6
    return (
        name,
        f"{median(seconds):.2f}",
        range_of(seconds),
        f"{median(ratios):.2f}",
        range_of(ratios),
        *cpu,
        f"{memory:.0f}",
        copy_of(runs),
    )


def copy_of(runs: Sequence[Run]) -> str:
    """Whether every copy was complete; if not, what is wrong with one."""
    if failed := sum(1 for run in runs if run.failed):
        return f"{failed} of {len(runs)} failed"
    lacking = max((run.lacking for run in runs), key=len)
    return f"{len(lacking)} differences" if lacking else "complete"


def range_of(values: Sequence[float]) -> str:
    """The least and the most of them."""
    return f"{min(values):.2f} – {max(values):.2f}"


def _per_gigabyte(runs: Sequence[Run], size: int) -> str:
    return f"{_used(runs) / (size / GIGA):.2f}"


def _used(runs: Sequence[Run]) -> float:
    """Seconds of the processor that the tools took."""
    return median(run.taken.processor["clients"] for run in runs)
