"""Calls for small clones as a table of Markdown: each of the proxy's, and what pg_dump and psql take for the same."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.clones.showing import Rounds, Run, copy_of, range_of
from bench.report import table

MILLI = 1e-3
NONE = "–"


def beside(name: str) -> str:
    """How the way is called in which pg_dump and psql clone what the one of this name does."""
    return f"{name}: pg_dump to psql"


def of_calls(rounds: Rounds) -> str:
    """A row for each of the proxy's calls: medians, and how many times as long pg_dump took in the same round."""
    header = ("call", "ms", "range", "pg_dump to psql: ms", "range", "times ours", "range", "copies")
    others = {beside(name) for name in rounds}
    rows = [_row(name, runs, rounds.get(beside(name), ())) for name, runs in rounds.items() if name not in others]
    return table(header, rows)


def _row(name: str, runs: Sequence[Run], others: Sequence[Run]) -> tuple[str, ...]:
    ratios = [other.taken.seconds / run.taken.seconds for run, other in zip(runs, others, strict=False)]
    ratio = (f"{median(ratios):.2f}", range_of(ratios)) if ratios else (NONE, NONE)
    return name, *_milliseconds(runs), *_milliseconds(others), *ratio, copy_of([*runs, *others])


def _milliseconds(runs: Sequence[Run]) -> tuple[str, str]:
    """The median, and the range."""
    taken = [run.taken.seconds / MILLI for run in runs]
    return (f"{median(taken):.1f}", f"{min(taken):.1f} – {max(taken):.1f}") if taken else (NONE, NONE)
