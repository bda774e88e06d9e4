"""Runs the benchmark: tables on standard output, and in the file that is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from bench.cases import ACCIDENTS, CASES, Case, Stage
from bench.parses import PARSERS, REPEATED, alone, counts
from bench.report import machine, pair, table
from bench.stage import JOBS, Ways, stages
from bench.timing import in_turns

STAGES: dict[Stage, str] = {
    "few": "one job",
    "many": "1,000 finished jobs",
    "busy": "1,000 finished jobs, one running, some pending",
}

UNITS = "Microseconds: median (ninth decile) of the time that passes, then the mean of what processes used of it.\n"


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(JOBS)), help="Only these sets of jobs.")
@click.option("--write", type=click.Path(path_type=Path), help="A file for the tables.")
def main(only: tuple[Stage, ...], write: Path | None) -> None:
    """Time statements directly and through the proxy, in turns."""
    parts = [_told(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n\n{UNITS}")]
    with stages(frozenset(only or JOBS)) as ways:
        for stage, title in STAGES.items():
            if stage in ways:
                parts.append(_told(f"### With {title}\n\n{_compared(ways[stage], stage)}"))
        if "few" in ways:
            parts.append(_told(f"### Hits of the byte filter by accident\n\n{_accidents(ways['few'])}"))
    if "few" in ways:
        header = (f"of {REPEATED} statements", *PARSERS.values())
        parts.append(_told(f"### How often statements are parsed\n\n{table(header, counts())}"))
        steps = table(("one step alone", "microseconds"), alone())
        parts.append(_told(f"### What the filter costs by itself\n\n{steps}"))
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text("\n".join(parts), encoding="utf-8")


def _told(text: str) -> str:
    click.echo(text)
    return text


def _compared(ways: Ways, stage: Stage) -> str:
    cases = [case for case in CASES if case.stage == stage]
    rows = [pair(case.title, in_turns(ways.directly(case), ways.through(case), case.times)) for case in cases]
    return table(("statement", "direct", "proxy", "ratio", "direct: server", "proxy: server", "proxy: proxy"), rows)


def _accidents(ways: Ways) -> str:
    rows = []
    for title, miss, hit, how in ACCIDENTS:
        other, same = (ways.through(Case(title, sql, how)) for sql in (miss, hit))
        rows.append(pair(title, in_turns(other, same, 1000)))
    return table(("both through the proxy", "miss", "hit", "ratio", "miss: server", "hit: server", "hit: proxy"), rows)


if __name__ == "__main__":
    main()
