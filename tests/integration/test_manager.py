"""The manager with real job processes between real servers: run, fail, cancel, die, resume, restart."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import structlog
from psycopg.conninfo import conninfo_to_dict

from clone_engine.asking.arguments import build_request
from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo
from proxy.embedded import Server
from tests.harness.processes import FORKER, children, job_processes
from tests.harness.servers import PASSWORD, Database, fresh_database
from tests.harness.waiting import wait_until, wait_until_async

CALLER = Caller("postgres", "app")
SHOP = """
CREATE SCHEMA shop;
CREATE TABLE shop.control (delay float8);
INSERT INTO shop.control VALUES (0);
CREATE TABLE shop.customers (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO shop.customers SELECT i, 'customer ' || i FROM generate_series(1, 1000) i;
CREATE TABLE shop.orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES shop.customers, note text);
INSERT INTO shop.orders SELECT i, 1 + i % 1000, 'note ' || i FROM generate_series(1, 20000) i;
CREATE INDEX orders_customer ON shop.orders (customer);
"""
CONTENTS = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM shop.{} t"
SLOW = {
    "schema_name": "shop",
    "table_name": "customers",
    # As slow as the row in `control` says when the job starts.
    "options": '{"where": "pg_sleep((SELECT delay FROM shop.control)) IS NOT NULL"}',
}


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute(SHOP)
    return source_database


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Manager]:
    started = new_manager(tmp_path)
    await started.start()
    yield started
    await started.stop()


def new_manager(directory: Path) -> Manager:
    store = SqliteStore(directory / "jobs.sqlite")
    return Manager(store, ManagerSettings(), JobProcesses(os.environ), time.time)


def conninfo(database: Database) -> Conninfo:
    return Conninfo({k: str(v) for k, v in conninfo_to_dict(database.conninfo()).items() if v is not None})


def job_of(manager: Manager, job_id: int) -> Job:
    return next(job for job in manager.visible(CALLER) if job.job_id == job_id)


async def until(condition: Callable[[], bool], what: str) -> None:
    async def check() -> bool:
        return condition()

    await wait_until_async(check, 30, what)


async def run(manager: Manager, request: CloneRequest, source: Conninfo, target: Conninfo) -> Job:
    job = await manager.submit(CALLER, request, source, target)
    return await asyncio.wait_for(manager.wait(job.job_id), 60)


async def start_slow(manager: Manager, source: Database, target: Database) -> int:
    """A job in the middle of its table, which would take minutes."""
    source.execute("UPDATE shop.control SET delay = 0.2")
    target.execute("CREATE SCHEMA IF NOT EXISTS shop")
    request = build_request("table", SLOW)
    job_id = (await manager.submit(CALLER, request, conninfo(source), conninfo(target))).job_id
    await until(lambda: is_copying(source), "the copy to run on the source")
    return job_id


def is_copying(source: Database) -> bool:
    return bool(source.rows("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'COPY%'"))


def backends(*databases: Database) -> list[tuple[object, ...]]:
    """Server processes of jobs."""
    query = "SELECT pid, query FROM pg_stat_activity WHERE application_name LIKE 'pgclone%' AND datname = '{}'"
    return [row for database in databases for row in database.rows(query.format(database.name))]


def assert_equal(source: Database, target: Database, *tables: str) -> None:
    for table in tables:
        assert target.rows(CONTENTS.format(table)) == source.rows(CONTENTS.format(table))


async def assert_resume_completes(manager: Manager, job_id: int, source: Database, target: Database) -> None:
    source.execute("UPDATE shop.control SET delay = 0")
    new_id = await manager.resume(CALLER, job_id, conninfo(target))
    job = await asyncio.wait_for(manager.wait(new_id), 60)
    assert (job.status, job.error, job.resumed_from) == ("completed", "", job_id)
    assert_equal(source, target, "customers")


@pytest.mark.parametrize("parallel", [1, 4])
async def test_schema_is_cloned(manager: Manager, source: Database, target_database: Database, parallel: int) -> None:
    request = build_request("schema", {"schema_name": "shop", "options": f'{{"parallel": {parallel}}}'})
    job = await run(manager, request, conninfo(source), conninfo(target_database))
    assert (job.status, job.error) == ("completed", "")
    assert (job.progress.pct_complete, job.progress.phase) == (100.0, "completed")
    assert (job.progress.tables_total, job.progress.tables_completed, job.progress.rows_copied) == (3, 3, 21001)
    assert_equal(source, target_database, "control", "customers", "orders")
    done = {o.object for o in await manager.outcomes(CALLER, job.job_id) if o.result == "done"}
    assert {"table shop.control", "table shop.customers", "table shop.orders"} <= done


async def test_failures_keep_the_words_of_the_server(
    manager: Manager, source: Database, target_database: Database
) -> None:
    target = conninfo(target_database)
    missing = await run(manager, build_request("schema", {"schema_name": "no such"}), conninfo(source), target)
    assert (missing.status, missing.sqlstate) == ("failed", "3F000") and "no such" in missing.error
    shop = build_request("schema", {"schema_name": "shop"})
    unreachable = await run(manager, shop, Conninfo({"host": "127.0.0.1", "port": "1", "user": "x"}), target)
    assert unreachable.status == "failed" and unreachable.sqlstate.startswith("08") and "refused" in unreachable.error
    role = await run(manager, shop, Conninfo(conninfo(source).parameters | {"user": "nobody"}), target)
    assert (role.status, role.sqlstate) == ("failed", "28000") and 'role "nobody" does not exist' in role.error


async def test_cancel_stops_inside_a_table_and_resume_goes_on(
    manager: Manager, source: Database, target_database: Database
) -> None:
    job_id = await start_slow(manager, source, target_database)
    async with asyncio.timeout(10):
        assert await manager.cancel(CALLER, job_id) == "cancelled"
    job = job_of(manager, job_id)
    assert (job.status, job.error, job.progress.phase) == ("cancelled", "", "cancelled")
    await until(lambda: not backends(source, target_database), "the servers to be left")
    await assert_resume_completes(manager, job_id, source, target_database)


async def test_killed_job_process_fails_its_job_and_leaves_nobody_behind(
    manager: Manager, source: Database, target_database: Database
) -> None:
    job_id = await start_slow(manager, source, target_database)
    (pid,) = job_processes(os.getpid())
    os.kill(pid, signal.SIGKILL)
    job = await asyncio.wait_for(manager.wait(job_id), 10)
    assert (job.status, job.sqlstate) == ("failed", "58000")
    assert job.error == f"job process exited unexpectedly (SIGKILL); go on with pgclone_resume({job_id})"
    source.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    await until(lambda: not backends(source, target_database), "the servers to be left")
    await assert_resume_completes(manager, job_id, source, target_database)


async def test_stop_of_the_proxy_ends_its_jobs(tmp_path: Path, source: Database, target_database: Database) -> None:
    first = new_manager(tmp_path)
    await first.start()
    job_id = await start_slow(first, source, target_database)
    await first.stop()
    assert job_processes(os.getpid()) == []
    await until(lambda: not backends(source, target_database), "the servers to be left")
    second = new_manager(tmp_path)
    await second.start()
    job = job_of(second, job_id)
    assert (job.status, job.sqlstate) == ("failed", "57P01")
    assert job.error == f"interrupted by a shutdown of the proxy; go on with pgclone_resume({job_id})"
    await assert_resume_completes(second, job_id, source, target_database)
    await second.stop()


async def test_password_of_the_source_is_seen_nowhere(
    tmp_path: Path, scram_server: Server, target_database: Database
) -> None:
    """Neither in the arguments or the environment of any process of the job, pg_dump included, nor in store or logs."""
    seen: set[str] = set()
    with fresh_database(scram_server) as source, structlog.testing.capture_logs() as logs:
        source.execute(SHOP)
        manager = new_manager(tmp_path)
        await manager.start()
        watching = asyncio.create_task(watch_descendants(seen))
        request = build_request("schema", {"schema_name": "shop"})
        job = await run(manager, request, conninfo(source), conninfo(target_database))
        watching.cancel()
        assert (job.status, job.error, job.source_had_secret) == ("completed", "", True)
        assert_equal(source, target_database, "customers", "orders")
        outcomes = await manager.outcomes(CALLER, job.job_id)
        await manager.stop()
    seen |= {repr(logs), repr(job), repr(outcomes), repr(manager), all_text(tmp_path)}
    assert any("pg_dump" in text for text in seen) and any(FORKER in text for text in seen)
    assert [text for text in seen if PASSWORD in text] == []


async def watch_descendants(seen: set[str]) -> None:
    """Collect the arguments and environments of all processes below this one, until cancelled."""
    while True:
        parents = [os.getpid()]
        while parents:
            parents = [child for pid in parents for child in children(pid)]
            seen.update(arguments_and_environment(pid) for pid in parents)
        await asyncio.sleep(0.002)


def arguments_and_environment(pid: int) -> str:
    try:
        return "".join(Path(f"/proc/{pid}/{name}").read_bytes().decode("latin-1") for name in ("cmdline", "environ"))
    except OSError:  # it has just ended, or is the server's
        return ""


def all_text(directory: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in directory.iterdir())


PROXY = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_manager import CALLER, SLOW, build_request, conninfo_to_dict, new_manager, Conninfo
async def serve(directory, source, target):
    manager = new_manager(Path(directory))
    await manager.start()
    source, target = Conninfo(conninfo_to_dict(source)), Conninfo(conninfo_to_dict(target))
    await manager.submit(CALLER, build_request("table", SLOW), source, target)
    await asyncio.Event().wait()
asyncio.run(serve(*sys.argv[1:]))
"""


