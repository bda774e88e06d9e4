"""What every job store does, asked of both, and what only the one in a file must.

The faults of that file: `test_store_faults.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from clone_engine.jobs.sqlite_store import FIRST_SCHEMA, SqliteStore
from clone_engine.records.job_store import JobStore, StoreError
from clone_engine.records.jobs import Job, Outcome, Progress
from clone_engine.records.request import CloneRequest, Conninfo, Options

REQUEST = CloneRequest("table", "s\n'é", "t", "x", False, Options(columns=("a", "b"), where="a > 1", parallel=1))
JOB = Job(
    job_id=0,
    owner='al"ice',
    database="app",
    request=REQUEST,
    source=Conninfo({"host": "h", "user": "u"}),
    source_had_secret=True,
    submitted_at=1_700_000_000.123456,
)


def all_bytes(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that has the store open until it is killed."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "open\n"
    return holder


async def test_job_is_kept_as_it_is(store: JobStore) -> None:
    await store.open()
    assert await store.load() == []
    job = await store.add(JOB)
    assert job == msgspec.structs.replace(JOB, job_id=1)
    assert await store.load() == [job]
    progress = Progress("copying data", "t", 2, 1, 10, 2**40, 12.5)
    job = job.to("running", started_at=1_700_000_001.5, progress=progress)
    await store.save(job)
    assert await store.load() == [job]
    job = job.to("failed", ended_at=1_700_000_002.5, sqlstate="57014", error="why\nnot")
    await store.save(job)
    assert await store.load() == [job]
    await store.close()
    await store.close()


async def test_ids_grow_and_are_never_used_again(store: JobStore) -> None:
    await store.open()
    assert [(await store.add(JOB)).job_id for _ in range(3)] == [1, 2, 3]
    await store.remove([2, 3])
    assert (await store.add(JOB)).job_id == 4
    assert [job.job_id for job in await store.load()] == [1, 4]
    await store.close()


async def test_the_ids_behind_that_of_a_job_are_left_to_its_workers(store: JobStore) -> None:
    await store.open()
    parallel = msgspec.structs.replace(JOB, request=CloneRequest("schema", "s", options=Options(parallel=3)))
    assert [(await store.add(job)).job_id for job in (JOB, parallel, JOB)] == [1, 2, 6]
    await store.remove([6])
    assert (await store.add(JOB)).job_id == 7
    await store.close()


async def test_ids_are_not_used_again_when_all_jobs_are_gone_and_it_was_closed(store: JobStore) -> None:
    await store.open()
    for _ in range(3):
        await store.add(JOB, ["a"])
    await store.remove([1, 2, 3])
    await store.close()
    await store.open()
    assert await store.load() == []
    assert (await store.add(JOB)).job_id == 4
    assert (await store.done(1), await store.done(4)) == ((), ())
    await store.close()


async def test_a_store_that_is_not_open_does_nothing(store: JobStore) -> None:
    async def refuses() -> bool:
        job = msgspec.structs.replace(JOB, job_id=1)
        calls = (store.load(), store.add(JOB), store.save(job), store.done(1), store.outcomes(1), store.sealed())
        results = [*calls, store.forget([1]), store.remove([1])]
        return all(isinstance(r, StoreError) for r in await asyncio.gather(*results, return_exceptions=True))

    assert await refuses()
    await store.open()
    kept = await store.add(JOB)
    await store.close()
    assert await refuses()
    await store.open()
    assert await store.load() == [kept]
    await store.close()


async def test_what_is_done_and_no_longer_done(store: JobStore) -> None:
    await store.open()
    job = await store.add(JOB, ("b",))
    assert await store.done(1) == ("b",)
    await store.save(job, done=["c", "a", "b"])
    assert await store.done(1) == ("b", "c", "a")
    await store.save(job, done=["d", "d"], undone=["c", "unknown"])
    assert await store.done(1) == ("b", "a", "d")
    assert await store.done(2) == ()
    await store.close()


async def test_outcomes_keep_their_order(store: JobStore) -> None:
    await store.open()
    first, second = await store.add(JOB), await store.add(JOB)
    failed = Outcome("index i", "failed", "42501", "permission denied")
    await store.save(first, outcomes=[Outcome("table t", "done")])
    await store.save(second, outcomes=[Outcome("table u", "skipped")])
    await store.save(first, outcomes=[failed, failed])
    assert await store.outcomes(1) == [Outcome("table t", "done"), failed, failed]
    await store.remove([1])
    assert (await store.outcomes(1), await store.done(1)) == ([], ())
    assert await store.outcomes(2) == [Outcome("table u", "skipped")]
    await store.close()


async def test_job_that_is_not_there_cannot_be_saved(store: JobStore) -> None:
    await store.open()
    with pytest.raises(StoreError, match="no job 7"):
        await store.save(msgspec.structs.replace(JOB, job_id=7), done=["a"])
    assert (await store.load(), await store.done(7)) == ([], ())
    await store.close()


async def test_secrets_are_left_out_even_if_given(store: JobStore, tmp_path: Path) -> None:
    await store.open()
    job = await store.add(msgspec.structs.replace(JOB, source=Conninfo({"host": "h", "password": "CANARY"})))
    await store.save(msgspec.structs.replace(job, source=Conninfo({"host": "h", "password": "CANARY"})))
    assert (await store.load())[0].source == Conninfo({"host": "h"})
    assert b"CANARY" not in all_bytes(tmp_path)
    await store.close()


async def test_sealed_secrets_are_kept_until_they_or_their_job_are_forgotten(store: JobStore, tmp_path: Path) -> None:
    await store.open()
    for number in (1, 2, 3):
        await store.add(JOB, seal=(lambda job_id: b"SEALED-%d" % job_id) if number != 2 else None)
    assert await store.sealed() == {1: b"SEALED-1", 3: b"SEALED-3"}
    await store.save((await store.load())[0].to("running"))
    await store.forget([1, 2, 99])
    assert await store.sealed() == {3: b"SEALED-3"}
    assert b"SEALED-1" not in all_bytes(tmp_path)
    await store.remove([3])
    assert await store.sealed() == {}
    assert b"SEALED" not in all_bytes(tmp_path)
    await store.close()


async def test_file_outlives_the_store_and_so_do_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "new" / "jobs.sqlite"
    store = SqliteStore(path)
    await store.open()
    job = await store.add(JOB, ("a",))
    await store.add(JOB)
    await store.remove([2])
    await store.close()
    assert path.stat().st_mode & 0o777 == 0o600
    store = SqliteStore(path)
    await store.open()
    assert (await store.load(), await store.done(1)) == ([job], ("a",))
    assert (await store.add(JOB)).job_id == 3
    await store.close()


HOLDER = """
import asyncio, sys
from pathlib import Path
from clone_engine.jobs.sqlite_store import SqliteStore
async def hold():
    await SqliteStore(Path(sys.argv[1])).open()
    print("open", flush=True)
    await asyncio.Event().wait()
