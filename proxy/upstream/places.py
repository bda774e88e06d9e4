"""The hosts that a conninfo lists (libpq chapter 34.1.1), and the addresses behind their names.

In which order they are tried, and what of, is `target.py`'s business.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from proxy.config import ConfigError
from proxy.resolver import LookUp, Resolver

SOCKET_DIRECTORIES = ("/var/run/postgresql", "/tmp")
"""Where servers have their sockets: Debian's and PostgreSQL's own default."""

ANYWHERE_HERE = (*SOCKET_DIRECTORIES, "localhost")
"""What an empty host stands for."""


REMEMBERED_SECONDS = 1.0
"""An answer of the resolver counts for that long."""

AT_ONCE = 4
"""Lookups: there are few names."""


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


class Names:
    """Looks up the names of places, each once at a time whoever asks: the system does few lookups at once, and none of
    them ends because nobody waits for it any more."""

    def __init__(self, look_up: LookUp | None = None, remembered: float = REMEMBERED_SECONDS) -> None:
        self._look_up = look_up or Resolver(AT_ONCE).addresses
        self._remembered = remembered
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[list[str] | OSError]]] = {}

    def __repr__(self) -> str:
        return f"<Names, {len(self._asked)} looked up>"

    async def addresses(self, place: Place) -> list[str]:
        """The addresses of a place, in the resolver's order; the path of a unix socket.

        OSError if its name has none.
        """
        if place.socket_path:
            return [place.socket_path]
        name = place.hostaddr or place.host
        if is_address(name):
            return [name]
        now, key = asyncio.get_running_loop().time(), (name, place.port)
        until, asking = self._asked.get(key, (now, None))
        if asking is None or (asking.done() and until <= now):
            asking = asyncio.create_task(self._ask(*key))
            self._asked[key] = now + self._remembered, asking
        answer = await asyncio.shield(asking)  # others may wait for it as well
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def _ask(self, name: str, port: int) -> list[str] | OSError:
        try:
            return await self._look_up(name, port)
        except OSError as error:
            return error


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
