"""The service manager: what it is told of the proxy's state, and the sockets that it has opened in the proxy's place.

The protocols of sd_notify(3) and sd_listen_fds(3).  Without a service manager nothing happens here.
"""

from __future__ import annotations

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

    def __repr__(self) -> str:
        return f"<ServiceManager {self._address!r}>"

    def ready(self, status: str) -> None:
        """The proxy serves clients; `status` is a line for people."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The proxy is about to end."""
        self._tell("STOPPING=1", "STATUS=waiting for clients and jobs")

    def _tell(self, *lines: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto("\n".join(lines).encode(), self._address)


def passed_sockets(environment: Mapping[str, str]) -> list[socket.socket]:
    """The sockets to listen at that this process was started with; none without socket activation.

    ConfigError if one is of another kind.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    sockets = [socket.socket(fileno=number) for number in range(FIRST_PASSED, FIRST_PASSED + count)]
    for sock in sockets:
        if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ConfigError("a socket that the service manager passes is none to listen at: use ListenStream=")
        sock.set_inheritable(False)
        sock.setblocking(False)
    return sockets
