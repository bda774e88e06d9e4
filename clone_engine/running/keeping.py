"""Whether the manager has kept what it was told, asked before what tells the same on the target is removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from clone_engine.records.channel import FromJob, Keep
from clone_engine.running.undo import CLEANUP_TIMEOUT


class Keeping:
    """Asks the manager with `say`; `answer` is called with what it says."""

    def __init__(self, say: Callable[[FromJob], None]) -> None:
        self._say = say
        self._asked = 0
        self._answers: asyncio.Queue[int] = asyncio.Queue()
        self._abandoned = False  # the manager has gone

    def __repr__(self) -> str:
        return f"<Keeping, asked {self._asked} times{', abandoned' if self._abandoned else ''}>"

    def answer(self, number: int) -> None:
        """The manager has kept what it was told before the Keep of this number; or, if that is 0, has gone for good."""
        self._abandoned = not number
        self._answers.put_nowait(number)

    async def kept(self) -> bool:
        """Whether the manager says, in time, that all that it was told is in the store.

        A late answer to an earlier question is none to this one.
        """
        if self._abandoned:
            return False
        self._asked += 1
        self._say(Keep(self._asked))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_TIMEOUT):
                while not self._abandoned:
                    if await self._answers.get() == self._asked:
                        return True
        return False
