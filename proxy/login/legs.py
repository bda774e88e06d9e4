"""What a login has to know of the ways between client, proxy and server.

Whether they are encrypted, or local, and to which certificates a login on them can be bound.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv6Address, ip_address

from proxy.tls.binding import certificate_hash


def encrypted(transport: asyncio.Transport | None) -> bool:
    """Whether it is TLS."""
    return transport is not None and transport.get_extra_info("ssl_object") is not None


def is_tcp(transport: asyncio.Transport) -> bool:
    """Whether it is no unix socket."""
    sock = transport.get_extra_info("socket")
    return sock is not None and sock.family != socket.AF_UNIX


def local(transport: asyncio.Transport) -> bool:
    """Whether what it carries stays on this machine: a unix socket, or a loopback address."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        return True
    peer = transport.get_extra_info("peername")
    return isinstance(peer, tuple) and is_loopback(peer[0])


def peer_binding(transport: asyncio.Transport | None) -> bytes:
    """The hash of the certificate that the other side has shown; b'' if there is none that can be bound to."""
    if transport is None or not encrypted(transport):
        return b""
    der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return (der and certificate_hash(der)) or b""


def own_binding(transport: asyncio.Transport) -> bytes:
    """The hash of the certificate that the proxy has shown to the other side; b'' if there is none to be bound to.

    Whoever makes the connection's SSLContext has it there, as `binding`: a context does not tell its certificate.
    """
    if not encrypted(transport):
        return b""
    return getattr(transport.get_extra_info("ssl_object").context, "binding", b"") or b""


def is_loopback(address: str) -> bool:
    """Whether an address, as the system writes it, is one of this machine's own that nobody else reaches."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        return ip.ipv4_mapped.is_loopback
    return ip.is_loopback
