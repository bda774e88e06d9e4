"""Faults of the file of the job store: it is refused in one line that helps, or goes on; never is a wrong list read."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from clone_engine.jobs.sqlite_store import LOG_BYTES, SqliteStore
from clone_engine.jobs.store_file import mounted_type
from clone_engine.records.job_store import StoreError
from clone_engine.records.jobs import Job, Outcome
from tests.harness import disks
from tests.unit.engine.test_store import JOB

PAGE = 4096


async def refusal(path: Path) -> str:
    """What is said of a store that is refused."""
    store = SqliteStore(path)
    with pytest.raises(StoreError) as caught:
        await store.open()
    assert "\n" not in str(caught.value) and repr(store).endswith("closed>")
    return str(caught.value).removeprefix(f"job store {path}")


async def read(path: Path) -> list[Job] | str:
    """The jobs in a store, or why it is refused."""
    store = SqliteStore(path)
    try:
        await store.open()
        return await store.load()
    except StoreError as error:
        return str(error)
    finally:
        await store.close()


async def fill(path: Path, jobs: int = 40) -> list[list[Job]]:
    """A store with jobs; all lists that it has held, the last one at the end."""
    store, held = SqliteStore(path), [[]]
    await store.open()
    for number in range(jobs):
        job = await store.add(JOB, [f"table t{n}" for n in range(number)])
        held.append(await store.load())
        await store.save(job.to("running"), outcomes=[Outcome(f"table {n}", "done") for n in range(20)])
        held.append(await store.load())
    await store.close()
    return held


async def test_what_is_no_job_store_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("this is no database, however long it may be" * 100)
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    with closing(sqlite3.connect(tmp_path / "newer")) as newer:
        newer.execute("PRAGMA user_version = 99")
    assert await refusal(tmp_path / "pipe") == " is no regular file; choose another"
    restore_or = "restore it, or {} to begin a new one".format
    assert await refusal(tmp_path / "empty") == f" is empty, as none is made; {restore_or('delete it')}"
    assert await refusal(tmp_path / "text") == f": file is not a database; {restore_or('move it away')}"
    assert await refusal(tmp_path / "other") == " is a database of something else; choose another file"
    assert await refusal(tmp_path / "newer") == " has schema version 99; this program knows 5"
    assert await refusal(tmp_path) == ": Is a directory; choose a file"
    assert (await refusal(tmp_path / "text" / "jobs")).endswith("choose a file in a directory")
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


async def test_a_log_without_its_file_is_not_read_into_a_new_one(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jobs")
    await store.open()
    await store.add(JOB)
    shutil.copy(tmp_path / "jobs-wal", tmp_path / "kept")
    await store.close()
    (tmp_path / "jobs").unlink()
    (tmp_path / "kept").rename(tmp_path / "jobs-wal")
    assert await refusal(tmp_path / "jobs") == (
        f" is missing, but {tmp_path / 'jobs'}-wal is there; restore the one or delete the other"
    )


async def test_a_link_to_a_store_in_use_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "jobs")
    store = SqliteStore(tmp_path / "jobs")
    await store.open()
    with pytest.raises(StoreError, match="in use"):
        await SqliteStore(tmp_path / "link").open()
    await store.close()


MOUNTS = """\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 24 0:44 / /home rw,nosuid shared:7 master:3 - nfs4 nas:/home rw,vers=4.2
32 24 0:45 / /srv rw - tmpfs none rw
"""


@pytest.mark.parametrize(("device", "found"), [((254, 0), "ext4"), ((0, 44), "nfs4"), ((0, 45), "tmpfs"), ((9, 9), "")])
def test_the_type_of_a_file_system(device: tuple[int, int], found: str) -> None:
    assert mounted_type(MOUNTS, os.makedev(*device)) == found


async def test_a_full_disk_at_the_start_is_refused_and_later_taken(disk: Path) -> None:
    filler = disks.fill(disk)
    refused = await refusal(disk / "jobs")
    assert refused.endswith("free space there"), refused
    filler.unlink()
    held = await fill(disk / "jobs", 3)
    filler = disks.fill(disk)
    found = await read(disk / "jobs")
    assert found == held[-1] or "jobs" in found
    filler.unlink()
    assert await read(disk / "jobs") == held[-1]


async def test_a_disk_that_fills_up_refuses_and_goes_on_when_there_is_room(disk: Path) -> None:
    store = SqliteStore(disk / "jobs")
    await store.open()
    kept = [await store.add(JOB)]
    filler = disks.fill(disk)
    with pytest.raises(StoreError, match="database or disk is full; free space there") as caught:
        while True:  # what there is of the log is written again first
            kept.append(await store.add(JOB))
    assert caught.value.sqlstate == "53100"
    assert await store.load() == kept
    filler.unlink()
    kept.append(await store.add(JOB))
    assert await store.load() == kept
    await store.close()
    assert await read(disk / "jobs") == kept


async def test_a_file_system_that_cannot_be_written_is_refused(disk: Path) -> None:
    held = await fill(disk / "jobs", 1)
    disks.remount(disk, "ro")
    assert (await refusal(disk / "jobs")).endswith("choose a file on a file system that can be written")
    assert (await refusal(disk / "new")).endswith("choose a file on a file system that can be written")
    disks.remount(disk, "rw")
    assert await read(disk / "jobs") == held[-1]


FILLER = """
import asyncio, resource, sys
from pathlib import Path
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.job_store import StoreError
from tests.unit.engine.test_store import JOB
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
async def fill():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    kept = [await store.add(JOB)]
    limit(256 * 1024)
    try:
        while True:
            kept.append(await store.add(JOB))
    except StoreError as error:
        print(error)
    assert await store.load() == kept, "while full"
    limit(resource.RLIM_INFINITY)
    kept.append(await store.add(JOB))
    assert await store.load() == kept, "afterwards"
    assert [job.job_id for job in kept] == sorted({job.job_id for job in kept})
    await store.close()