asyncio.run(hold())
"""


async def test_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    with hold(path) as holder:
        store = SqliteStore(path)
        with pytest.raises(StoreError) as caught:
            await store.open()
        assert str(caught.value) == f"job store {path} is in use by another process ({holder.pid})"
        assert "closed" in repr(store)
        holder.kill()
    await store.open()
    assert await store.load() == []
    await store.close()


async def test_second_store_in_one_process_is_refused_too(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "j"), SqliteStore(tmp_path / "j")
    await first.open()
    with pytest.raises(StoreError, match="in use"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_file_of_the_first_version_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "old"
    with sqlite3.connect(path) as old:
        old.executescript(FIRST_SCHEMA + "PRAGMA user_version = 1;")
        old.execute(
            "INSERT INTO job VALUES (7, 'alice', 'app', '{\"kind\": \"schema\"}', '{\"host\": \"h\"}', 0, 'failed',"
            " '{}', 1.0, 2.0, 3.0, '57P01', 'interrupted', 0)"
        )
        old.execute("INSERT INTO step VALUES (1, 7, 'b', 1), (2, 7, 'was under way', 0), (3, 7, 'a', 1)")
    old.close()
    store = SqliteStore(path)
    for expected in ([7], [7, 8]):
        await store.open()
        jobs = await store.load()
        assert [job.job_id for job in jobs] == expected
        assert (jobs[0].owner, jobs[0].error, jobs[0].to_go_on) == ("alice", "interrupted", False)
        assert await store.done(7) == ("b", "a")
        await store.add(JOB)
        await store.close()
