"""A serving process that is stopped is found out, and killed when that lasts."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from proxy.config import JobSettings, ServerSettings, Settings
from proxy.processes.channel import Begin, Mark, Marked
from proxy.processes.child import Child
from proxy.processes.pulse import watch


async def started(child: Child, store: Path) -> asyncio.Future[bool]:
    """Has begun its work; what it says is taken from here on."""
    child.send(Begin(1, Settings(ServerSettings(target="host=127.0.0.1"), JobSettings(store=str(store))), 0))
    runs = child.ask(Mark)
    asyncio.get_running_loop().create_task(listen(child))
    await asyncio.wait_for(asyncio.shield(runs), 30)
    return runs


async def listen(child: Child) -> None:
    while (message := await child.receive()) is not None:
        if isinstance(message, Marked):
            child.answered(message.number, True)


async def test_one_that_is_stopped_is_killed(tmp_path: Path) -> None:
    child = await Child.start(1, os.environ)
    watching = asyncio.create_task(watch(child, await started(child, tmp_path / "jobs.sqlite"), pause=0.0, slow=0.2))
    os.kill(child.pid, signal.SIGSTOP)
    await asyncio.wait_for(watching, 60)
    assert not child.responds
    assert await child.end() == "SIGKILL"
