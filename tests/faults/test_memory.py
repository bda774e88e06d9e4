"""Memory does not grow with what is cloned: neither with the size of a table nor, by much, with the number of tables.

Long: gigabytes are written.  What is measured is the largest resident size that each process has had.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.stage import Stage
from tests.harness.processes import children, job_processes
from tests.harness.proxies import connect
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.long

GIGABYTES = 5
MANY = 10_000
ROW = 1 << 13
"""Bytes of a row of the large table, incompressible."""
LARGE = f"""
CREATE SCHEMA shop;
CREATE UNLOGGED TABLE shop.large (id bigint, filling text STORAGE EXTERNAL);
INSERT INTO shop.large SELECT g, repeat(md5(g::text), {ROW // 32}) FROM generate_series(1, {GIGABYTES << 30} / {ROW}) g;
ANALYZE shop.large;
"""
TABLES = """
CREATE SCHEMA IF NOT EXISTS shop;
DO $$ BEGIN FOR n IN {}..{} LOOP
  EXECUTE format('CREATE TABLE shop.t%s (id int PRIMARY KEY, name text)', n);
  EXECUTE format('INSERT INTO shop.t%s VALUES (1, ''one''), (2, ''two'')', n);
END LOOP; END $$;
"""
MEGABYTE = 1024  # in the units of /proc
LIMITS = {"proxy": 150 * MEGABYTE, "job process": 300 * MEGABYTE, "copier": 300 * MEGABYTE}


def processes(stage: Stage) -> dict[int, str]:
    """The proxy's process ids and those of its job, with what they are."""
    jobs = job_processes(stage.proxy.pid)
    copiers = [copier for job in jobs for copier in children(job)]
    return {stage.proxy.pid: "proxy", **dict.fromkeys(jobs, "job process"), **dict.fromkeys(copiers, "copier")}


def most_resident(pid: int) -> int:
    """Kilobytes so far; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def clone(stage: Stage) -> dict[str, int]:
    """Clone the schema; the most kilobytes that a process of each kind had."""
    with connect(stage.proxy, stage.target.name) as connection:
        call = "SELECT pgclone_schema_async(%s, 'shop', true, '{\"parallel\": 2}')"
        connection.execute(call, (stage.source.conninfo(),))
    most: dict[str, int] = {}

    def ended() -> bool:
        for pid, kind in processes(stage).items():
            most[kind] = max(most.get(kind, 0), most_resident(pid))
        return stage.job(1).status not in {"pending", "running"}

    wait_until(ended, 900, "the end of the job")
    print(f"  job 1: {stage.job(1)}; most resident: " + ", ".join(f"{k} {v >> 10} MB" for k, v in most.items()))
    return most


def test_memory_does_not_grow_with_a_table(stage: Stage) -> None:
    stage.source.execute(LARGE)
    most = clone(stage)
    assert stage.job(1).status == "completed"
    stage.assert_exactly()
    assert all(most[kind] < limit for kind, limit in LIMITS.items()), most


def test_memory_does_not_grow_much_with_the_number_of_tables(stage: Stage) -> None:
    for first in range(1, MANY, 1000):  # one transaction could not hold all the locks
        stage.source.execute(TABLES.format(first, first + 999))
    most = clone(stage)
    assert stage.job(1).status == "completed"
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'shop'"
    assert stage.target.rows(count) == [(MANY,)]
    assert all(most[kind] < limit for kind, limit in LIMITS.items()), most
