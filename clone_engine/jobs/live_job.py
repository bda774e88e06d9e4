"""The part of an unfinished job that ends with it: credentials, its process, and what the store has not got yet.

Talks with the job process; what its messages mean for the record is the manager's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from clone_engine.jobs.dispatcher import Dispatcher, DispatchError, Work
from clone_engine.jobs.ledger import Unsaved
from clone_engine.jobs.verdicts import Asked
from clone_engine.records.channel import Advanced, Done, Ended, Forerunner, FromJob, Keep, Kept, Reported, Start, Undone
from clone_engine.records.jobs import Job, Progress
from clone_engine.records.request import Conninfo


class LiveJob:
    """One unfinished job, waiting or running.

    `done` are the keys of what the jobs that it goes on from have done, `earlier` these jobs, the last one first;
    `waited_by` is the server process of a session that does nothing until the job has ended, or 0.
    """

    def __init__(
        self,
        source: Conninfo,
        target: Conninfo,
        done: Sequence[str] = (),
        earlier: tuple[Forerunner, ...] = (),
        waited_by: int = 0,
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        """Brings the job to its end; None while it waits."""
        self.asked: Asked = ""
        self.finished: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self.unsaved = Unsaved()
        self.saved_at = 0.0
        """When the store last got the record, by the event loop's clock."""
        self._hearers: list[Callable[[FromJob], None]] = []
        self.source = source
        self.target = target
        self.done = tuple(done)
        self._earlier = earlier
        self._waited_by = waited_by
        self._stop_asked = asyncio.Event()

    def __repr__(self) -> str:
        return f"<LiveJob {'started' if self.task else 'waiting'}{f', asked to {self.asked}' if self.asked else ''}>"

    @contextmanager
    def heard_by(self, hear: Callable[[FromJob], None] | None) -> Iterator[None]:
        """Within the block `hear` is told what the job process says, once it is kept."""
        if hear:
            self._hearers.append(hear)
        try:
            yield
        finally:
            if hear:
                self._hearers.remove(hear)

    def ask_to_stop(self, why: Asked) -> None:
        """The first reason counts: a job that was cancelled before a shutdown is cancelled."""
        self.asked = self.asked or why
        self._stop_asked.set()

    def first_line(self, job: Job, default_parallel: int, retry_for: float) -> Start:
        """All that the job process has to know."""
        return Start(
            job_id=job.job_id,
            request=job.request,
            source=self.source,
            target=self.target,
            parallel=job.request.options.parallel or default_parallel,
            name=job.name_on_target,
            retry_for=retry_for,
            waited_by=self._waited_by,
            done=self.done,
            earlier=self._earlier,
        )

    async def converse(
        self, dispatcher: Dispatcher, first_line: Start, take: Callable[[Progress | None], Awaitable[None]]
    ) -> tuple[Ended | None, str]:
        """Run the job process until it is gone: its last word, if it had one, and how it ended.

        `take` is called after each reading, with the newest progress if there is any, while `unsaved` has the rest.
        """
        if self.asked:  # while it was written down that the job runs
            return Ended("cancelled"), ""
        try:
            work = await dispatcher.start(first_line)
        except DispatchError as failure:
            return Ended("failed", "58000", str(failure)), ""
        stopper = asyncio.create_task(self._stop_when_asked(work), name=f"stop of job {first_line.job_id}")
        ended: Ended | None = None
        try:
            while ended is None and (messages := await work.receive()):
                progress, ended = self._sort(messages)
                await take(progress)
                for hear in self._hearers:
                    for message in messages:
                        hear(message)
                asked = [message.number for message in messages if isinstance(message, Keep)]
                if asked and not self.unsaved:
                    work.send(Kept(asked[-1]))
        except DispatchError as failure:
            ended = Ended("failed", "58000", str(failure))
        finally:
            stopper.cancel()
            await work.close()
        return ended, work.ending

    async def _stop_when_asked(self, work: Work) -> None:
        await self._stop_asked.wait()
        await work.stop()

    def _sort(self, messages: list[FromJob]) -> tuple[Progress | None, Ended | None]:
        newest: Progress | None = None
        ended: Ended | None = None
        for message in messages:
            match message:
                case Advanced(progress):
                    newest = progress
                case Done(key):
                    self.unsaved.done.append(key)
                case Undone(key):
                    self.unsaved.undone.append(key)
                case Reported(outcome):
                    self.unsaved.outcomes.append(outcome)
                case Ended():
                    ended = message
        return newest, ended
