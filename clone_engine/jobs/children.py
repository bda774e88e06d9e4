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
from asyncio.subprocess import SubprocessStreamProtocol
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
import structlog

from clone_engine.jobs.dispatcher import DispatchError
from clone_engine.records.channel import Cancel, FromJob, Start, ToJob, decode_from_job, encode
from clone_engine.records.request import SECRET_KEYWORDS

log = structlog.get_logger()

MAX_LINE = 4 * 1024 * 1024
"""Bytes.  A longer line is no message of ours; without a limit one process could fill the proxy's memory."""
MAX_LOGGED = 2_000
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
    """Has jobs done by processes on this host, one for each."""

    def __init__(
        self,
        environment: Mapping[str, str],
        limits: StopLimits = DEFAULT_LIMITS,
        command: tuple[str, ...] = (sys.executable, "-P", "-m", "clone_engine.running.job_process"),
    ) -> None:
        self._environment = job_environment(environment)
        self._limits = limits
        self._command = command

    def __repr__(self) -> str:
        return f"<JobProcesses {' '.join(self._command)}>"

    async def start(self, start: Start) -> JobProcess:
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: _Pipes(loop),
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
                close_fds=True,
                start_new_session=True,
            )
        except OSError as error:
            raise DispatchError(f"job process could not be started: {error.strerror}") from error
        child = JobProcess(start, transport, protocol, self._limits)
        child.send(start)
        return child


class JobProcess:
    """One running job process, as `dispatcher.Work` has it; `close` leaves no process behind."""

    def __init__(
        self, start: Start, transport: asyncio.SubprocessTransport, protocol: _Pipes, limits: StopLimits
    ) -> None:
        self.job_id = start.job_id
        self._transport = transport
        self._protocol = protocol
        self._limits = limits
        self._secrets = [
            value
            for conninfo in (start.source, start.target)
            for keyword, value in conninfo.parameters.items()
            if keyword in SECRET_KEYWORDS and value
        ]
        self._messages = _lines(protocol.stdout)
        self._logging = asyncio.create_task(self._log_stderr(), name=f"stderr of job {self.job_id}")

    def __repr__(self) -> str:
        state = "running" if not self._protocol.exited.done() else self.ending
        return f"<JobProcess of job {self.job_id}, pid {self.pid}, {state}>"

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def ending(self) -> str:
        """'exit code 1' or 'SIGKILL'; '' while it runs."""
        code = self._transport.get_returncode()
        if code is None:
            return ""
        try:
            return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    def send(self, message: ToJob) -> None:
        stdin = self._protocol.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(encode(message))

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
            self._protocol.kill_group()
            self._logging.cancel()
            await self._messages.aclose()
            self._transport.close()

    async def _terminate(self) -> None:
        log.warning("job process does not stop, terminating it", job_id=self.job_id, pid=self.pid)
        with suppress(ProcessLookupError):
            self._transport.terminate()
        if not await self._gone(self._limits.terminate):
            log.warning("job process does not stop, killing it", job_id=self.job_id, pid=self.pid)
            self._protocol.kill_group()
            await asyncio.shield(self._protocol.exited)

    async def _gone(self, seconds: float) -> bool:
        done, _ = await asyncio.wait([self._protocol.exited], timeout=seconds)
        return bool(done)

    async def _log_stderr(self) -> None:
        stderr = self._protocol.stderr
        try:
            async for lines in _lines(stderr):
                for line in lines:
                    self._log_line(line)
        except DispatchError:
            log.warning("job process wrote a line to stderr that is too long", job_id=self.job_id)
            while stderr is not None and await stderr.read(CHUNK):
                pass  # else the process would wait for us

    def _log_line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        log.warning("job process wrote to stderr", job_id=self.job_id, line=text[:MAX_LOGGED])


class _Pipes(SubprocessStreamProtocol):
    """The streams of a process, and its exit as soon as it happens.

    asyncio's own Process.wait() may return only when the pipes are closed too, which a surviving copier can delay
    for ever.  So the exit is taken from the callback, and the rest of the group is killed then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=4 * CHUNK, loop=loop)
        self.exited: asyncio.Future[None] = loop.create_future()
        self._pid = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one by behaviour, not by class.
        self._pid = cast(asyncio.SubprocessTransport, transport).get_pid()
        super().connection_made(transport)

    def process_exited(self) -> None:
        super().process_exited()
        self.kill_group()
        if not self.exited.done():
            self.exited.set_result(None)

    def kill_group(self) -> None:
        """Kill what is left of the process and of those it has started; nothing after its exit was handled."""
        # Later, the number might belong to another group; and group 0 would be our own.
        if self._pid and not self.exited.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)


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


async def _lines(reader: asyncio.StreamReader | None) -> AsyncGenerator[list[bytes], None]:
    """The complete lines of each read, without their newlines; a last line without a newline is dropped."""
    rest = b""
    while reader is not None and (chunk := await reader.read(CHUNK)):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE:
            raise DispatchError("job process sent a line that is too long")
        if lines:
            yield lines
