"""The figures as tables of Markdown, which read well in a terminal too."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence

from bench.timing import Figures, Pair


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], rule, *lines[1:])) + "\n"


def pair(title: str, figures: Pair) -> tuple[str, ...]:
    """A row of one comparison: medians with the ninth deciles, their ratio, and what the processes used."""
    first, second = figures
    cpu = (f"{first.backend:.0f}", f"{second.backend:.0f}", f"{second.proxy:.0f}")
    return title, _shown(first), _shown(second), f"{figures.ratio:.2f}", *cpu


def machine() -> str:
    """The kind of machine that this is."""
    python = f"Python {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} processors, {platform.system()}, {python}, load {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    found = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines()
    named = [line.partition(":")[2].strip() for line in found if line.startswith("Model name")]
    return named[0] if named else platform.machine()


def _shown(figures: Figures) -> str:
    return f"{figures.median:.0f} ({figures.p90:.0f})"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]) + " |"
