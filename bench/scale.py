"""Clones a schema of very many small tables, or a table of very many partitions, and says what that takes.

`python -m bench.scale tables 10000` or `python -m bench.scale partitions 2000`: seconds by phase, and the largest
resident memory of the job process and of a copier.  Nothing is asserted; it is not part of the tests.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from psycopg.conninfo import conninfo_to_dict

from bench.report import machine
from clone_engine.records.channel import Advanced, Ended, Start, decode_from_job, encode
from clone_engine.records.request import CloneRequest, Conninfo
from tests.harness.servers import Database, fresh_database, running_servers

TABLES = """
SET max_parallel_workers_per_gather = 0;
CREATE SCHEMA many;
DO $$ BEGIN FOR i IN {start} .. {end} LOOP
  EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, v text DEFAULT ''x'')', i);
  EXECUTE format('INSERT INTO many.t%s (id) SELECT generate_series(1, 10)', i);
END LOOP; END $$;
"""
PARTITIONS = """
CREATE SCHEMA many;
CREATE TABLE many.other (id int PRIMARY KEY);
CREATE TABLE many.log (id int, day int REFERENCES many.other, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE INDEX ON many.log (v);
DO $$ BEGIN FOR i IN 1 .. {count} LOOP
  EXECUTE format('CREATE TABLE many.log_%s PARTITION OF many.log FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10);
END LOOP; END $$;
INSERT INTO many.other SELECT generate_series(1, 10);
INSERT INTO many.log SELECT i, 1 + i % 10, i FROM generate_series(10, {count} * 10 + 9) i;
"""
PER_TRANSACTION = 1000
"""Tables made in one transaction: each holds locks to its end."""


@click.command()
@click.argument("what", type=click.Choice(["tables", "partitions"]))
@click.argument("count", type=int)
@click.option("--parallel", default=2)
def main(what: str, count: int, parallel: int) -> None:
    """Make the source, clone it, and print what that took."""
    with two_databases() as (source, target):
        if what == "tables":
            make_tables(source, count)
            request = CloneRequest("schema", "many")
        else:
            source.execute(PARTITIONS.format(count=count))
            request = CloneRequest("schema", "many")
        click.echo(f"{machine()}: {count} {what}, {parallel} copiers")
        measure(Start(1, request, conninfo(source), conninfo(target), parallel, "pgclone_job_1_bench"))


@contextmanager
def two_databases() -> Iterator[tuple[Database, Database]]:
    """A source and a target on servers of their own."""
    with (
        running_servers() as servers,
        fresh_database(servers.get(name="source")) as source,
        fresh_database(servers.get()) as target,
    ):
        yield source, target


def make_tables(source: Database, count: int) -> None:
    """The small tables, some at a time."""
    for start in range(1, count + 1, PER_TRANSACTION):
        script = TABLES.format(start=start, end=min(count, start + PER_TRANSACTION - 1))
        source.execute(script if start == 1 else script.replace("CREATE SCHEMA many;", ""))


def conninfo(database: Database) -> Conninfo:
    return Conninfo({k: str(v) for k, v in conninfo_to_dict(database.conninfo()).items() if v is not None})


def measure(start: Start) -> None:
    """Run one job process and print when each phase began, how it ended, and the memory of its processes."""
    began = time.monotonic()
    command = [sys.executable, "-m", "clone_engine.running.job_process"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(encode(start))
    process.stdin.flush()
    phase, peaks = "", dict[int, int]()
    for line in process.stdout:
        message = decode_from_job(line)
        for pid in family(process.pid):
            peaks[pid] = max(peaks.get(pid, 0), resident(pid))
        if isinstance(message, Advanced) and message.progress.phase != phase:
            phase = message.progress.phase
            click.echo(f"{time.monotonic() - began:8.1f} s  {phase}")
        if isinstance(message, Ended):
            click.echo(f"{time.monotonic() - began:8.1f} s  {message.status} {message.error[:500]}")
    process.wait()
    job = peaks.pop(process.pid, 0)
    click.echo(
        f"job process {job / 1024:.0f} MB, largest of its children {max(peaks.values(), default=0) / 1024:.0f} MB"
    )


def family(pid: int) -> list[int]:
    """A process and its children."""
    try:
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    except OSError:
        return []


def resident(pid: int) -> int:
    """The largest resident memory that a process has had, in kB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
