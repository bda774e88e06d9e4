"""Where the proxy connects to when a caller names the host.

The caller chooses the place, but it is the proxy's machine that connects: to services that trust it, or that nobody
else can reach.  So what is local to that machine is refused unless the configuration allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Literal, NamedTuple

from clone_engine.records.errors import PgError
from proxy.own_addresses import Listeners, is_own
from proxy.sources.patterns import Address, Pattern, Place

Inline = Literal["remote", "listed", "none"]
"""Which hosts callers may name: any but those local to the proxy's machine, those that are listed, or none."""

LOCAL = tuple(
    (what, tuple(map(ip_network, networks)))
    for what, networks in (
        ("an unspecified address, which is the proxy's own machine", ("0.0.0.0/8", "::/128")),
        ("a loopback address of the proxy's machine", ("127.0.0.0/8", "::1/128")),
        # The first three are those of several clouds; at 169.254.169.254 and fe80:… is what follows.
        (
            "the address of a cloud's metadata service",
            (
                "100.100.100.200/32",
                "168.63.129.16/32",
                "192.0.0.192/32",
                "fd00:ec2::254/128",
                "fd00:ec2::23/128",
                "fd20:ce::254/128",
            ),
        ),
        ("a link-local address, as metadata services have", ("169.254.0.0/16", "fe80::/10", "fec0::/10")),
        ("a multicast address", ("224.0.0.0/4", "ff00::/8")),
        ("a reserved address", ("240.0.0.0/4", "::/96")),
    )
)
"""(what it is, networks).  Private networks are none of these: it is there that most sources are."""

ENDS_WITH_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"))
"""Addresses of NAT64 (RFC 6052) and SIIT (RFC 2765), for the IPv4 address in the last four bytes."""
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"""NAT64 by prefixes of the site's own choice, of any length from here on (RFC 8215)."""
PLACES_OF_IPV4 = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""Which bytes the IPv4 address then is in, for prefixes of 48, 56, 64 and 96 bits (RFC 6052, section 2.2)."""


class Policy(NamedTuple):
    """The configuration's rules: `deny` goes before `allow`, and that before what holds for all others."""

    inline: Inline = "remote"
    allow: Sequence[Pattern] = ()
    deny: Sequence[Pattern] = ()
    ours: Listeners = Listeners()
    """Which need a pattern with their port."""

    def check(self, place: Place) -> None:
        """PgError 42501 if the proxy does not connect to this place."""
        if reason := self.objection(place):
            raise PgError(
                "42501",
                f"pgclone: connections to a source at {place} are not allowed",
                detail=reason,
                hint="Use a source that the proxy's configuration names, or ask whoever runs it to allow this one "
                f'in sources.allow, as "{place}".  Without a host the source is the target server itself.',
            )

    def objection(self, place: Place) -> str:
        """Why the proxy does not connect to this place; '' if it does."""
        # A caller can give any name to an address of his choice: that is good for being denied only.
        forms = [place._replace(address=address) for address in _forms(place.address)]
        if any(pattern.matches(form) for pattern in self.deny for form in forms):
            return "sources.deny of the proxy's configuration names it."
        allowing = [one for one in self.allow if one.matches(forms[0]) and (place.looked_up or not one.name)]
        if _is_one_of(self.ours, place) and not any(pattern.port for pattern in allowing):
            return "It is this proxy itself."
        if allowing:
            return ""
        if self.inline != "remote":
            return "sources.allow of the proxy's configuration does not name it."
        if place.address is None:
            return "It is a unix socket of the proxy's machine."
        found = next(filter(None, (local(form.address) for form in forms if form.address)), "")
        return f"It is {found}." if found else ""


def local(address: Address) -> str:
    """What makes an address one that is not to be reached for others; '' if nothing does."""
    found = next((what for what, networks in LOCAL if any(address in network for network in networks)), "")
    return found or ("an address of the proxy's machine" if is_own(str(address)) else "")


def embedded(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses that packets to an IPv6 address may end up at."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in ENDS_WITH_IPV4):
        found.append(IPv4Address(address.packed[12:]))
    if address in LOCAL_NAT64:
        held = (bytes(address.packed[at] for at in places) for places in PLACES_OF_IPV4)
        found += [IPv4Address(four) for four in held if four[0]]  # 0.… is nobody's: the prefix has another length
    return [one for one in found if one]


def _is_one_of(ours: Listeners, place: Place) -> bool:
    """Whether a connection to this place would come back to the proxy."""
    if place.address is None:
        return ours.answer_at(f"{place.host}/.s.PGSQL.{place.port}")
    return any(ours.may_answer(str(address), place.port) for address in (place.address, *embedded(place.address)))


def _forms(address: Address | None) -> list[Address | None]:
    """The address as it counts, and the others that it holds."""
    if isinstance(address, IPv6Address):
        return [address.ipv4_mapped or address, *embedded(address)]
    return [address]
