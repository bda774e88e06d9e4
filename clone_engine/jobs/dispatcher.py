"""What starts the work of a job and carries the conversation with it: the interface, and an implementation in memory.

The manager is the only caller.  `children.py` has the dispatcher that starts a process on this host.  A dispatcher is
never the truth of a job, the store is: it hands on `Start`, what is said of it and the wish to stop, and keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from clone_engine.records.channel import FromJob, Kept, Start


class DispatchError(Exception):
    """The work could not be started, or said something that is no message.  Holds nothing of what it said."""


class Work(Protocol):
    """The work of one job, wherever it is done.  Whoever has it must end with `close`."""

    @property
    def ending(self) -> str:
        """How it ended, in a word or two; '' while it goes on."""

    def send(self, message: Kept) -> None:
        """Answer it; nothing happens if it has ended.  Never waits."""

    async def receive(self) -> list[FromJob]:
        """What it has said, at least one message, or [] when there will be no more.  DispatchError for nonsense."""

    async def stop(self) -> bool:
        """Ask it to cancel, then end it; returns when it has ended.  Whether asking was enough."""

    async def close(self) -> None:
        """See to it that the work ends, now that its last message has been read, and free what it holds."""


class Dispatcher(Protocol):
    """Has jobs done.  Whoever has opened it must close it."""

    async def open(self) -> None:
        """Get ready for jobs, without making anybody wait for that."""

    async def close(self) -> None:
        """Free what is held for jobs, of which none is under way any more."""

    async def start(self, start: Start) -> Work:
        """The work of a job, begun with all that it has to know.  DispatchError if it cannot be begun."""


Script = Callable[[Start, "Conversation"], Awaitable[None]]
"""Does the work of a job in this process; to return, or to raise, is its end."""


class MemoryDispatcher:
    """A Dispatcher that has jobs done by `script`, in this event loop: for tests of whoever dispatches.

    `started` has the first line of each job, in order.
    """

    def __init__(self, script: Script, patience: float = 0.1) -> None:
        self.started: list[Start] = []
        self._script = script
        self._patience = patience

    def __repr__(self) -> str:
        return f"<MemoryDispatcher {len(self.started)} started>"

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def start(self, start: Start) -> MemoryWork:
        self.started.append(start)
        return MemoryWork(start, self._script, self._patience)


class Conversation:
    """The script's end of the conversation."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        """Set when the job is asked to cancel."""
        self.kept: asyncio.Queue[Kept] = asyncio.Queue()
        """The answers that have come."""
        self.said: asyncio.Queue[FromJob | None] = asyncio.Queue()

    def __repr__(self) -> str:
        return f"<Conversation {self.said.qsize()} unread{', cancelled' if self.cancelled.is_set() else ''}>"

    def say(self, *messages: FromJob) -> None:
        for message in messages:
            self.said.put_nowait(message)


class MemoryWork:
    """What a script does.  One that does not end within `patience` seconds of being asked is ended."""

    def __init__(self, start: Start, script: Script, patience: float) -> None:
        self._conversation = Conversation()
        self._patience = patience
        self._over = False
        self._task = asyncio.create_task(self._run(start, script), name=f"work of job {start.job_id}")

    def __repr__(self) -> str:
        return f"<MemoryWork {self.ending or 'going on'}, {self._conversation!r}>"

    @property
    def ending(self) -> str:
        if not self._task.done():
            return ""
        if self._task.cancelled():
            return "ended by force"
        error = self._task.exception()
        return type(error).__name__ if error else "returned"

    def send(self, message: Kept) -> None:
        self._conversation.kept.put_nowait(message)

    async def receive(self) -> list[FromJob]:
        messages: list[FromJob] = []
        while not self._over and (not messages or not self._conversation.said.empty()):
            message = await self._conversation.said.get()
            if message is None:
                self._over = True
            else:
                messages.append(message)
        return messages

    async def stop(self) -> bool:
        self._conversation.cancelled.set()
        return await self._ended()

    async def close(self) -> None:
        await self._ended()

    async def _ended(self) -> bool:
        """Returns when the script has ended; whether it did so by itself."""
        await asyncio.wait([self._task], timeout=self._patience)
        by_itself = self._task.done()
        self._task.cancel()
        await asyncio.wait([self._task])
        return by_itself

    async def _run(self, start: Start, script: Script) -> None:
        try:
            await script(start, self._conversation)
        finally:
            self._conversation.said.put_nowait(None)
