"""The sockets that clients connect to, bound: TCP addresses and a unix socket.

Bound here rather than by asyncio, so that every failure gets its own sentence.  Accepting is `server.py`'s business.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

from proxy.config import ConfigError, ServerSettings


def socket_path(settings: ServerSettings) -> Path | None:
    """Where the unix socket is; None for no such socket."""
    directory = settings.unix_socket_dir
    return Path(directory) / f".s.PGSQL.{settings.listen_port}" if directory else None


def addresses(sockets: Iterable[socket.socket]) -> list[str]:
    """Where clients connect."""
    names = (sock.getsockname() for sock in sockets)
    return [name if isinstance(name, str) else f"{name[0]}:{name[1]}" for name in names]


def bound_sockets(settings: ServerSettings) -> list[socket.socket]:
    """The sockets, which do not listen yet.  ConfigError, with nothing bound, if an address cannot be had."""
    sockets: list[socket.socket] = []
    try:
        sockets += _tcp_sockets(settings.listen_host, settings.listen_port)
        if path := socket_path(settings):
            sockets.append(_unix_socket(path))
    except ConfigError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _tcp_sockets(host: str, port: int) -> list[socket.socket]:
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
