"""One connection to one address: the socket, TLS (protocol chapter 54.2.10), and the answer to the StartupMessage.

What is tried next where this fails is `target.py`'s business.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Mapping
from typing import NamedTuple, cast

from proxy.inbox import ConnectionLostError, Inbox, LengthError
from proxy.tls.terms import ALPN
from proxy.transports import set_reading
from proxy.upstream.places import Route
from proxy.upstream.tls import Tls
from proxy.wire.frames import HEADER
from proxy.wire.messages import decode_fields
from proxy.wire.startup import SSL_REQUEST

ERROR = ord("E")
LONGEST_ANSWER = 1 << 20
LONGEST_OLD_ERROR = 30_000
"""As libpq takes it."""
CANNOT_CONNECT_NOW = "57P03"
LEAVING_SECONDS = 2.0
"""That a server has to say that it has heard the end of TLS."""
ASK_FOR_TLS = (8).to_bytes(4, "big") + SSL_REQUEST.to_bytes(4, "big")

SOCKET_OPTIONS: tuple[tuple[str, int, str], ...] = (
    ("keepalives", socket.SOL_SOCKET, "SO_KEEPALIVE"),
    ("keepalives_idle", socket.IPPROTO_TCP, "TCP_KEEPIDLE"),
    ("keepalives_interval", socket.IPPROTO_TCP, "TCP_KEEPINTVL"),
    ("keepalives_count", socket.IPPROTO_TCP, "TCP_KEEPCNT"),
    ("tcp_user_timeout", socket.IPPROTO_TCP, "TCP_USER_TIMEOUT"),
)
"""(keyword, level, option): what a conninfo can say about a TCP connection.  Not every system has all of them."""


class UnreachableError(Exception):
    """There is no server at this address."""


class LostError(UnreachableError):
    """The server has left without a word."""


class EncryptionError(Exception):
    """There is a server, but TLS with it cannot be had as asked for."""


class RefusedError(Exception):
    """The server's answer to the StartupMessage is an error."""

    def __init__(self, message: bytes, encrypted: bool, text: bytes | None = None) -> None:
        """`text` is given for one in the style of protocol 2: its text ends with the message."""
        fields = decode_fields(message[HEADER:]) if text is None else {"M": text}
        super().__init__(fields.get("M", b"").decode("utf-8", "replace"))
        self.message = message
        """As it came."""
        self.for_now = fields.get("C", b"").decode("ascii", "replace") == CANNOT_CONNECT_NOW
        """Whether the server is starting up or shutting down, or is a standby that takes no connections yet."""
        self.encrypted = encrypted
        """Whether it was said over TLS."""


class Opened(asyncio.Protocol):
    """A connection that has been opened and serves nobody yet."""

    def __init__(self, options: tuple[tuple[int, int, int], ...]) -> None:
        self.inbox = Inbox()
        self.transport: asyncio.Transport
        self._options = options
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = self.inbox.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        sock = self.transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            for option in self._options:
                sock.setsockopt(*option)

    def data_received(self, data: bytes) -> None:
        self.inbox.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.inbox.end()

    def abort(self) -> None:
        """Close it at once, if it has come about."""
        if self.inbox.transport:
            self.inbox.transport.abort()

    def leave(self) -> None:
        """Close it in the way that the server takes for an ordinary one: what it has sent is read first."""
        self.transport.close()
        asyncio.get_running_loop().call_later(LEAVING_SECONDS, self.transport.abort)

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """From here on `protocol` serves the connection, beginning with what has arrived already."""
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if rest := self.inbox.rest():
            protocol.data_received(rest)
        set_reading(self.transport, True)
        if self._lost:
            protocol.connection_lost(None)


