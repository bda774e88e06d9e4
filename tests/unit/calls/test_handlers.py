"""Handlers: what becomes of the job manager's work when whoever waits for it is cancelled, or leaves."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from clone_engine.jobs.manager import Caller, Manager
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo
from proxy.auth import Credentials
from proxy.calls.handlers import Handlers
from proxy.calls.names import functions
from proxy.calls.signatures import Call
from proxy.sources.access import SourceAccess
from proxy.upstream import parse_target

CALLER = Caller("me", "mine", False)


class AnySource(SourceAccess):
    """Lets everybody clone from everywhere."""

    def __init__(self) -> None:
        pass

    async def reached(self, caller: Caller, source: Conninfo, login: Conninfo) -> Conninfo:
        return source


class SlowManager:
    """A manager whose cancel takes until it is told to go on."""

    def __init__(self, refusal: PgError | None = None) -> None:
        self.begun, self.go_on, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.refusal = refusal

    async def cancel(self, caller: Caller, job_id: int) -> str:
        self.begun.set()
        await self.go_on.wait()
        self.done.set()
        if self.refusal:
            raise self.refusal
        return "cancelled"


@pytest.mark.parametrize("refusal", [None, PgError("55000", "too late")])
def test_a_client_that_leaves_does_not_stop_the_manager_half_way(refusal: PgError | None) -> None:
    async def leave() -> list[object]:
        complaints: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        manager = SlowManager(refusal)
        target = parse_target("host=localhost", 1)
        handlers = Handlers(cast(Manager, manager), Credentials(target, "", "password"), AnySource())
        session = asyncio.create_task(
            handlers.perform(CALLER, Call(functions(None, "pgclone_cancel")[0], {"job_id": 1}, "", 0))
        )
        await manager.begun.wait()
        session.cancel()
        with pytest.raises(asyncio.CancelledError):
            await session
        manager.go_on.set()
        await asyncio.wait_for(manager.done.wait(), 5)
        await asyncio.sleep(0)
        return complaints

    assert asyncio.run(leave()) == []


class OneJob:
    """A manager whose only job runs until it is cancelled."""

    def __init__(self, *, stopping: bool = False, refusal: PgError | None = None) -> None:
        self.stopping = stopping
        self.refusal = refusal
        self.submitted, self.ended = asyncio.Event(), asyncio.Event()
        self.job = Job(1, "me", "mine", CloneRequest("schema", "s"), Conninfo({}))

    async def submit(self, *_: object) -> Job:
        self.submitted.set()
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        return self.job

    async def wait(self, job_id: int, hear: object) -> Job:
        await self.ended.wait()
        return self.job.to("running").to("cancelled")

    async def cancel(self, caller: Caller, job_id: int) -> str:
        self.ended.set()
        return "cancelled"


class AnyCredential(Credentials):
    """Has one for everybody."""

    async def login(self, caller: Caller) -> Conninfo:
        return Conninfo({})


async def cancel_call(manager: OneJob, *, late: bool) -> None:
    """A synchronous clone is cancelled while it waits, or while its job is being submitted."""
    target = parse_target("host=localhost", 1)
    handlers = Handlers(cast(Manager, manager), AnyCredential(target, "", "password"), AnySource())
    arguments = {"source_conninfo": "host=h", "schema_name": "s", "include_data": True}
    call = asyncio.create_task(handlers.perform(CALLER, Call(functions(None, "pgclone_schema")[0], arguments, "", 0)))
    await manager.submitted.wait()
    for _ in range(5 if late else 0):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 5)


@pytest.mark.parametrize("late", [False, True], ids=["while it is submitted", "while it runs"])
def test_a_cancelled_call_cancels_its_job(late: bool) -> None:
    manager = OneJob()
    asyncio.run(cancel_call(manager, late=late))
    assert manager.ended.is_set()


def test_a_cancelled_call_whose_job_is_refused_is_cancelled() -> None:
    manager = OneJob(refusal=PgError("57P03", "pgclone: the proxy is shutting down"))
    asyncio.run(cancel_call(manager, late=False))
    assert not manager.ended.is_set()


def test_a_shutdown_leaves_the_job_to_the_manager() -> None:
    manager = OneJob(stopping=True)
    asyncio.run(cancel_call(manager, late=True))
    assert not manager.ended.is_set()
