"""Which addresses are this machine's own, and at which of them the proxy listens."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address
from os.path import normpath, realpath
from typing import NamedTuple

DISCARD = 9
"""A port; any would do."""
EVERYWHERE = frozenset(("0.0.0.0", "::"))
"""Who listens there does so at all addresses of the machine; who connects there gets to one of them."""


def is_own(address: str) -> bool:
    """Whether this IP address is one of this machine; also of one that stands for all of them, as 0.0.0.0.

    No packet is sent for it.
    """
    wanted = ip_address(address.partition("%")[0])
    if wanted.is_loopback or wanted.is_unspecified:
        return True
    family = socket.AF_INET6 if wanted.version == 6 else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # Who talks to itself does so from the very same address.  That an address can be bound to tells less: with
        # net.ipv4.ip_nonlocal_bind all can.
        probe.connect((address, DISCARD))
        return ip_address(probe.getsockname()[0].partition("%")[0]) == wanted
    return False


class Listeners(NamedTuple):
    """Where this proxy listens."""

    tcp: frozenset[tuple[str, int]] = frozenset()
    """Addresses with their ports."""
    paths: frozenset[str] = frozenset()
    """Of unix sockets; of an abstract one with @ in place of the zero."""

    @property
    def ports(self) -> frozenset[int]:
        """Of TCP."""
        return frozenset(port for _, port in self.tcp)

    def answer(self, address: str, port: int) -> bool:
        """Whether who connects there gets to one of them."""
        return any(
            port == own_port and (address == own or (not EVERYWHERE.isdisjoint((address, own)) and is_own(address)))
            for own, own_port in self.tcp
        )

    def may_answer(self, address: str, port: int) -> bool:
        """The same, but whichever address of this machine it is: that one may lead to another."""
        return port in self.ports and is_own(address)

    def answer_at(self, path: str) -> bool:
        """Whether one of them is the unix socket of this path, which nothing is looked up for: a caller may name it."""
        return normpath(path) in {form for own in self.paths for form in (normpath(own), realpath(own))}
