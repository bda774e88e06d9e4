"""Looks up the hosts of a conninfo once, so that what was checked is what is connected to.

A name that gave a harmless address when it was asked for could give another one a moment later.  So every address is
checked, and goes into the conninfo beside the name, which certificates are still verified against.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, NamedTuple

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.resolver import LookUp
from proxy.sources.patterns import Address, Place

LOOK_UP_SECONDS: Final = 10.0
"""For all hosts of a conninfo together."""
DEFAULT_PORT: Final = "5432"
Check = Callable[[Place], None]


class Host(NamedTuple):
    """One host as a conninfo has it: a name, an address or both."""

    name: str
    address: str
    port: str

    @property
    def is_socket(self) -> bool:
        return not self.address and self.name.startswith(("/", "@"))


async def pinned(conninfo: Conninfo, check: Check, look_up: LookUp, seconds: float = LOOK_UP_SECONDS) -> Conninfo:
    """The same conninfo with the addresses of all its hosts, as `look_up` gives them, each of which `check` has let
    pass.

    PgError as `check` raises it; 08001 if a name has no address or is not found in time; 22023 if hosts, addresses and
    ports do not go together.
    """
    try:
        async with asyncio.timeout(seconds):
            found = [place for host in hosts_of(conninfo) for place in await _places(host, check, look_up)]
    except TimeoutError:
        raise PgError(
            "08001",
            f"pgclone: the source's host was not found within {seconds:g} s",
            hint="The name servers of the proxy's machine do not answer; call again, or give an address.",
        ) from None
    lists = {
        "host": [host.name for host in found],
        "hostaddr": [host.address for host in found],
        "port": [host.port for host in found],
    }
    return conninfo.with_parameters({keyword: ",".join(values) for keyword, values in lists.items() if any(values)})


async def _places(host: Host, check: Check, look_up: LookUp) -> list[Host]:
    """The host with each of its addresses."""
    port = int(host.port)
    if host.is_socket:
        check(Place(host.name, None, port))
        return [host]
    if host.address:
        check(Place(host.name, _address(host.address), port))
        return [host]
    try:
        # Whatever spelling of an address or name the system understands, since libpq would ask it too.
        addresses = await look_up(host.name, port)
    except OSError as error:
        reason = error.strerror or "it is no name of a host"
        raise PgError(
            "08001",
            f'pgclone: the source\'s host "{host.name}" could not be translated to an address: {reason}',
            hint="Check the name; the proxy's machine must be able to find it.",
        ) from None
    for address in addresses:
        check(Place(host.name, ip_address(address), port, looked_up=True))
    return [host._replace(address=address) for address in addresses]


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise PgError(
            "22023",
            'pgclone: source_conninfo has an unusable value for "hostaddr"',
            hint="It must be an IPv4 address of four decimal numbers, or an IPv6 address.",
        ) from None


def hosts_of(conninfo: Conninfo) -> list[Host]:
    """The hosts that a conninfo lists.  PgError 22023 if its lists do not go together."""
    given = conninfo.parameters
    names, addresses = (given[keyword].split(",") if given.get(keyword) else [] for keyword in ("host", "hostaddr"))
    ports = [port.strip() or DEFAULT_PORT for port in given.get("port", "").split(",")]
    count = len(names) or len(addresses)
    if len(addresses) not in (0, count) or len(ports) not in (1, count):
        raise PgError(
            "22023",
            "pgclone: source_conninfo has a different number of hosts, addresses and ports",
            hint="Give as many values of hostaddr as of host, and one port or as many.",
        )
    hosts = [
        Host(*each)
        for each in zip(names or [""] * count, addresses or [""] * count, ports * (count // len(ports)), strict=True)
    ]
    if not all(host.name or host.address for host in hosts):
        raise PgError("22023", "pgclone: source_conninfo has an empty host in its list", hint="Name each host.")
    return hosts
