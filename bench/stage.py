"""Where the statements run: one server, a proxy for each set of jobs, and a database of stand-ins for each.

The jobs are made through the store's own interface, before the proxy starts.  Everything listens on loopback only and
is gone at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import pq
from psycopg.pq import abc

from bench.cases import SCHEMA, Case, Stage
from bench.timing import Way
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.jobs import Job, Progress
from clone_engine.records.request import CloneRequest, Conninfo
from proxy.embedded import SUPERUSER, Server
from proxy.installations import newest, private_directory
from proxy.launch import ProxyProcess, Sections

JOBS: dict[Stage, int] = {"few": 1, "many": 1000, "busy": 1000}
HELD = "CREATE SCHEMA held; CREATE TABLE held.t (a int)"
HOLD = "LOCK TABLE held.t"
"""A job that clones the schema waits for this lock for as long as it is wanted."""
STAND_INS = Path(__file__).with_name("stand_ins.sql")
WAIT_SECONDS = 30.0
OK = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


@dataclass(frozen=True)
class Ways:
    """Connections to the same statement's two ways."""

    direct: abc.PGconn
    proxy: abc.PGconn
    pid: int
    """The proxy's process."""
    conninfo: str
    """The source that a clone is asked from."""

    def directly(self, case: Case) -> Way:
        """The case without the proxy."""
        return Way(_run(self.direct, case, self.conninfo), self.direct.backend_pid)

    def through(self, case: Case) -> Way:
        """The case through the proxy."""
        return Way(_run(self.proxy, case, self.conninfo), self.proxy.backend_pid, self.pid)


def _run(connection: abc.PGconn, case: Case, conninfo: str) -> Callable[[], None]:
    """What runs the case once on a connection, and raises RuntimeError if that fails."""
    sql = case.sql.replace("{conninfo}", conninfo).encode()
    if case.how == "new":
        numbers = count()
        return lambda: _checked(connection.exec_(sql + b" -- %d" % next(numbers)))
    if case.how == "simple":
        return lambda: _checked(connection.exec_(sql))
    if case.how == "unnamed":
        return lambda: _checked(connection.exec_params(sql, case.values))
    name = case.title.encode()
    _checked(connection.prepare(name, sql))
    return lambda: _checked(connection.exec_prepared(name, case.values))


@contextmanager
def stages(only: frozenset[Stage]) -> Iterator[dict[Stage, Ways]]:
    """The ways of each of the stages; all is stopped and removed at the end."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory())
        server = stack.enter_context(Server(newest(), directory / "server"))
        yield {stage: _stage(stack, server, directory / stage, stage) for stage in JOBS if stage in only}


def connect(conninfo: str) -> abc.PGconn:
    """A connection of libpq's own: it costs least between the clock and the wire."""
    connection = pq.PGconn.connect(conninfo.encode())
    if connection.status != pq.ConnStatus.OK:
        raise RuntimeError(connection.error_message.decode())
    return connection


def fill(path: Path, jobs: int) -> None:
    """Make a job store with finished jobs of the superuser's."""
    asyncio.run(_fill(SqliteStore(path), jobs))


async def _fill(store: SqliteStore, jobs: int) -> None:
    await store.open()
    try:
        for number in range(1, jobs + 1):
            await store.save(_finished(await store.add(_job(number)), number))
    finally:
        await store.close()


def _job(number: int) -> Job:
    request = CloneRequest("table", "sales", f"orders_{number}")
    return Job(0, SUPERUSER, "postgres", request, Conninfo({"host": "127.0.0.1"}), submitted_at=time.time())


def _finished(job: Job, number: int) -> Job:
    begun = job.submitted_at
    progress = Progress("done", f"orders_{number}", 12, 12, number * 1000, number * 90_000, 100.0)
    running = job.to("running", started_at=begun, progress=progress)
    if number % 10:
        return running.to("completed", ended_at=begun + number / 7)
    error = f'duplicate key value violates unique constraint "orders_{number}_pkey"'
    return running.to("failed", ended_at=begun + number / 7, sqlstate="23505", error=error)


def _stage(stack: ExitStack, server: Server, directory: Path, stage: Stage) -> Ways:
    directory.mkdir()
    fill(directory / "jobs.sqlite", JOBS[stage])
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        for database in (f"{stage}_direct", f"{stage}_target", f"{stage}_source"):
            admin.execute(f"CREATE DATABASE {database}".encode())
    settings: Sections = {
        "jobs": {"store": str(directory / "jobs.sqlite"), "max_running": 1},
        "log": {"level": "warning"},
    }
    proxy = stack.enter_context(ProxyProcess(directory, server.conninfo(), settings))
    target = proxy.conninfo(f"{stage}_target")
    source = server.conninfo(f"{stage}_source")
    if stage == "busy":
        _make_busy(stack, target, source)
    _stand_in(target, server.conninfo(f"{stage}_direct"))
    direct, through = connect(server.conninfo(f"{stage}_direct")), connect(target)
    stack.callback(direct.finish)
    stack.callback(through.finish)
    return Ways(direct, through, proxy.pid, source)


def _make_busy(stack: ExitStack, target: str, source: str) -> None:
    """Let one job run, and wait for a lock, until the end; those that are submitted later wait for it."""
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(HELD)
    holder = stack.enter_context(psycopg.connect(source))
    holder.execute(HOLD)
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute(SCHEMA.replace("{conninfo}", source).encode())
        deadline = time.monotonic() + WAIT_SECONDS
        while not connection.execute("SELECT FROM pgclone_jobs_view WHERE status = 'running'").fetchall():
            if time.monotonic() > deadline:
                raise RuntimeError("the job that is to be held does not run")
            time.sleep(0.05)


def _stand_in(target: str, direct: str) -> None:
    """Give the database without a proxy the data that the proxy answers with."""
    queries = {
        "pgclone_jobs_view": "SELECT * FROM pgclone_jobs_view",
        "progress": "SELECT job_id, pgclone_progress(job_id) FROM pgclone_jobs_view",
        "jobs": "SELECT pgclone_jobs()",
    }
    with psycopg.connect(target) as from_, psycopg.connect(direct) as to:
        to.execute(STAND_INS.read_bytes())
        for table, query in queries.items():
            with (
                from_.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as out,
                to.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into,
            ):
                for data in out:
                    into.write(data)
        to.commit()
        to.autocommit = True
        to.execute("VACUUM ANALYZE")


def _checked(result: abc.PGresult) -> None:
    if result.status not in OK:
        raise RuntimeError(result.error_message.decode())
