"""The process of one job, as the forker has it; by hand, `python -m clone_engine.running.job_process`.

It reads a Start line on standard input, forks its copiers, does the job, and says on standard output how that goes
(`channel.py`).  A Cancel line, the end of standard input (the manager has gone) or SIGTERM cancels the job.  Nothing
comes from its arguments or environment; standard error gets what is wrong with the process itself, without secrets.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn

import msgspec

from clone_engine.planning.plan import prepare
from clone_engine.records.channel import Cancel, Ended, FromJob, Kept, Reported, Start, decode_to_job, encode
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.running.copier import Planner, serve
from clone_engine.running.crew import Crew, Forked, fork_crew, place
from clone_engine.running.failures import JobError
from clone_engine.running.job import Job
from clone_engine.servers.connect import forget_environment

LONGEST_LINE: Final = 1 << 26
"""Bytes of a Start line: it lists the done steps of an earlier job."""
LONGEST_TEXT: Final = 2000
"""Characters kept of a message: servers quote values of any size, and the text is stored and shown in views."""
MANAGER_PIPE, JOB_PIPE = 0, 1


def main(planner: Planner) -> int:
    """Do the job that standard input describes; 0 if it has ended one way or other, 2 if there is no job to do."""
    forget_environment()
    line, rest = _first_line()
    try:
        start = decode_to_job(line)
    except (msgspec.DecodeError, msgspec.ValidationError):
        start = None
    if not isinstance(start, Start):
        log("standard input does not begin with a Start line")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the manager decides
    forked = fork_crew(max(1, start.parallel), partial(serve, start=start, planner=planner))
    asyncio.run(_to_the_end(JobProcess(start, forked), rest))
    return 0


async def _to_the_end(process: JobProcess, rest: bytes) -> NoReturn:
    await process.run(rest)
    # All is said and closed.  Python would wait for threads in which the system looks up a host's name, in vain.
    os._exit(0)


class JobProcess:
    """The pipes of a job process, and the one end that its job comes to."""

    def __init__(self, start: Start, forked: list[Forked]) -> None:
        self._start = start
        self._crew = Crew(forked)
        self._job = Job(start, self._crew, self._say)
        self._working: asyncio.Task[None] | None = None
        self._failed_at = ""

    async def run(self, rest: bytes) -> None:
        """From the first word to Ended; `rest` is what came behind the Start line."""
        self._working = asyncio.create_task(self._job.work())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._cancel)
        listening = asyncio.create_task(self._listen(rest))
        ended = await self._end()
        await self._crew.stop(signalled=ended.status != "completed")
        if ended.status != "completed":
            await self._job.clean_up(self._failed_at)
        if ended.status == "failed" and (left := self._job.left_behind()):
            ended = msgspec.structs.replace(ended, error=f"{ended.error}\n{left}")
        await self._job.close()
        listening.cancel()
        self._say(ended)

    async def _end(self) -> Ended:
        """How the job ended.  The broad catch is the edge of the job: our own bug is a failed job, with its kind."""
        assert self._working is not None, "run() makes it"
        try:
            await self._working
        except asyncio.CancelledError:
            return Ended("cancelled")
        except JobError as failed:
            return self._failed(failed.error, failed.object)
        except Exception as error:
            log("internal error", job_id=self._start.job_id, kind=type(error).__name__, place=place(error))
            return self._failed(PgError("XX000", f"pgclone: internal error ({type(error).__name__})"), "")
        return Ended("completed")

    def _failed(self, error: PgError, object_: str) -> Ended:
        self._failed_at = object_
        if object_:
            self._say(Reported(Outcome(object_, "failed", error.sqlstate, _shortened(error.message))))
        return Ended("failed", error.sqlstate, error_text(error, object_))

    async def _listen(self, rest: bytes) -> None:
        """Take the manager's lines; a Cancel line or the end of standard input cancels the job."""
        reader = asyncio.StreamReader()
        reader.feed_data(rest)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(MANAGER_PIPE, "rb"))
        while line := await reader.readline():
            with suppress(msgspec.DecodeError, msgspec.ValidationError):
                match decode_to_job(line):
                    case Kept(number):
                        self._job.answer(number)
                    case Cancel():
                        self._cancel()
        self._job.answer(0)
        self._cancel()

    def _cancel(self) -> None:
        if self._working:
            self._working.cancel()

    def _say(self, message: FromJob) -> None:
        """One line to the manager.  If it has gone, so goes the job."""
        data = memoryview(encode(message))
        try:
            while data:
                data = data[os.write(JOB_PIPE, data) :]
        except BrokenPipeError:
            self._cancel()


def error_text(error: PgError, object_: str) -> str:
    """The one text that a failed job keeps: where, the server's words, their detail and hint."""
    text = f"{object_}: {_shortened(error.message)}" if object_ else _shortened(error.message)
    if error.detail:
        text += f"\nDETAIL:  {_shortened(error.detail)}"
    return text + (f"\nHINT:  {_shortened(error.hint)}" if error.hint else "")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def log(event: str, **fields: object) -> None:
    """A sentence and its fields, as one JSON line on standard error."""
    print(json.dumps({"event": event, **fields}), file=sys.stderr, flush=True)


def _first_line() -> tuple[bytes, bytes]:
    """The first line of standard input, and what was read behind it.  Unbuffered, as the event loop reads on."""
    data = b""
    while b"\n" not in data and len(data) < LONGEST_LINE and (more := os.read(MANAGER_PIPE, 1 << 16)):
        data += more
    line, _, rest = data.partition(b"\n")
    return line, rest


if __name__ == "__main__":
    sys.exit(main(prepare))
