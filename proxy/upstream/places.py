"""The hosts that a conninfo lists (libpq chapter 34.1.1), and the addresses behind their names.

In which order they are tried, and what of, is `target.py`'s business.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import NamedTuple

from proxy.config import ConfigError

SOCKET_DIRECTORIES = ("/var/run/postgresql", "/tmp")
"""Where servers have their sockets: Debian's and PostgreSQL's own default."""

ANYWHERE_HERE = (*SOCKET_DIRECTORIES, "localhost")
"""What an empty host stands for."""


class Place(NamedTuple):
    """One host of the list."""

    host: str
    """A name, an address, or the directory of a unix socket (with a @ in front: an abstract one)."""
    hostaddr: str
    """The address, where it is given; the host is then only what the certificate must name."""
    port: int

    @property
    def socket_path(self) -> str:
        """The path of the unix socket; '' for TCP."""
        if self.hostaddr or not self.host.startswith(("/", "@")):
            return ""
        return f"{self.host.rstrip('/')}/.s.PGSQL.{self.port}"

    def __str__(self) -> str:
        name = self.host or self.hostaddr
        return self.socket_path or (f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}")


class Route(NamedTuple):
    """The way to one server process: a place, its address, and whether the connection there is encrypted."""

    place: Place
    address: str
    """What the host's name has led to; the path of a unix socket."""
    encrypted: bool

    @property
    def parameters(self) -> dict[str, str]:
        """What of a conninfo leads to this very server: all that name a host, '' for what they are to leave open."""
        hostaddr = "" if self.place.socket_path else self.address
        return {"host": self.place.host, "hostaddr": hostaddr, "port": str(self.place.port)}


def places(parameters: Mapping[str, str]) -> tuple[Place, ...]:
    """The hosts that the parameters list.  ConfigError where the lists do not fit each other, or hold what is none."""
    hosts, addresses = (parameters.get(key, "") for key in ("host", "hostaddr"))
    count = (addresses or hosts).count(",") + 1
    ports = _each("port", parameters.get("port", ""), count, repeated=True)
    found: list[Place] = []
    for host, address, port in zip(
        _each("host", hosts, count), _each("hostaddr", addresses, count), map(_port, ports), strict=True
    ):
        _check_address(address)
        names = (host,) if host or address else ANYWHERE_HERE
        found += (Place(name, address, port) for name in names)
    return tuple(found)


def listed(places: tuple[Place, ...]) -> dict[str, str]:
    """The same hosts as parameters, for libpq: it then need not know where the sockets are."""
    lists = zip(*((place.host, place.hostaddr, str(place.port)) for place in places), strict=True)
    joined = {key: ",".join(values) for key, values in zip(("host", "hostaddr", "port"), lists, strict=True)}
    return {key: value for key, value in joined.items() if value.strip(",")}


async def addresses(place: Place) -> list[str]:
    """The addresses of a place, in the resolver's order; the path of a unix socket.  OSError if its name has none."""
    if place.socket_path:
        return [place.socket_path]
    name = place.hostaddr or place.host
    if is_address(name):
        return [name]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, place.port, type=socket.SOCK_STREAM)
    except UnicodeError:  # labels that are empty or too long, before any resolver is asked
        raise OSError(f"{name} cannot be the name of a host") from None
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))


def is_address(name: str) -> bool:
    """Whether this is an IP address and no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _each(keyword: str, value: str, count: int, *, repeated: bool = False) -> list[str]:
    """The elements of a list: as many as there are hosts, or one for all where that may be."""
    elements = [element.strip() for element in value.split(",")]
    if len(elements) == 1 and (repeated or not value):
        elements *= count
    if len(elements) != count:
        raise ConfigError(
            f"configuration: server.target has {len(elements)} values of {keyword} for {count} hosts: give each its own"
        )
    return elements


def _port(text: str) -> int:
    if not text:
        return 5432
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ConfigError("configuration: the port of server.target must be from 1 to 65535")
    return int(text)


def _check_address(address: str) -> None:
    if address and not is_address(address):
        raise ConfigError(f"configuration: hostaddr of server.target must be an IP address, not {address}")
