"""Whether a serving process still does anything: it is asked again and again, and is expected to answer.

One that does not is no place for new clients.  It may only be busy, or stopped by somebody who looks into it; but its
clients wait meanwhile, and when that has lasted they are better cut off, so that they can connect anew.
"""

from __future__ import annotations

import asyncio

import structlog

from proxy.processes.channel import Mark
from proxy.processes.child import Child

log = structlog.get_logger()

PAUSE = 1.0
"""Seconds between an answer and the next question."""
SLOW = 2.0
"""Seconds without an answer, after which it is given no more clients."""
DEAD = 15
"""So many times SLOW, after which it is killed."""


async def watch(child: Child, runs: asyncio.Future[bool], pause: float = PAUSE, slow: float = SLOW) -> None:
    """Ask a process, once it `runs`, until it does not answer any more, and kill it then; `child.responds` is as it is
    found to be."""
    await asyncio.wait([runs])
    while True:
        if not await _answers(child, slow):
            log.error("serving process hangs, killing it", process=child.place, pid=child.pid)
            child.kill()
            return
        await asyncio.sleep(pause)


async def _answers(child: Child, slow: float) -> bool:
    """Whether it answers before it counts as dead."""
    answer = child.ask(Mark)
    # In pieces: where it is this process, or the machine, that has stood still, the answer is there already.
    for _ in range(DEAD):
        await asyncio.wait([answer], timeout=slow)
        if answer.done():
            child.responds = True
            return True
        if child.responds:
            log.warning("serving process does not answer, it gets no more clients", process=child.place, pid=child.pid)
        child.responds = False
    return False
