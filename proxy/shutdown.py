"""The ladder of signals that end the proxy, from patient to at once; and the one that does not.

SIGTERM waits for clients and jobs, SIGINT or a second SIGTERM only for what is being stopped, SIGQUIT for nothing.
SIGHUP has the configuration read again.
What is stopped, and in which order, is the command line's business.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

QUIT = 3
"""The exit code after SIGQUIT."""


class Signals:
    """The signals that have come so far.  Must be made in the event loop; takes them over from then on."""

    def __init__(self, reload: Callable[[], object]) -> None:
        self._asked, self._hurried = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, reload)
        # As a crash would: job processes end when their proxy does, and the next start finds what they leave.
        loop.add_signal_handler(signal.SIGQUIT, os._exit, QUIT)

    def __repr__(self) -> str:
        return f"<Signals asked={self._asked.is_set()} hurried={self._hurried.is_set()}>"

    async def asked(self) -> None:
        """Returns when the proxy is asked to end."""
        await self._asked.wait()

    async def unless_hurried(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        """Wait for `work`, but not longer than `seconds`, nor after a signal that hurries; it is cancelled then."""
        tasks = {asyncio.create_task(work), asyncio.create_task(self._hurry())}
        _, left = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()

    async def _hurry(self) -> None:
        await self._hurried.wait()

    def _terminate(self) -> None:
        if self._asked.is_set():
            self._hurried.set()
        self._asked.set()

    def _interrupt(self) -> None:
        self._asked.set()
        self._hurried.set()
