"""Says how far the job is, at least twice a second whatever goes on beside it.

What the numbers are is `progress.py`'s and `pace.py`'s; what each copier does, `workers.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from clone_engine.records.channel import Advanced
from clone_engine.records.jobs import Progress
from clone_engine.records.phases import CLEANING_UP
from clone_engine.running.pace import Pace
from clone_engine.running.progress import Account
from clone_engine.running.reporting import Say
from clone_engine.running.workers import Workers

NEWS_INTERVAL: Final = 0.4
"""Seconds between two Advanced lines: at least two a second, with room for a busy machine."""


class Telling:
    """Of one job.  `run` it as a task.

    `waiting` is the phase of a job that waits and does nothing else, or '' · `clock` is one that is never set.
    """

    def __init__(
        self, say: Say, workers: Workers, waiting: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._workers = workers
        self._waiting = waiting
        self._clock = clock
        self._account: Account | None = None
        self._phase = ""
        self._pace = Pace()
        self._over = False

    def __repr__(self) -> str:
        return f"<Telling {self._now().phase or 'nothing yet'}>"

    async def run(self) -> None:
        """Returns when the job has ended: nothing may follow the last progress, it would take a step back."""
        while not self._over:
            self._tell()
            await asyncio.sleep(NEWS_INTERVAL)

    def phase(self, name: str) -> None:
        """The job itself does something that is no step of a copier."""
        self._phase = name
        self._tell()

    def begin(self, account: Account) -> None:
        """Steps are about to be done; from now on the phase is theirs."""
        self._account = account
        self._phase = ""

    def completed(self) -> None:
        """The last word on a job that is completed."""
        self._over = True
        if self._account:
            self._say(Advanced(msgspec.structs.replace(self._account.ended(), workers=self._workers.ended())))

    def failed(self) -> Progress:
        """The job ends otherwise, and is being cleaned up.  The last word, for `Advanced`, when that is done."""
        self._over = True
        last = msgspec.structs.replace(self._now(), rows_per_second=None, seconds_left=None)
        self._say(Advanced(msgspec.structs.replace(last, phase=CLEANING_UP)))
        return last

    def _tell(self) -> None:
        if self._account:
            self._pace.note(self._clock(), self._account.progress().rows_copied, self._account.work)
        self._say(Advanced(self._now()))

    def _now(self) -> Progress:
        if self._account is None:
            return Progress(phase=self._waiting() or self._phase)
        progress = self._account.progress()
        return msgspec.structs.replace(
            progress,
            phase=self._waiting() or self._phase or progress.phase,
            rows_per_second=self._pace.rows_per_second,
            seconds_left=self._pace.seconds_left,
            workers=self._workers.now(),
        )
