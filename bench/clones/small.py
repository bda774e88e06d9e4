"""Clones of what is small, end to end through the proxy: `python -m bench.clones.small`.

A table of 100 rows, a schema of ten of these, and how soon the number of a job is there, beside pg_dump and psql; or
(--tables) very many such tables at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import psycopg

from bench.clones.measuring import Taken
from bench.clones.scenes import (
    catching,
    empty_target,
    execute,
    heading,
    in_turns,
    installation,
    make_source,
    run_once,
    run_script,
    scene,
    state,
    written,
)
from bench.clones.showing import Run, of_ways
from bench.clones.small_showing import beside, of_calls
from bench.clones.ways import SCHEMA, TARGET, Scene, Way, ask, ours, piped
from proxy.agreement import SchemaState, differences, schema_contents
from proxy.embedded import SUPERUSER

SCRIPT = Path(__file__).with_name("small.sql")
TABLE, TABLES = "t1", 1000
"""The one that is cloned, and how many there are in its schema."""
FEW, TEN = "few", 10
"""The small schema, and its tables."""
JOBS = "SELECT job_id FROM pgclone_jobs_view WHERE status IN ('pending', 'running')"
LIMIT, LOOK = 30.0, 0.02
"""Seconds until a job must be over, and between two looks whether it is."""
RUNS, RUNS_OF_MANY = 9, 1


class Case(NamedTuple):
    """What is cloned in which way: some tables of one schema."""

    way: Way
    schema: str
    wanted: SchemaState
    """Their rows; definitions are not looked at."""


@click.command()
@click.option("--runs", default=0, help=f"How often each way has its turn ({RUNS}; with --tables {RUNS_OF_MANY}).")
@click.option("--tables", default=0, help="So many small tables in one schema instead, each with one more index.")
@click.option("--copiers", default=2, help="With how many to clone these.")
@click.option("--postgres", "major", default=0, help="The servers' major version (default: the newest there is).")
@click.option("--write", type=click.Path(path_type=Path), help="A file for the table; raw figures go beside.")
def main(runs: int, tables: int, copiers: int, major: int, write: Path | None) -> None:
    """Clone what is small."""
    with scene(installation(major), copiers) as here:
        if tables:
            _many(here, tables, runs or RUNS_OF_MANY, write)
        else:
            _small(here, runs or RUNS, write)


def _many(here: Scene, tables: int, runs: int, write: Path | None) -> None:
    """All of a schema of many tables, each time into an empty database; all of each copy is checked."""
    make_source(here, SCRIPT, SUPERUSER, schema=SCHEMA, tables=tables, indexed=True)
    wanted = state(here.at_source)
    found = [Way(f"pgclone_schema, parallel {here.jobs}", ours), Way("pg_dump to psql", piped)]
    rounds = in_turns(found, runs, lambda way: run_once(here, way, wanted))
    what = f"{len(wanted.tables):,} tables, {sum(one.rows for one in wanted.tables.values()):,} rows"
    written(f"{heading(here, runs, what)}\n\n{of_ways(rounds)}", rounds, write)


def _small(here: Scene, runs: int, write: Path | None) -> None:
    """One table or ten, again and again into one database; the rows of each copy are checked."""
    make_source(here, SCRIPT, SUPERUSER, schema=SCHEMA, tables=TABLES, indexed=False)
    run_script(here, SCRIPT, SUPERUSER, schema=FEW, tables=TEN, indexed=False)
    empty_target(here)
    # As psql sends its statements: text, in one message.
    driver = psycopg.connect(here.through_proxy, autocommit=True, cursor_factory=psycopg.ClientCursor)
    with driver as connection:
        cases = {case.way.name: case for case in _cases(here, connection)}
        for case in cases.values():
            _run_once(here, connection, case)  # does not count: programs and catalogues are read for the first time
        found = [case.way for case in cases.values()]
        rounds = in_turns(found, runs, lambda way: _run_once(here, connection, cases[way.name]))
    what = f"a source of {TABLES:,} tables", "a connection that is open already"
    written(f"{heading(here, runs, *what)}\n\n{of_calls(rounds)}", rounds, write)


def _cases(here: Scene, connection: psycopg.Connection) -> Iterator[Case]:
    table = SchemaState("", {TABLE: schema_contents(here.at_source, SCHEMA)[TABLE]}, {})
    ten = _rows(here.at_source, FEW)

    def through(name: str, function: str, *arguments: str | bool) -> Way:
        return Way(name, lambda here: _answered(connection, function, here.of_source, *arguments))

    def dumped(name: str, what: str) -> Way:
        return Way(beside(name), lambda here: piped(here, what))

    one, few = "pgclone_table of 100 rows", f"pgclone_schema of {TEN} tables"
    yield Case(through(one, "pgclone_table", SCHEMA, TABLE, True), SCHEMA, table)
    yield Case(dumped(one, f"--table={SCHEMA}.{TABLE}"), SCHEMA, table)
    yield Case(through(few, "pgclone_schema", FEW, True), FEW, ten)
    yield Case(dumped(few, f"--schema={FEW}"), FEW, ten)
    number = "pgclone_table_async, until the job's number"
    yield Case(through(number, "pgclone_table_async", SCHEMA, TABLE, True), SCHEMA, table)


def _answered(connection: psycopg.Connection, function: str, *arguments: str | bool) -> None:
    ask(connection, function, *arguments)


def _run_once(here: Scene, connection: psycopg.Connection, case: Case) -> Run:
    """Clone, look at the copy when no job is at work any more, and remove it.  RuntimeError if a job does not end."""
    execute(here.target, TARGET, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")  # which a dump of one table lacks
    failure: list[str] = []
    run = catching(lambda: case.way.run(here), failure)
    since = time.perf_counter()
    run()
    taken = Taken(time.perf_counter() - since, {}, {})
    _wait_for_jobs(connection)
    lacking = failure or differences(case.wanted, _rows(here.target.conninfo(TARGET), case.schema))
    execute(here.target, TARGET, f"DROP SCHEMA {case.schema} CASCADE")
    return Run(case.way.name, taken, lacking, failed=bool(failure))


def _wait_for_jobs(connection: psycopg.Connection) -> None:
    deadline = time.monotonic() + LIMIT
    while connection.execute(JOBS.encode()).fetchone():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a job is not over after {LIMIT:g} s")
        time.sleep(LOOK)


def _rows(conninfo: str, schema: str) -> SchemaState:
    return SchemaState("", schema_contents(conninfo, schema), {})


if __name__ == "__main__":
    main()
