"""Clones from a source that is far away: `python -m bench.clones.far`.

One large table, by one copier and by several; or (--tables) very many small ones, beside pg_dump and psql.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from bench.clones.far_showing import of_large, of_small
from bench.clones.scenes import (
    heading,
    in_turns,
    installation,
    make_source,
    run_once,
    scene,
    size_of_source,
    state,
    written,
)
from bench.clones.ways import LEDGER, LEDGER_ROW, SCHEMA, Scene, Way, call, piped
from proxy.embedded import SUPERUSER

COPIERS = (1, 2, 4)


@click.command()
@click.option("--size", default=1.0, help="Gigabytes of the one large table.")
@click.option("--tables", default=0, help="So many small tables instead.")
@click.option("--runs", default=3, help="How often each way has its turn.")
@click.option("--copiers", multiple=True, default=COPIERS, help="With how many to clone; may be given several times.")
@click.option("--round-trip", default=50.0, help="Milliseconds to the source and back.")
@click.option("--rate", default=40.0, help="Megabytes a second of each connection to the source; 0 is no limit.")
@click.option("--postgres", "major", default=0, help="The servers' major version (default: the newest there is).")
@click.option("--write", type=click.Path(path_type=Path), help="A file for the table; raw figures go beside.")
def main(
    size: float,
    tables: int,
    runs: int,
    copiers: tuple[int, ...],
    round_trip: float,
    rate: float,
    major: int,
    write: Path | None,
) -> None:
    """Clone from a source that is far away."""
    with scene(installation(major), 0, length=(round_trip, rate)) as here:
        directory = Path(__file__).parent
        if tables:
            make_source(here, directory / "small.sql", SUPERUSER, schema=SCHEMA, tables=tables, indexed=False)
            found = [*_ours(copiers, "pgclone_schema", SCHEMA, True), Way("pg_dump to psql", piped)]
        else:
            make_source(here, directory / "ledger.sql", SUPERUSER, rows=round(size * 1e9 / LEDGER_ROW))
            found = list(_ours(copiers, "pgclone_table", SCHEMA, LEDGER, True, None))
        made = size_of_source(here)
        wanted = state(here.at_source)
        rounds = in_turns(found, runs, lambda way: run_once(here, way, wanted))
        what = f"{tables} tables" if tables else f"a table of {made / 1e9:.2f} GB"
        wire = f"{round_trip:g} ms to the source and back, {rate:g} MB/s each connection"
        shown = of_small(rounds, tables) if tables else of_large(rounds, made)
        written(f"{heading(here, runs, what, wire)}\n\n{shown}", rounds, write)


def _ours(copiers: Iterable[int], function: str, *between: str | bool | None) -> Iterator[Way]:
    """One of the proxy's functions, called as `call` does, by each number of copiers."""
    for jobs in copiers:

        def run(here: Scene, jobs: int = jobs) -> None:
            call(here._replace(jobs=jobs), function, *between)

        yield Way(f"{function}, parallel {jobs}", run)


if __name__ == "__main__":
    main()
