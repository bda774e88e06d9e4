"""One serving process as the first process sees it: started, spoken to, handed connections, ended.

What is said is `channel.py`, when and why `supervisor.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from clone_engine.jobs.children import job_environment
from proxy.processes.channel import FromServing, Load, ToServing, decode_from_serving
from proxy.processes.link import Link

COMMAND = (sys.executable, "-P", "-m", "proxy.processes.serving_process")
NUMBER_BYTES = 8
END_SECONDS = 5.0
"""That a process has to end by itself once it is told to; its sessions have less."""


class Child:
    """A process that runs, or has ended; `end` leaves none behind."""

    def __init__(self, place: int, process: Process, link: Link[FromServing], handing: socket.socket) -> None:
        self.place = place
        self.responds = True
        """Whether it does anything; `pulse` knows."""
        self._process = process
        self._link = link
        self._handing = handing
        self._handed = self._taken = self._open = 0
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bool]] = {}

    def __repr__(self) -> str:
        return f"<Child {self.place}, pid {self.pid}, {self.connections} connections>"

    @classmethod
    async def start(cls, place: int, environment: Mapping[str, str]) -> Child:
        """A new process.  OSError if the system has no room for it."""
        (ours, theirs), (handing, taking) = socket.socketpair(), socket.socketpair()
        with theirs, taking, ExitStack() as on_failure:
            on_failure.enter_context(ours)
            on_failure.enter_context(handing)
            process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=theirs.fileno(), stdout=taking.fileno(), env=child_environment(environment)
            )
            on_failure.pop_all()
        handing.setblocking(False)
        return cls(place, process, await Link.over(ours, decode_from_serving), handing)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def connections(self) -> int:
        """How many it has, with those that are on their way to it."""
        return self._handed - self._taken + self._open

    @property
    def unsent(self) -> int:
        """Bytes that it has not taken yet."""
        return self._link.unsent

    def hand_over(self, client: socket.socket, number: int) -> bool:
        """Have it serve a client; False if it does not take any now."""
        try:
            socket.send_fds(self._handing, [number.to_bytes(NUMBER_BYTES)], [client.fileno()])
        except OSError:
            return False
        self._handed += 1
        return True

    def loaded(self, load: Load) -> None:
        """Take what it says of its connections."""
        self._taken, self._open = load.taken, load.open

    def send(self, message: ToServing) -> None:
        """Say something; nothing happens if it has ended."""
        self._link.send(message)

    def ask(self, question: Callable[[int], ToServing]) -> asyncio.Future[bool]:
        """The answer to the question that is made with its number; False if the process ends first."""
        number = next(self._numbers)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self.send(question(number))
        return answer

    def answered(self, number: int, answer: bool) -> None:
        """Take the answer to a question."""
        waiting = self._answers.pop(number, None)
        if waiting and not waiting.done():
            waiting.set_result(answer)

    async def receive(self) -> FromServing | None:
        """What it says next; None when it has ended, or is about to."""
        return await self._link.receive()

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> str:
        """Let it end, and make it if it does not; how it ended, as 'exit code 1' or 'SIGKILL'."""
        self._link.close()
        self._handing.close()
        for number in list(self._answers):
            self.answered(number, False)
        try:
            async with asyncio.timeout(END_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a serving process: what a job process has, and where its files are looked for."""
    kept = job_environment(environment)
    del kept["PYTHONUNBUFFERED"]  # would cut log lines in two, which several processes write
    return kept | {"HOME": environment.get("HOME", os.path.expanduser("~"))}  # noqa: PTH111
