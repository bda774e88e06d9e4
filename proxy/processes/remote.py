"""Actions that the first process performs for the sessions of a serving process.

What they do is `calls.handlers`; its answers are brought here by `serving_process.py`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from copy import copy
from typing import NamedTuple

from clone_engine.jobs.manager import Caller
from proxy.calls.handlers import Value
from proxy.calls.narration import Tell, nothing
from proxy.calls.signatures import Call
from proxy.processes.channel import Asked, Foresee, FromServing, Perform, Refused, Returned, Stop, Stopped, Told


class _UnderWay(NamedTuple):
    result: asyncio.Future[Value]
    tell: Tell


class RemoteActions:
    """Has actions performed by whoever is `send` to, under the settings of `edition` (calls.handlers.Actions)."""

    def __init__(self, send: Callable[[FromServing], None], edition: int) -> None:
        self._send = send
        self._edition = edition
        self._numbers = itertools.count(1)
        self._under_way: dict[int, _UnderWay] = {}

    def __repr__(self) -> str:
        return f"<RemoteActions, {len(self._under_way)} under way>"

    def under(self, edition: int) -> RemoteActions:
        """The same under other settings; answers to either may be given to any."""
        other = copy(self)
        other._edition = edition
        return other

    def foresee(self, caller: Caller, calls: Iterable[Call]) -> None:
        self._send(Foresee(self._edition, caller, tuple(map(Asked.of, calls))))

    async def perform(self, caller: Caller, call: Call, tell: Tell = nothing) -> Value:
        number = next(self._numbers)
        result: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._under_way[number] = _UnderWay(result, tell)
        self._send(Perform(number, self._edition, caller, Asked.of(call)))
        try:
            await asyncio.wait([result])
        except asyncio.CancelledError:
            # What it takes to stop is known over there, and whether it was done before that.
            self._send(Stop(number))
            await asyncio.wait([result])
        finally:
            del self._under_way[number]
        return result.result()

    def answered(self, answer: Told | Returned | Refused | Stopped) -> None:
        """Take what is said of an action; nothing happens if nobody waits for it any more."""
        under_way = self._under_way.get(answer.number)
        if under_way is None or under_way.result.done():
            return
        match answer:
            case Told(_, remark):
                under_way.tell(remark)
            case Returned(_, value):
                under_way.result.set_result(value)
            case Refused():
                under_way.result.set_exception(answer.error)
            case Stopped():
                under_way.result.cancel()
