"""The listeners and the open sessions: starting, serving, and stopping in order.

What happens on a connection is `session.py`'s business; jobs outlive connections and belong to the manager.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from proxy.admission import Admission, Admitted, Open
from proxy.cancel import CancelKeys
from proxy.config import ConfigError, ServerSettings
from proxy.login.parties import Parties
from proxy.login.relay import relay
from proxy.session import Interceptor, Session
from proxy.upstream import Target

log = structlog.get_logger()

# Clients get this long to take what is written already, once the proxy stops.
CLOSING_SECONDS = 2.0
BACKLOG = 512


class Server:
    """Accepts clients on TCP and a unix socket; one Session for each."""

    def __init__(
        self, settings: ServerSettings, target: Target, make_interceptor: Callable[[Session], Interceptor]
    ) -> None:
        self._settings = settings
        self.target = target
        self.cancel_keys = CancelKeys(target)
        self._make_interceptor = make_interceptor
        self._connections: set[Open] = set()
        self._numbers = itertools.count(1)
        self._listeners: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"<Server for {self.target.address}, {len(self._connections)} connections>"

    # --- admission.Host, session.Host -------------------------------------------------------------------------

    @property
    def startup_timeout(self) -> float:
        """Seconds that a client has until it is logged in."""
        return self._settings.startup_timeout

    def intercept(self, session: Session) -> Interceptor:
        """Who answers statements of ours on a session."""
        return self._make_interceptor(session)

    async def log_in(self, parties: Parties) -> None:
        """Let client and server authenticate."""
        await relay(parties)

    def open_session(self, admitted: Admitted) -> None:
        """Serve a client that has been let in."""
        Session(admitted, self).begin(admitted)

    def add(self, connection: Open) -> None:
        """A connection is there."""
        self._connections.add(connection)
        self._empty.clear()

    def remove(self, connection: Open) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen.  ConfigError, with nothing listening, if an address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            for sock in self._sockets():
                if sock.family == socket.AF_UNIX:
                    listener = await loop.create_unix_server(self._accept, sock=sock, backlog=BACKLOG)
                else:
                    listener = await loop.create_server(self._accept, sock=sock, backlog=BACKLOG)
                self._listeners.append(listener)
        except ConfigError:
            await self.stop()
            raise
        log.info("listening", addresses=self.addresses, target=self.target.address)

    def stop_listening(self) -> None:
        """Let nobody else in; the open sessions go on.  May be called more than once."""
        while self._listeners:
            self._listeners.pop().close()

    async def empty(self) -> None:
        """Returns when no session is open."""
        await self._empty.wait()

    async def stop(self) -> None:
        """Stop listening and close every session.  Returns when they are closed, or after CLOSING_SECONDS."""
        self.stop_listening()
        for connection in list(self._connections):
            connection.shut_down()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._empty.wait()
        if self._socket_path:
            self._socket_path.unlink(missing_ok=True)

    @property
    def addresses(self) -> list[str]:
        """Where clients connect."""
        tcp = f"{self._settings.listen_host}:{self.port}"
        return [tcp, str(self._socket_path)] if self._socket_path else [tcp]

    @property
    def port(self) -> int:
        """The TCP port: the configured one; where that is 0, the one that the system gave, once it listens."""
        names = (sock.getsockname() for listener in self._listeners for sock in listener.sockets)
        return next((name[1] for name in names if isinstance(name, tuple)), self._settings.listen_port)

    def _accept(self) -> Admission:
        return Admission(next(self._numbers), self)

    # --- sockets ------------------------------------------------------------------------------------------

    @property
    def _socket_path(self) -> Path | None:
        directory = self._settings.unix_socket_dir
        return Path(directory) / f".s.PGSQL.{self._settings.listen_port}" if directory else None

    def _sockets(self) -> list[socket.socket]:
        """The bound sockets.  Bound here rather than by asyncio, so that every failure gets its own sentence."""
        sockets: list[socket.socket] = []
        try:
            sockets += self._tcp_sockets()
            if self._socket_path:
                sockets.append(_unix_socket(self._socket_path))
        except ConfigError:
            for sock in sockets:
                sock.close()
            raise
        return sockets

    def _tcp_sockets(self) -> list[socket.socket]:
        host, port = self._settings.listen_host, self._settings.listen_port
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise ConfigError(f"cannot listen on {host}: {error.strerror}") from None
        return [_tcp_socket(family, address) for family, _, _, _, address in found]


def _tcp_socket(family: int, address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    _bind(sock, address, f"{address[0]!s}:{address[1]!s}")
    return sock


def _unix_socket(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > 107:
        raise ConfigError(f"configuration: server.unix_socket_dir makes a socket path that is too long: {path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
        path.unlink()  # left by a proxy that was killed
    _bind(sock, str(path), str(path))
    path.chmod(0o777)  # as PostgreSQL's: who may log in is the server's decision
    return sock


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _bind(sock: socket.socket, address: object, shown: str) -> None:
    try:
        sock.bind(address)  # type: ignore[arg-type]  # the address is of the socket's own family
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"cannot listen on {shown}: another process is listening there") from None
        raise ConfigError(f"cannot listen on {shown}: {error.strerror}") from None
