"""Patterns of places that the configuration allows or denies as sources.

Pure.  What a list of them means is `policy.py`'s.
"""

from __future__ import annotations

import re
from contextlib import suppress
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import PurePosixPath
from posixpath import normpath
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

WITH_PORT = re.compile(r"(?P<where>\[[^]]*\]|[^:]*|[/@].*):(?P<port>[0-9]{1,5})")
NAME = re.compile(r"\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
NUMBERS = re.compile(r"[0-9./]+")
FORMS = 'write a host, "*.example.com", an address, a network such as 10.0.0.0/8, or the directory of a unix socket'


class Place(NamedTuple):
    """One address that a connection may go to, or the directory of a unix socket."""

    host: str
    """As it is named; '' if only the address is."""
    address: Address | None
    """None for a unix socket."""
    port: int
    looked_up: bool = False
    """Whether the address is what the proxy found for the host, and not somebody's word."""

    def __str__(self) -> str:
        where = self.host or str(self.address)
        return f"[{where}]:{self.port}" if ":" in where else f"{where}:{self.port}"


class Pattern(NamedTuple):
    """One entry of a list; exactly one of `name`, `network` and `directory` is set."""

    name: str = ""
    """A host's, in lower case; it may begin with `*.`, or be `*`."""
    network: Network | None = None
    directory: str = ""
    port: int = 0
    """0 is any."""

    def matches(self, place: Place) -> bool:
        """Whether it speaks of this place."""
        if self.port not in (0, place.port):
            return False
        if place.address is None:
            return bool(self.directory) and _is_below(place.host, self.directory)
        if self.network is not None:
            return place.address in self.network
        return bool(self.name) and fnmatchcase(_looked_up(place.host), self.name)


def parse_pattern(text: str) -> Pattern:
    """The pattern that `text` is.  ValueError, with a reason to be read, if it is none."""
    where, port = text.strip(), 0
    if found := WITH_PORT.fullmatch(where):
        where, port = found["where"], int(found["port"])
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: a port is from 1 to 65535")
    if where.startswith(("/", "@")):
        return Pattern(directory=where if where.startswith("@") else normpath(where), port=port)
    where = where.removeprefix("[").removesuffix("]").lower().rstrip(".")
    try:
        return Pattern(network=ip_network(where), port=port)
    except ValueError as error:
        # What looks like an address is no name, or a slip in a deny list would deny nothing.
        if NUMBERS.fullmatch(where) or ":" in where or "/" in where:
            raise ValueError(f"{text!r}: {error}") from None
    if not NAME.fullmatch(where):
        raise ValueError(f"{text!r}: {FORMS}, each with :port if only that is meant")
    return Pattern(name=where, port=port)


def _looked_up(host: str) -> str:
    """A host's name as the resolver is asked for it: other letters and dots may stand for those of ASCII."""
    with suppress(UnicodeError):  # which no resolver finds
        host = host.encode("idna").decode("ascii")
    return host.lower().rstrip(".")


def _is_below(directory: str, above: str) -> bool:
    return directory == above if directory.startswith("@") else PurePosixPath(normpath(directory)).is_relative_to(above)
