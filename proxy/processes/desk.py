"""The actions that one serving process asks for, performed in the first process.

An answer goes out when every serving process knows what the action has changed: whoever hears of it, and looks through
another connection, sees it done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from clone_engine.records.errors import PgError
from proxy.calls.handlers import Value
from proxy.calls.narration import Remark
from proxy.processes.channel import Foresee, Perform, Refused, Returned, Stop, Stopped, Told, ToServing
from proxy.processes.editions import Editions

log = structlog.get_logger()


class Desk:
    """Performs them by the actions of the edition of the settings that they are asked for under; `settled` returns when
    all processes know all changes until then."""

    def __init__(
        self, editions: Editions, send: Callable[[ToServing], None], settled: Callable[[], Awaitable[None]]
    ) -> None:
        self._editions = editions
        self._send = send
        self._settled = settled
        self._works: dict[int, asyncio.Task[Value]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Desk, {len(self._works)} actions under way>"

    def take(self, message: Foresee | Perform | Stop) -> None:
        """Do what is asked; the answers are sent by and by."""
        match message:
            case Foresee(edition, caller, calls):
                self._editions[edition].foresee(caller, [asked.call for asked in calls])
            case Perform():
                self._begin(message)
            case Stop(number):
                if work := self._works.get(number):
                    work.cancel()

    def close(self) -> None:
        """Nobody waits for any of them any more."""
        for work in self._works.values():
            work.cancel()

    def _begin(self, message: Perform) -> None:
        loop, number = asyncio.get_running_loop(), message.number
        actions = self._editions[message.edition]
        work = actions.perform(message.caller, message.asked.call, partial(self._tell, number))
        self._works[number] = loop.create_task(work, name=f"action {number}")
        answering = loop.create_task(self._answer(number, self._works[number]))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    def _tell(self, number: int, remark: Remark) -> None:
        self._send(Told(number, remark))

    async def _answer(self, number: int, work: asyncio.Task[Value]) -> None:
        await asyncio.wait([work])
        del self._works[number]
        await self._settled()
        self._send(_outcome(number, work))


def _outcome(number: int, work: asyncio.Task[Value]) -> Returned | Refused | Stopped:
    if work.cancelled():
        return Stopped(number)
    error = work.exception()
    if error is None:
        return Returned(number, work.result())
    if not isinstance(error, PgError):  # a defect of ours ends this call and nothing else
        log.error("action failed", exc_info=error)
        error = PgError("XX000", f"pgclone: internal error of the proxy: {type(error).__name__}")
    return Refused.by(number, error)