class Opener(NamedTuple):
    """How connections are opened."""

    tls: Tls
    options: tuple[tuple[int, int, int], ...] = ()
    """Options of TCP sockets."""

    async def open(self, route: Route, packet: bytes = b"") -> tuple[Opened, Route]:
        """A connection, after the server's first answer to `packet`; and whether it has become an encrypted one.

        UnreachableError, EncryptionError or RefusedError if it cannot be had; nothing is left open then.
        """
        opened = Opened(self.options)
        try:
            await _connect(route, opened)
            encrypted = route.encrypted and await self._encrypt(opened, route.place.host)
        except BaseException:
            opened.abort()
            raise
        found = route._replace(encrypted=encrypted)
        return await self.begin(opened, found, packet) if packet else (opened, found)

    async def begin(self, opened: Opened, route: Route, packet: bytes) -> tuple[Opened, Route]:
        """As `open`, on a connection that was opened without a packet before, and the route that came with it."""
        try:
            await _begin(opened, packet, route.encrypted)
        except BaseException:
            opened.abort()
            raise
        return opened, route

    async def _encrypt(self, opened: Opened, host: str) -> bool:
        """Begin TLS; False if the server has none and need not have it."""
        if not self.tls.direct:
            opened.transport.write(ASK_FOR_TLS)
            answer = await _unless_lost(opened.inbox.take(1))
            opened.transport.pause_reading()
            if answer == b"N" and not self.tls.required:
                return False
            if answer != b"S":
                # Whatever else it says is not to be shown: nobody knows yet who says it.
                raise EncryptionError("the server does not offer TLS, which sslmode asks for")
            # What follows was sent before it could be encrypted: somebody in the middle may have put it there.
            if opened.inbox.rest():
                raise EncryptionError("unencrypted data after the answer to SSLRequest")
        await self._handshake(opened, host)
        return True

    async def _handshake(self, opened: Opened, host: str) -> None:
        assert self.tls.context is not None
        name = host if self.tls.names_host and host else None
        try:
            transport = await asyncio.get_running_loop().start_tls(
                opened.transport, opened, self.tls.context, server_hostname=name
            )
        except ssl.SSLCertVerificationError as error:
            raise EncryptionError(f"the server's certificate: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise EncryptionError(f"TLS: {error.reason or error}") from None
        except OSError as error:
            raise EncryptionError(f"TLS: {error.strerror or error or 'the server closed the connection'}") from None
        if transport is None:
            raise EncryptionError("TLS: the server closed the connection")
        opened.transport = opened.inbox.transport = transport
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        if chosen != ALPN and (chosen or self.tls.direct):
            raise EncryptionError("direct TLS: the server does not speak PostgreSQL's protocol in it (ALPN)")


def socket_options(given: Mapping[str, str]) -> tuple[tuple[int, int, int], ...]:
    """The options of TCP sockets that the parameters name; keep-alives are on unless they say otherwise."""
    values = {"keepalives": "1"} | dict(given)
    return tuple(
        (level, getattr(socket, option), int(values[keyword]))
        for keyword, level, option in SOCKET_OPTIONS
        if hasattr(socket, option) and (keyword == "keepalives" or int(values.get(keyword) or 0) > 0)
    )


async def _connect(route: Route, opened: Opened) -> None:
    loop = asyncio.get_running_loop()
    try:
        if route.place.socket_path:
            path = route.address
            await loop.create_unix_connection(lambda: opened, f"\0{path[1:]}" if path.startswith("@") else path)
        else:
            await loop.create_connection(lambda: opened, route.address, route.place.port)
    except OSError as error:
        raise UnreachableError(error.strerror or str(error)) from None


async def _begin(opened: Opened, packet: bytes, encrypted: bool) -> None:
    """Send the StartupMessage.  RefusedError if the server's first answer is an error; else it is left to be read."""
    opened.transport.write(packet)
    try:
        first = await _unless_lost(opened.inbox.message(LONGEST_ANSWER))
    except LengthError:
        raise await _old_error(opened, encrypted) from None
    if first[0] == ERROR:
        raise RefusedError(first, encrypted)
    rest = opened.inbox.rest()
    opened.inbox.feed(first + rest)


async def _old_error(opened: Opened, encrypted: bool) -> Exception:
    """The error that is no message: the letter and a text.  So servers answer to versions before 3.0, and where they
    can start no process for a client."""
    said = await opened.inbox.to_the_end(LONGEST_OLD_ERROR)
    if said[:1] != bytes([ERROR]):
        return UnreachableError("the server does not speak PostgreSQL's protocol")
    return RefusedError(said, encrypted, said[1:].rstrip(b"\n\0"))


async def _unless_lost(reading: Awaitable[bytes]) -> bytes:
    try:
        return await reading
    except LengthError:
        raise
    except ConnectionLostError:
        raise LostError("the server closed the connection unexpectedly") from None