async def test_killed_proxy_takes_its_jobs_along_and_the_next_one_says_so(
    tmp_path: Path, source: Database, target_database: Database
) -> None:
    source.execute("UPDATE shop.control SET delay = 0.2")
    target_database.execute("CREATE SCHEMA shop")
    await asyncio.to_thread(kill_proxy, tmp_path, source, target_database)
    manager = new_manager(tmp_path)
    await manager.start()
    job = job_of(manager, 1)
    assert (job.status, job.sqlstate) == ("failed", "57P02")
    assert job.error == "interrupted by a restart of the proxy; go on with pgclone_resume(1)"
    await assert_resume_completes(manager, 1, source, target_database)
    await manager.stop()


def kill_proxy(directory: Path, source: Database, target: Database) -> None:
    """Run a proxy's manager with a job in a process of its own, and kill it while the job copies."""
    arguments = [str(directory), source.conninfo(), target.conninfo()]
    proxy = subprocess.Popen([sys.executable, "-c", PROXY, *arguments], cwd=Path(__file__).parents[2])
    try:
        wait_until(lambda: is_copying(source), 30, "the copy to run on the source")
        (job_process,) = job_processes(proxy.pid)
    finally:
        proxy.kill()
        proxy.wait()
    wait_until(lambda: not Path(f"/proc/{job_process}").exists(), 15, "the job process to end")
    wait_until(lambda: not backends(source, target), 15, "the servers to be left")