asyncio.run(fill())
"""


def test_store_that_cannot_grow_refuses_and_goes_on_when_it_can(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(tmp_path / "jobs")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"job store {tmp_path / 'jobs'}: ")


async def test_a_truncated_file_is_refused_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    true = (await fill(path))[-1]
    content = path.read_bytes()
    edges = [size + off for size in range(0, len(content), PAGE) for off in (-1, 0, 1)]
    for size in [*filter(lambda size: size >= 0, edges), *random.Random(1).sample(range(len(content)), 40)]:
        path.write_bytes(content[:size])
        found = await read(path)
        assert isinstance(found, str) or found == true, size
        assert size == len(content) or "jobs" in found, size
    path.write_bytes(content)
    assert await read(path) == true


async def test_a_truncated_log_gives_a_list_that_was_true_once(tmp_path: Path) -> None:
    """As after a power cut: what was written last may be missing, but nothing in between."""
    path = tmp_path / "jobs"
    store = SqliteStore(path)
    await store.open()
    held = [[]]
    for _ in range(12):
        job = await store.add(JOB)
        held.append(await store.load())
        await store.save(job.to("running"), done=["a"])
        held.append(await store.load())
    content, log = path.read_bytes(), (tmp_path / "jobs-wal").read_bytes()
    await store.close()
    lengths = []
    for size in sorted({*range(0, len(log), 3011), len(log)}):
        cut = tmp_path / f"cut{size}"
        cut.write_bytes(content)
        (tmp_path / f"cut{size}-wal").write_bytes(log[:size])
        found = await read(cut)
        assert found in held, size
        lengths.append(held.index(found))  # type: ignore[arg-type]
    assert lengths == sorted(lengths) and (lengths[0], lengths[-1]) == (0, len(held) - 1)


@pytest.mark.parametrize("what", ["zeros", "noise"])
async def test_a_spoilt_page_is_refused_or_does_not_matter(tmp_path: Path, what: str) -> None:
    path = tmp_path / "jobs"
    true = (await fill(path))[-1]
    content = path.read_bytes()
    noise = random.Random(1)
    refused = 0
    for start in range(0, len(content), PAGE):
        spoilt = bytes(PAGE) if what == "zeros" else noise.randbytes(PAGE)
        path.write_bytes(content[:start] + spoilt + content[start + PAGE :])
        found = await read(path)
        assert isinstance(found, str) or found == true, start
        refused += isinstance(found, str)
    assert refused > len(content) / PAGE / 2


WRITER = """
import asyncio, sys
from pathlib import Path
from clone_engine.jobs.sqlite_store import SqliteStore
from tests.unit.engine.test_store import JOB
async def write():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    while True:
        job = await store.add(JOB, ["a", "b"])
        print(job.job_id, flush=True)
        await store.save(job.to("running"), done=["c"])
        print(job.job_id, "running", flush=True)
asyncio.run(write())
"""


def test_what_was_written_before_a_kill_is_there(tmp_path: Path) -> None:
    path, last = tmp_path / "jobs", 0
    for round_ in range(4):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            said = [writer.stdout.readline() for _ in range(5 + round_)]
            writer.kill()
            said += writer.stdout.read().splitlines(keepends=True)
        whole = [line.split() for line in said if line.endswith("\n")]
        jobs = asyncio.run(read(path))
        assert isinstance(jobs, list)
        states = {job.job_id: job.status for job in jobs}
        assert list(states) == list(range(1, len(jobs) + 1)) and len(jobs) > last
        assert all(states[int(number)] == "running" for number, *running in whole if running)
        assert len(jobs) - int(whole[-1][0]) in {0, 1}  # the last one may have been killed before it was told
        last = len(jobs)


async def test_a_reader_with_a_long_transaction_holds_nothing_up_and_the_log_shrinks_again(tmp_path: Path) -> None:
    path, log = tmp_path / "jobs", tmp_path / "jobs-wal"
    store = SqliteStore(path)
    await store.open()
    job = await store.add(JOB)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM job").fetchone() == (1,)
        await store.add(JOB)
        while log.stat().st_size < 2 * LOG_BYTES:
            await store.save(job, outcomes=[Outcome("table t", "done", message="x" * 100_000)])
        assert reader.execute("SELECT count(*) FROM job").fetchone() == (1,)
    for _ in range(3):
        await store.save(job, outcomes=[Outcome("table t", "done", message="x" * LOG_BYTES)])
        await store.save(job)
    assert log.stat().st_size <= 1.5 * LOG_BYTES
    assert len(await store.load()) == 2
    await store.close()


async def test_a_file_that_another_program_has_locked_is_said_to_be_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clone_engine.jobs.sqlite_store.BUSY_MILLISECONDS", 50)
    store = SqliteStore(tmp_path / "jobs")
    await store.open()
    with closing(sqlite3.connect(tmp_path / "jobs", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked; another program has it open for writing"):
            await store.add(JOB)
    assert (await store.add(JOB)).job_id == 1
    await store.close()
