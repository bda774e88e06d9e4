"""Handlers: what a client that leaves does to the work of the job manager."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from clone_engine.errors import PgError
from clone_engine.manager import Caller, Manager
from clone_engine.request import Conninfo
from proxy.auth import Credentials
from proxy.calls.handlers import Handlers
from proxy.calls.names import functions
from proxy.calls.signatures import Call
from proxy.upstream import parse_target

CALLER = Caller("me", "mine", False)


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
        handlers = Handlers(cast(Manager, manager), Credentials(target, ""), Conninfo({}), "1")
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
