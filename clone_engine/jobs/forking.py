"""Processes that are forked from one which has all imported already (`running/forker.py`), for a quick beginning.

What the processes do, and what is said to them, is `children.py`'s.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import IO, NamedTuple

import structlog

from clone_engine.jobs.dispatcher import DispatchError

log = structlog.get_logger()

ANSWERS = 20.0
"""Seconds for a fork; one that takes longer does not come any more."""
ENDS = 3.0
"""Seconds that the forker has to end when it is not wanted any more."""
LONGEST_LINE = 1 << 16
READ_AHEAD = 1 << 17
"""Bytes of what a process says that are read before somebody wants them."""


class Forked:
    """A process: its number, its files, and how it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Its exit code, or the negative number of the signal that has killed it.  If nobody is left who could know, it
        was killed."""

    def __repr__(self) -> str:
        return f"<Forked {self.pid}, {self.ending or 'running'}>"

    @property
    def ending(self) -> str:
        """'exit code 1' or 'SIGKILL'; '' while it runs."""
        if not self.exited.done():
            return ""
        code = self.exited.result()
        try:
            return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"

    def terminate(self) -> None:
        """SIGTERM for the process, if it runs."""
        self._signal(os.kill, signal.SIGTERM)

    def kill_group(self) -> None:
        """SIGKILL for the process and those of its group, if it runs."""
        self._signal(os.killpg, signal.SIGKILL)

    def ended(self, code: int) -> None:
        """Note how it ended, if that is not known yet."""
        if not self.exited.done():
            self.exited.set_result(code)

    def _signal(self, send: Callable[[int, int], None], number: signal.Signals) -> None:
        if not self.exited.done():  # later, the number might belong to another
            with suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)


class Streams(NamedTuple):
    """Our ends of the three files of a process."""

    stdin: asyncio.WriteTransport
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    transports: tuple[asyncio.BaseTransport, ...]

    @classmethod
    async def opened(cls) -> tuple[Streams, list[IO[bytes]]]:
        """Ours, and the other ends, which the caller closes.  OSError if there are no files left; then none is kept."""
        loop = asyncio.get_running_loop()
        with ExitStack() as opened:
            (their_in, stdin), (stdout, their_out), (stderr, their_err) = (_pipe(opened) for _ in range(3))
            writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, stdin)
            opened.callback(writing.close)
            says, complains = await _reading(stdout, opened), await _reading(stderr, opened)
            opened.pop_all()
        ours = cls(writing, says[0], complains[0], (writing, says[1], complains[1]))
        return ours, [their_in, their_out, their_err]

    def close(self) -> None:
        """Close ours; may be called any number of times."""
        for transport in self.transports:
            transport.close()


def _pipe(opened: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """The end to read from and the one to write to, which are closed with `opened`."""
    reading, writing = os.pipe()
    return opened.enter_context(os.fdopen(reading, "rb", 0)), opened.enter_context(os.fdopen(writing, "wb", 0))


async def _reading(file: IO[bytes], opened: ExitStack) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader(READ_AHEAD)
    protocol = partial(asyncio.StreamReaderProtocol, reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(protocol, file)
    opened.callback(transport.close)
    return reader, transport


class Forker:
    """Gives processes, from a process that is started when it is needed first, and again when it has died or takes more
    than `answers` seconds to give one."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], answers: float = ANSWERS) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._answers = answers
        self._running: _Running | None = None
        self._starting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Forker {' '.join(self._command)}>"

    async def ready(self) -> _Running:
        """Start what processes are forked from, if it does not run.  DispatchError if it cannot be started."""
        async with self._starting:
            if self._running is None or self._running.over:
                self._running = await _Running.start(self._command, self._environment)
            return self._running

    async def fork(self) -> tuple[Forked, Streams]:
        """A process in a session of its own, and the way to it.  DispatchError if there can be none."""
        running = await self.ready()
        try:
            streams, theirs = await Streams.opened()
        except OSError as error:
            raise DispatchError(f"job process could not be started: {error.strerror}") from error
        try:
            return await running.fork([file.fileno() for file in theirs], self._answers), streams
        except BaseException:
            streams.close()
            raise
        finally:
            for file in theirs:
                file.close()

    async def close(self) -> None:
        """End what processes are forked from, and kill those that still run."""
        async with self._starting:
            if self._running:
                await self._running.close()
            self._running = None


class _Running:
    """One process that forks, and the lines that it says."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self.over = False
        self._process = process
        self._control = control
        self._rest = b""
        self._asked: deque[asyncio.Future[Forked]] = deque()
        self._forked: dict[int, Forked] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control.fileno(), self._readable)
        self._logging = asyncio.create_task(self._log(), name="stderr of the forker")

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> _Running:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=theirs.fileno(),
                    stdout=DEVNULL,
                    stderr=PIPE,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise DispatchError(f"job process could not be started: {error.strerror}") from error
        return cls(process, ours)

    async def fork(self, files: Sequence[int], answers: float) -> Forked:
        asked: asyncio.Future[Forked] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [b"+"], files)
        except OSError as error:
            raise DispatchError(f"job process could not be started: {error.strerror}") from error
        self._asked.append(asked)
        try:
            async with asyncio.timeout(answers):
                return await asked
        except TimeoutError:
            log.warning("what job processes are forked from does not answer, killing it")
            self._process.kill()
            self._end()
            raise DispatchError("job process could not be started: what starts it does not answer") from None

    async def close(self) -> None:
        self._end()
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
        self._logging.cancel()

    def _readable(self) -> None:
        try:
            data = self._control.recv(LONGEST_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(*line.decode().split())
        if not data:
            self._end()

    def _take(self, what: str, *numbers: str) -> None:
        first, *more = map(int, numbers)
        match what:
            case "ended":
                if forked := self._forked.pop(first, None):
                    forked.ended(more[0])
            case "forked":
                forked = self._forked[first] = Forked(first)
                self._answer(forked)
            case _:
                self._answer(DispatchError(f"job process could not be started: {os.strerror(first)}"))

    def _answer(self, answer: Forked | DispatchError) -> None:
        asked = self._asked.popleft()
        if asked.done():
            return  # nobody waits any more; the process finds its files closed, and ends
        if isinstance(answer, Forked):
            asked.set_result(answer)
        else:
            asked.set_exception(answer)

    def _end(self) -> None:
        """It has died, or is to end: so are those that it has forked."""
        if self.over:
            return
        self.over = True
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        while self._asked:
            self._answer(DispatchError("job process could not be started: what starts it has died"))
        for forked in self._forked.values():
            forked.kill_group()
            forked.ended(-signal.SIGKILL)
        self._forked.clear()

    async def _log(self) -> None:
        assert self._process.stderr
        while line := await self._process.stderr.readline():
            log.warning(
                "what job processes are forked from wrote to stderr", line=line.decode("utf-8", "replace")[:2000]
            )
