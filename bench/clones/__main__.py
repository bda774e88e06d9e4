"""Clones the same schema by all ways in turns, checks every copy, and prints what each way takes.

Or (--table) one large table, in each format of COPY.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from bench.clones.scenes import (
    heading,
    in_turns,
    installation,
    make_source,
    run_once,
    scene,
    size_of_source,
    state,
    text_of_source,
    written,
)
from bench.clones.showing import compared, of_table
from bench.clones.timeline import Watching, as_svg, as_text
from bench.clones.ways import LEDGER, LEDGER_ROW, OWNER, TARGET, Scene, Way, table_ways, ways
from proxy.agreement import SchemaState
from proxy.embedded import SUPERUSER

HERE = Path(__file__).parent


@click.command()
@click.option("--scale", default=1.0, help="How much data: 1 is 7.3 million rows, 1.2 GB.")
@click.option("--runs", default=5, help="How often each way has its turn.")
@click.option("--jobs", default=2, help="Copiers, or what others call so.")
@click.option("--only", multiple=True, help="Only the ways whose names hold this; ours is always there.")
@click.option("--table", "gigabytes", default=0.0, help="One table of so many GB instead, in each format of COPY.")
@click.option("--ordinary", is_flag=True, help="All write as an ordinary role, the owner of the target database.")
@click.option("--postgres", "major", default=0, help="The servers' major version (default: the newest there is).")
@click.option("--write", type=click.Path(path_type=Path), help="A file for the tables; the rest goes beside.")
def main(
    scale: float,
    runs: int,
    jobs: int,
    only: tuple[str, ...],
    gigabytes: float,
    ordinary: bool,
    major: int,
    write: Path | None,
) -> None:
    """Compare ways to clone."""
    with scene(installation(major), jobs, OWNER if ordinary else SUPERUSER) as here:
        if gigabytes:
            # By the role that clones: the schema of a table that is cloned by itself becomes its own.
            make_source(here, HERE / "ledger.sql", here.role, rows=round(gigabytes * 1e9 / LEDGER_ROW))
        else:
            make_source(here, HERE / "data.sql", OWNER, scale=scale)
        size = size_of_source(here)
        found = _wanted(list(table_ways(LEDGER) if gigabytes else ways(here)), only)
        click.echo(f"{size / 1e9:.2f} GB; ways: {', '.join(way.name for way in found)}", err=True)
        wanted = state(here.at_source)
        rounds = in_turns(found, runs, lambda way: run_once(here, way, wanted))
        if write:
            _write_timelines(here, found, wanted, write)
        shown = of_table(rounds, size, text_of_source(here, LEDGER)) if gigabytes else compared(rounds, size)
        written(f"{heading(here, runs, f'{jobs} copiers')}\n\n{shown}", rounds, write)


def _write_timelines(scene: Scene, found: list[Way], wanted: SchemaState, write: Path) -> None:
    """Of one more run of each way, which does not count: being watched takes time."""
    write.parent.mkdir(parents=True, exist_ok=True)
    for way in found:
        with Watching(scene.target.conninfo(), TARGET) as watching:
            run_once(scene, way, wanted)
        name = re.sub(r"\W+", "-", way.name).strip("-")
        write.with_name(f"{write.stem}-{name}.txt").write_text(as_text(watching.spans), encoding="utf-8")
        write.with_name(f"{write.stem}-{name}.svg").write_text(as_svg(watching.spans), encoding="utf-8")


def _wanted(found: list[Way], only: tuple[str, ...]) -> list[Way]:
    first, *others = found
    return [first, *(way for way in others if not only or any(part in way.name for part in only))]


if __name__ == "__main__":
    main()
