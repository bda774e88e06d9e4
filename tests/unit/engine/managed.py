"""Who asks the manager, what for, and how its tests wait for what becomes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from clone_engine.jobs.manager import Caller, Manager
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo
from tests.harness.waiting import wait_until_async

ALICE = Caller("alice", "app")
BOB = Caller("bob", "app")
ADMIN = Caller("root", "app", admin=True)
SOURCE = Conninfo({"host": "db.example.com", "dbname": "shop", "user": "reader"})
SECRET_SOURCE = Conninfo({**SOURCE.parameters, "password": "S3cret-source"})
TARGET = Conninfo({"host": "127.0.0.1", "dbname": "app", "user": "alice", "password": "S3cret-target"})
LIMIT = 20.0


def clone(behaviour: str) -> CloneRequest:
    return CloneRequest(kind="schema", schema_name=behaviour)


async def run(manager: Manager, behaviour: str, caller: Caller = ALICE, source: Conninfo = SOURCE) -> Job:
    """A job with this behaviour, when it has finished."""
    job = await manager.submit(caller, clone(behaviour), source, TARGET)
    return await manager.wait(job.job_id)


async def submit(manager: Manager, behaviour: str, caller: Caller = ALICE, source: Conninfo = SOURCE) -> int:
    return (await manager.submit(caller, clone(behaviour), source, TARGET)).job_id


def shown(manager: Manager, job_id: int) -> Job:
    return next(job for job in manager.visible(ADMIN) if job.job_id == job_id)


async def until(condition: Callable[[], bool]) -> None:
    async def check() -> bool:
        return condition()

    await wait_until_async(check, LIMIT)


async def until_copying(manager: Manager, *job_ids: int) -> None:
    await until(lambda: all(shown(manager, job_id).progress.phase == "copying data" for job_id in job_ids))


async def refused(call: Awaitable[object], sqlstate: str, message: str) -> PgError:
    with pytest.raises(PgError) as caught:
        await call
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, message)
    assert caught.value.hint
    return caught.value
