"""The copiers of a job, seen from the job process: forked, given records, listened to, ended.

What they are given to do is `foreman.py`'s.  They are forked before the event loop and any connection exist.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

from clone_engine.running import copier_channel as records
from clone_engine.servers.connect import Side

LEAVE_TIMEOUT: Final = 0.7
"""Seconds from SIGTERM to SIGKILL.  A job answers to a cancel within a second."""
LONGEST_LINE: Final = 1 << 30
"""A plan of many thousand statements is one line."""
PR_SET_PDEATHSIG: Final = 1

Event = tuple["Member", records.FromCopier | None] | None
"""What a copier said, None when it has died or left; or, without a copier, that somebody called `wake`."""


class Forked(NamedTuple):
    """A copier's process and our end of its channel."""

    pid: int
    channel: socket.socket


def fork_crew(count: int, serve: Callable[[socket.socket], None]) -> list[Forked]:
    """`count` processes that each run `serve` with their end of a channel, and then exit.  Call it single-threaded."""
    crew: list[Forked] = []
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    for _ in range(count):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            for other in (ours, *(member.channel for member in crew)):
                other.close()  # else it would not end when the job process dies
            _be_copier(parent, theirs, serve)
        theirs.close()
        crew.append(Forked(pid, ours))
    return crew


def _be_copier(parent: int, channel: socket.socket, serve: Callable[[socket.socket], None]) -> NoReturn:
    """Never returns: the parent's stack, with its cleanups, is not the copier's."""
    status = 1
    try:
        os.setpgid(0, 0)  # so that a copier can signal its pg_dump, and a terminal's Ctrl-C is the proxy's alone
        die_with_parent(parent)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)  # the manager sees its pipe end when the job process has
        serve(channel)
        status = 0
    except BaseException as error:  # the edge of the process; nothing may go back into the parent's code
        with suppress(OSError):
            os.write(2, f"copier {os.getpid()} failed: {type(error).__name__} at {place(error)}\n".encode())
    finally:
        os._exit(status)


def place(error: BaseException) -> str:
    """File and line of an unexpected error.  Not its words: they could quote anything."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"


def die_with_parent(parent: int) -> None:
    """Get SIGTERM, which cancels what the servers do, when the parent dies however it dies; exit if it is dead."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


class Member:
    """One copier: what it has said of itself, and the way to it."""

    def __init__(self, forked: Forked) -> None:
        self.pid = forked.pid
        self.channel = forked.channel
        self.backends: dict[Side, int] = {}
        self.committing = False
        """Whether its step may have been committed."""
        self.gone = False

    def __repr__(self) -> str:
        return f"<copier {self.pid}{' gone' if self.gone else ''}>"


class Crew:
    """All copiers of a job.  `events` gets what they say, in order."""

    def __init__(self, forked: list[Forked]) -> None:
        self.members = [Member(one) for one in forked]
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._readers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen."""
        for member in self.members:
            reader, writer = await asyncio.open_unix_connection(sock=member.channel, limit=LONGEST_LINE)
            self._writers[member.pid] = writer
            self._readers.append(asyncio.create_task(self._listen(member, reader)))

    def tell(self, member: Member, record: records.ToCopier) -> None:
        """Send a record.  If the copier has died it is lost, and the event of its death comes."""
        if isinstance(record, records.Work):
            member.committing = False
        self._writers[member.pid].write(records.encode(record))

    def wake(self) -> None:
        """Let whoever waits for an event look round."""
        self.events.put_nowait(None)

    async def stop(self, signalled: bool) -> None:
        """End all copiers: at once if `signalled`, else when they have finished what they do; by force after
        LEAVE_TIMEOUT.  Returns when none is left."""
        for writer in self._writers.values():
            writer.close()
        left = {member.pid for member in self.members}
        if signalled:
            _signal(left, signal.SIGTERM)
        deadline = time.monotonic() + LEAVE_TIMEOUT
        while left := set(_alive(left)):
            if time.monotonic() > deadline:
                _signal(left, signal.SIGKILL)
            await asyncio.sleep(0.01)
        for task in self._readers:
            task.cancel()

    async def _listen(self, member: Member, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                record = records.decode_from_copier(line)
                match record:
                    case records.Connected("source" | "target" as side, pid):
                        member.backends[side] = pid
                    case records.Committing():
                        member.committing = True
                    case _:
                        self.events.put_nowait((member, record))
        member.gone = True
        self.events.put_nowait((member, None))


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _alive(pids: set[int]) -> Iterator[int]:
    """Those of our children that have not exited; the others are reaped."""
    for pid in pids:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                yield pid
