"""The sockets that clients connect to, bound: TCP addresses and a unix socket, which has a lock (`socket_lock`).

Bound here rather than by asyncio, so that every failure gets its own sentence.  Accepting is `accepting.py`'s business.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from proxy import socket_lock
from proxy.config import ConfigError, ServerSettings
from proxy.own_addresses import Listeners

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As the socket module has it; the last one is of machines without IPv6."""
Name = str | tuple[str, int]
"""The path of a unix socket (of an abstract one with @ in place of the zero), or an address and a port."""


def socket_path(settings: ServerSettings) -> Path | None:
    """Where the unix socket is; None for no such socket."""
    directory = settings.unix_socket_dir
    return Path(directory) / f".s.PGSQL.{settings.listen_port}" if directory else None


def addresses(sockets: Iterable[socket.socket]) -> list[str]:
    """Where clients connect."""
    return [name if isinstance(name, str) else f"{name[0]}:{name[1]}" for name in map(_name, sockets)]


def listeners_at(sockets: Sequence[socket.socket]) -> Listeners:
    """Where these listen."""
    names = [*map(_name, sockets)]
    tcp = frozenset(name for name in names if not isinstance(name, str))
    return Listeners(tcp, frozenset(name for name in names if isinstance(name, str)))


def listeners(settings: ServerSettings) -> Listeners:
    """Where the settings have clients connect, as far as that can be told: the host need not be one on this machine."""
    tcp: frozenset[tuple[str, int]] = frozenset()
    with suppress(ConfigError):
        found = _tcp_addresses(settings.listen_host, settings.listen_port)
        tcp = frozenset((str(address[0]), int(address[1])) for _, address in found)
    path = socket_path(settings)
    return Listeners(tcp, frozenset((str(path),) if path else ()))


def _name(sock: socket.socket) -> Name:
    name = sock.getsockname()
    if sock.family != socket.AF_UNIX:
        return str(name[0]), int(name[1])
    return name if isinstance(name, str) else f"@{name[1:].decode(errors='replace')}"


def bound_sockets(settings: ServerSettings) -> list[socket.socket]:
    """The sockets, which do not listen yet.  ConfigError, with nothing bound, if an address cannot be had."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _tcp_addresses(settings.listen_host, settings.listen_port):
            sockets.append(_tcp_socket(family, address))
        if path := socket_path(settings):
            sockets.append(_unix_socket(path, settings.listen_port))
    except ConfigError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _tcp_addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigError(f"cannot listen on {host}: {error.strerror}") from None
    return [(family, address) for family, _, _, _, address in found]


def _tcp_socket(family: socket.AddressFamily, address: Address) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    _bind(sock, address, f"{address[0]!s}:{address[1]!s}")
    return sock


def remove_unix_socket(settings: ServerSettings) -> None:
    """Remove the unix socket, if this process has bound it."""
    if (path := socket_path(settings)) and socket_lock.is_held(path):
        path.unlink(missing_ok=True)
        socket_lock.release(path)


def _unix_socket(path: Path, port: int) -> socket.socket:
    if len(os.fsencode(path)) > 107:
        raise ConfigError(f"configuration: server.unix_socket_dir makes a socket path that is too long: {path}")
    try:
        socket_lock.acquire(path, port)
        try:
            return _locked_unix_socket(path)
        except BaseException:
            socket_lock.release(path)
            raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise ConfigError(f"cannot listen on {path}: {where}{error.strerror}") from None


def _locked_unix_socket(path: Path) -> socket.socket:
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
