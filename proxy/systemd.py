"""The service manager: what it is told of the proxy's state, and the sockets that it has opened in the proxy's place.

The protocols of sd_notify(3), sd_watchdog_enabled(3) and sd_listen_fds(3).  Without a service manager nothing happens
here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from proxy.config import ConfigError

FIRST_PASSED = 3


class ServiceManager:
    """Who started the proxy, if it wants to hear of its state."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._serving = False
        self._patience = _number(environment, "WATCHDOG_USEC") / 1e6 if watched else 0.0

    def __repr__(self) -> str:
        return f"<ServiceManager {self._address!r}>"

    def ready(self, status: str) -> None:
        """The proxy serves clients; `status` is a line for people."""
        self._serving = True
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read; `reloaded` follows.  Neither is told before `ready` or after `stopping`."""
        if self._serving:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self, status: str) -> None:
        """The configuration has been read, whatever came of it."""
        if self._serving:
            self.ready(status)

    def stopping(self) -> None:
        """The proxy is about to end."""
        self._serving = False
        self._tell("STOPPING=1", "STATUS=waiting for clients and jobs")

    async def keep_informed(self) -> None:
        """Tell that the event loop turns, again and again, if the service manager wants to hear that: it ends a proxy
        that has told it nothing for too long."""
        while self._patience:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._patience / 2)

    def _tell(self, *lines: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)


def _number(environment: Mapping[str, str], name: str) -> int:
    given = environment.get(name, "0")
    if not (given.isascii() and given.isdigit()):
        raise ConfigError(f"environment variable {name}, which the service manager sets, is no number")
    return int(given)


def passed_sockets(environment: Mapping[str, str]) -> list[socket.socket]:
    """The sockets to listen at that this process was started with; none without socket activation.

    ConfigError if one is of another kind.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    numbers = range(FIRST_PASSED, FIRST_PASSED + _number(environment, "LISTEN_FDS"))
    try:
        sockets = [socket.socket(fileno=number) for number in numbers]
    except OSError:
        raise ConfigError("what the service manager passes is no socket: use ListenStream=") from None
    for sock in sockets:
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ConfigError("a socket that the service manager passes is none to listen at: use ListenStream=")
        sock.set_inheritable(False)
        sock.setblocking(False)
    return sockets
