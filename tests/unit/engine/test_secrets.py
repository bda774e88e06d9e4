"""A canary as the password of source and target: it may be in the pipe to the job process, and nowhere else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import structlog

from clone_engine.asking.conninfo import parse_conninfo
from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.jobs.sqlite_store import SqliteStore
from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Conninfo
from tests.harness.processes import descendants
from tests.harness.waiting import wait_until_async

CANARY = "cAnArY-9f3b"
ALICE = Caller("alice", "app")
TARGET = Conninfo({"host": "t", "user": "alice", "password": CANARY, "scram_client_key": CANARY})


def all_bytes(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


async def test_password_is_in_no_file_log_argv_environment_error_or_repr(
    processes: JobProcesses, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "jobs.sqlite")
    manager = Manager(store, ManagerSettings(), processes, time.time)
    seen: list[str] = []
    with structlog.testing.capture_logs() as logs:
        await manager.start()
        source = parse_conninfo(f"host=h user=u password={CANARY}", "alice")
        for behaviour in ("show_environment", "talk_nonsense", "fail", "die", "wait"):
            job = await manager.submit(ALICE, CloneRequest("schema", behaviour), source, TARGET)
            seen.append(repr(job))
            if behaviour != "wait":
                seen.append(repr(await manager.wait(job.job_id)))
        await wait_until_async(lambda: copying(manager, job.job_id))
        seen += [repr(manager), repr(source), repr(vars(manager)), all_bytes(tmp_path).decode("latin-1")]
        seen += [repr(vars(live)) for live in manager._live.values()]
        seen += [of_process(pid) for pid in descendants(os.getpid())]
        seen += [repr(await manager.outcomes(ALICE, job.job_id)) for job in manager.visible(ALICE)]
        seen.append(await error_of_resume(manager))
        await manager.stop()
    seen += [repr(logs), repr(manager.visible(ALICE)), all_bytes(tmp_path).decode("latin-1")]
    assert [text for text in seen if CANARY in text] == []
    # The test can fail: the stand-in wrote both conninfos to stderr, and that was logged without the canary.
    assert any("'password': '***'" in entry.get("line", "") for entry in logs)
    assert any("stand_in.py" in text for text in seen)


async def copying(manager: Manager, job_id: int) -> bool:
    return any(job.job_id == job_id and job.progress.phase == "copying data" for job in manager.visible(ALICE))


async def error_of_resume(manager: Manager) -> str:
    try:
        await manager.resume(ALICE, 1, TARGET)
    except PgError as error:
        return repr(vars(error))
    raise AssertionError("a completed job was resumed")


def of_process(pid: int) -> str:
    return "".join(Path(f"/proc/{pid}/{file}").read_bytes().decode("latin-1") for file in ("cmdline", "environ"))
