"""The socket beside the job store where a running proxy takes commands: a line of JSON, and one as the answer.

Only the proxy's account (and root) can connect: what a command does is not looked at twice.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from proxy.reload import Reloaded

log = structlog.get_logger()

LONGEST = 107
"""Bytes of a unix socket's path."""
SECONDS = 30.0
"""A command that is not there, or not answered, by then is given up."""

Commands = Mapping[str, Callable[[], Awaitable[Reloaded]]]


class Request(msgspec.Struct, frozen=True):
    """What is asked of the proxy."""

    command: str


class NotRunningError(Exception):
    """No proxy answers."""


def control_path(store: str) -> Path:
    """Where the proxy with that job store listens for commands."""
    return Path(f"{store}.control")


class ControlSocket:
    """Has commands done.  The job store must be taken already: who has that has the socket, too."""

    def __init__(self, path: Path, commands: Commands) -> None:
        self._path = path
        self._commands = commands
        self._listener: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"<ControlSocket {self._path}>"

    async def start(self) -> None:
        """Listen; where that is not possible, that is logged, and signals have to do."""
        sock = socket.socket(socket.AF_UNIX)
        try:
            if len(os.fsencode(self._path)) > LONGEST:
                raise OSError(0, "the path is too long for a socket")
            self._path.unlink(missing_ok=True)  # of a proxy that was killed
            sock.bind(str(self._path))
            self._path.chmod(0o600)  # before it listens
        except OSError as error:
            sock.close()
            log.warning("no commands can be received", socket=str(self._path), reason=error.strerror)
            return
        self._listener = await asyncio.start_unix_server(self._serve, sock=sock)

    async def stop(self) -> None:
        """Listen no more."""
        if self._listener:
            self._listener.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(TimeoutError, ValueError, OSError, msgspec.DecodeError):
                async with asyncio.timeout(SECONDS):
                    request = msgspec.json.decode(await reader.readline(), type=Request)
                    writer.write(msgspec.json.encode(await self._do(request)) + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    async def _do(self, request: Request) -> Reloaded:
        command = self._commands.get(request.command)
        return await command() if command else Reloaded(problems=(f"this proxy knows no command {request.command!r}",))


def ask(path: Path, command: str) -> Reloaded:
    """Have the proxy at `path` do `command`.  NotRunningError if there is none, or it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rwb") as lines:
            sock.settimeout(SECONDS)
            sock.connect(str(path))
            lines.write(msgspec.json.encode(Request(command)) + b"\n")
            lines.flush()
            return msgspec.json.decode(lines.readline(), type=Reloaded)
    except (OSError, msgspec.DecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it does not answer"
        raise NotRunningError(
            f"no running proxy is reached at {path}, where the job store (jobs.store) would have it: {reason}"
        ) from None
