"""Job processes as the manager sees them: started, spoken to, listened to, stopped.

One process per job, in a session of its own.  What the lines mean is the manager's business; how they look is
`channel.py`'s.  Credentials go over the pipe only: argv holds nothing, and the environment is made here from a list.
"""

from __future__ import annotations

import asyncio
import os
import signal
import site
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from clone_engine.jobs.dispatcher import DispatchError
from clone_engine.jobs.forking import Forked, Forker, Streams
from clone_engine.records.channel import Cancel, FromJob, Start, ToJob, decode_from_job, encode
from clone_engine.records.request import SECRET_KEYWORDS

log = structlog.get_logger()

MAX_LINE = 4 * 1024 * 1024
"""Bytes.  A longer line is no message of ours; without a limit one process could fill the proxy's memory."""
MAX_LOGGED = 2_000
FIRST = 0.5
"""Seconds after which it is seen to that the first job, too, finds what its process is forked from: when it starts, the
proxy has enough to do."""
CHUNK = 65_536

PASSED_ON = frozenset(
    {
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "VIRTUAL_ENV",
    }
)
"""The variables that a job process gets, besides LC_*.  A list of what may pass, because a list of what may not would
miss a secret: no PG* reaches libpq or pg_dump, no DATABASE_URL, no setting of the proxy."""


class StopLimits(msgspec.Struct, frozen=True):
    """Seconds that a job process has to end by itself, before the next and harder way of stopping it."""

    cancel: float = 10.0
    """After the Cancel line: it cancels what the servers do and removes what is half done."""
    terminate: float = 3.0
    """After SIGTERM; then its whole process group is killed."""
    ended: float = 3.0
    """After its Ended line."""


DEFAULT_LIMITS = StopLimits()


class JobProcesses:
    """Has jobs done by processes on this host, one for each, forked from one that has all imported already."""

    def __init__(
        self,
        environment: Mapping[str, str],
        limits: StopLimits = DEFAULT_LIMITS,
        command: tuple[str, ...] = (sys.executable, "-P", "-m", "clone_engine.running"),
    ) -> None:
        self._limits = limits
        self._forker = Forker(command, job_environment(environment))
        self._readying: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<JobProcesses {self._forker!r}>"

    async def open(self) -> None:
        self._readying = asyncio.create_task(self._ready_soon(), name="readying for jobs")

    async def start(self, start: Start) -> JobProcess:
        forked, streams = await self._forker.fork()
        child = JobProcess(start, forked, streams, self._limits)
        child.send(start)
        return child

    async def close(self) -> None:
        if self._readying:
            self._readying.cancel()
        await self._forker.close()

    async def _ready_soon(self) -> None:
        await asyncio.sleep(FIRST)
        with suppress(DispatchError):  # the first job will say it
            await self._forker.ready()


class JobProcess:
    """One running job process, as `dispatcher.Work` has it; `close` leaves no process behind."""

    def __init__(self, start: Start, forked: Forked, streams: Streams, limits: StopLimits) -> None:
        self.job_id = start.job_id
        self._forked = forked
        self._streams = streams
        self._limits = limits
        self._secrets = [
            value
            for conninfo in (start.source, start.target)
            for keyword, value in conninfo.parameters.items()
            if keyword in SECRET_KEYWORDS and value
        ]
        self._messages = _lines(streams.stdout)
        self._logging = asyncio.create_task(self._log_stderr(), name=f"stderr of job {self.job_id}")

    def __repr__(self) -> str:
        return f"<JobProcess of job {self.job_id}, pid {self.pid}, {self.ending or 'running'}>"

    @property
    def pid(self) -> int:
        return self._forked.pid

    @property
    def ending(self) -> str:
        """'exit code 1' or 'SIGKILL'; '' while it runs."""
        return self._forked.ending

    def send(self, message: ToJob) -> None:
        if not self._streams.stdin.is_closing():
            self._streams.stdin.write(encode(message))

    async def receive(self) -> list[FromJob]:
        lines: list[bytes] = await anext(self._messages, [])
        try:
            return [decode_from_job(line) for line in lines]
        except msgspec.DecodeError:
            raise DispatchError("job process sent a line that is no message") from None

    async def stop(self) -> bool:
        """Ask it to cancel, then terminate it, then kill it; returns when it is gone.  Whether asking was enough."""
        self.send(Cancel())
        if await self._gone(self._limits.cancel):
            return True
        await self._terminate()
        return False

    async def close(self) -> None:
        try:
            if not await self._gone(self._limits.ended):
                await self._terminate()
            await asyncio.wait([self._logging], timeout=self._limits.ended)
        finally:
            self._forked.kill_group()
            self._logging.cancel()
            await self._messages.aclose()
            self._streams.close()

    async def _terminate(self) -> None:
        log.warning("job process does not stop, terminating it", job_id=self.job_id, pid=self.pid)
        self._forked.terminate()
        if not await self._gone(self._limits.terminate):
            log.warning("job process does not stop, killing it", job_id=self.job_id, pid=self.pid)
            self._forked.kill_group()
            if not await self._gone(self._limits.terminate):  # the one who would say it hangs
                self._forked.ended(-signal.SIGKILL)

    async def _gone(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self._forked.exited], timeout=seconds)
        return bool(done)

    async def _log_stderr(self) -> None:
        stderr = self._streams.stderr
        try:
            async for lines in _lines(stderr):
                for line in lines:
                    self._log_line(line)
        except DispatchError:
            log.warning("job process wrote a line to stderr that is too long", job_id=self.job_id)
            while await stderr.read(CHUNK):
                pass  # else the process would wait for us

    def _log_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        log.warning("job process wrote to stderr", job_id=self.job_id, line=text[:MAX_LOGGED])


def job_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a job process, made from the proxy's."""
    passed_on = {name: value for name, value in environment.items() if name in PASSED_ON or name.startswith("LC_")}
    package_root = str(Path(__file__).resolve().parents[2])
    python_path = [package_root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    return passed_on | {
        # libpq looks for .pgpass, service files and client certificates below HOME: there is none.
        "HOME": "/nonexistent",
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONUNBUFFERED": "1",
    }


async def _lines(reader: asyncio.StreamReader) -> AsyncGenerator[list[bytes], None]:
    """The complete lines of each read, without their newlines; a last line without a newline is dropped."""
    rest = b""
    while chunk := await reader.read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise DispatchError("job process sent a line that is too long")
        if lines:
            yield lines
