"""What a fault test has before it: a source, a target, a proxy, a schema with a gate in it, and hands on all processes.

The gate is a CHECK constraint: on the target, the COPY of the schema's big table halts in the middle until it is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.faults.arithmetic import assert_exactly
from tests.harness.processes import children, job_processes
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

GATE_ROW = 20_000
SCHEMA = """
CREATE SCHEMA {0};
CREATE FUNCTION {0}.gate() RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN FOR n IN 1..600 LOOP
  EXIT WHEN current_database() NOT LIKE ''target%'' OR EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = ''open gate'');
  PERFORM pg_sleep(0.1); PERFORM pg_stat_clear_snapshot(); END LOOP; RETURN true; END';
CREATE TABLE {0}.small (id int PRIMARY KEY, name text);
CREATE TABLE {0}.big (id int, small int REFERENCES {0}.small, filling text, CHECK (id <> {1} OR {0}.gate()));
INSERT INTO {0}.small SELECT g, 'name ' || g FROM generate_series(0, 999) g;
INSERT INTO {0}.big SELECT g, g % 1000, repeat(md5(g::text), 54) FROM generate_series(1, {2}) g;
CREATE INDEX big_small ON {0}.big (small);
ANALYZE {0}.small, {0}.big;
"""
IN_PARTS = 40_000
"""Rows of the big table that make parts of it with two copiers."""
WHOLE = 21_000
JOBS = "application_name LIKE 'pgclone: job %'"


class Told(NamedTuple):
    """What the view tells of a job."""

    job_id: int
    status: str
    message: str


class Stage:
    """Clones of schemas from `source` to `target` through `proxy`, asked for by `role`.  Prints what happens, for
    `make test-faults`."""

    def __init__(self, source: Database, target: Database, proxy: ProxyProcess, role: str = SUPERUSER) -> None:
        self.role = role
        self.source = source
        self.target = target
        self.proxy = proxy

    def clone(self, schema: str = "shop", rows: int = IN_PARTS, more: str = "") -> int:
        """Make the schema, and `more`, and start its clone with two copiers; the job's number."""
        self.source.execute(SCHEMA.format(schema, GATE_ROW, rows) + more)
        return self._call(
            "SELECT pgclone_schema_async(%s, %s, true, '{\"parallel\": 2}')", self.source.conninfo(), schema
        )

    def resume(self, job_id: int) -> int:
        """The number of the job that goes on."""
        return self._call("SELECT pgclone_resume(%s)", job_id)

    def _call(self, query: str, *arguments: object) -> int:
        with connect(self.proxy, self.target.name, user=self.role) as connection:
            row = connection.execute(query.encode(), arguments).fetchone()
        assert row
        return int(row[0])

    def jobs(self) -> list[Told]:
        """All jobs that are no copiers, by number."""
        query = "SELECT job_id, status, error_message FROM pgclone_jobs_view WHERE op_type <> 'table' ORDER BY 1"
        with connect(self.proxy, self.target.name) as connection:
            return [Told(*row) for row in connection.execute(query.encode()).fetchall()]

    def job(self, job_id: int) -> Told:
        return next(job for job in self.jobs() if job.job_id == job_id)

    def ended(self, job_id: int) -> Told:
        """What a job tells when it is over."""
        wait_until(lambda: self.job(job_id).status not in {"pending", "running"}, 90, f"the end of job {job_id}")
        told = self.job(job_id)
        print(f"  job {job_id}: {told.status} {told.message or ''}")
        return told

    def until_at_gates(self, schemas: int = 1) -> None:
        """Until a COPY into so many schemas halts at their gates."""
        asleep = f"SELECT count(*) FROM pg_stat_activity WHERE {JOBS} AND wait_event = 'PgSleep'"
        wait_until(lambda: self.target.value(asleep) >= schemas, 60, "the copies to be at the gate")

    @contextmanager
    def gate_open(self) -> Iterator[None]:
        with self.target.connect(application_name="open gate"):
            yield

    def job_process(self) -> int:
        """The process id of the one job that runs."""
        (pid,) = job_processes(self.proxy.pid)
        return pid

    def copier_at_gate(self) -> int:
        """The process id of the copier whose COPY halts, which is the one whose connection the target's backend has."""
        port = self.target.value(f"SELECT client_port FROM pg_stat_activity WHERE {JOBS} AND wait_event = 'PgSleep'")
        return next(pid for pid in children(self.job_process()) if _has_port(pid, port))

    def assert_exactly(self, *schemas: str) -> None:
        """Each row is there once, and nobody is left on the servers, nor a journal."""
        for schema in schemas or ("shop",):
            assert_exactly(self.source, self.target, schema)
        left = f"SELECT count(*) FROM pg_stat_activity WHERE {JOBS} AND datname = current_database()"
        for database in (self.source, self.target):
            wait_until(lambda database=database: database.value(left) == 0, 20, "the jobs' backends to be gone")
        assert self.target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone_job%'") == []

    def copied_by(self, schema: str = "shop") -> set[str]:
        """The transactions that brought the rows: the same later means that nothing was copied again."""
        query = "SELECT DISTINCT xmin::text FROM {}.{}"
        return {xid for table in ("small", "big") for (xid,) in self.target.rows(query.format(schema, table))}


def _has_port(pid: int, port: int) -> bool:
    inodes = {fd.readlink().name for fd in Path(f"/proc/{pid}/fd").iterdir() if "socket:" in str(fd.readlink())}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(line[1].split(":")[1], 16) == port and f"socket:[{line[9]}]" in inodes for line in lines)
