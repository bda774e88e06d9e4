"""The start-up of a session (protocol chapter 54.2.1), from the client's StartupMessage on: who may enter, the
connection to the target, the login, and what the server says until it is ready.

How client and server authenticate is a login method's business (`login/`); the packets before, and what a client is
told that is refused, are `admission.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol

from clone_engine.records.errors import PgError
from proxy.admitted import Admitted
from proxy.connection_log import ConnectionLog
from proxy.limits import Guest
from proxy.login.credential import Credential
from proxy.login.legs import encrypted, is_tcp
from proxy.login.parties import LONGEST_OF_SERVER, Parties
from proxy.target_says import note
from proxy.tls.offer import Offer
from proxy.transports import prepared
from proxy.upstream import Connected, Target
from proxy.wire.frames import HEADER
from proxy.wire.messages import ProtocolError
from proxy.wire.startup import GSSENC_REQUEST, SSL_REQUEST, Packet

# Types of the server's messages that are kept for the session.
STATUS, KEY, READY = b"SKZ"


class StartupHost(Protocol):
    """What a start-up asks of the server that accepted the connection."""

    @property
    def offer(self) -> Offer:
        """The TLS that the client is offered."""

    @property
    def target(self) -> Target:
        """Where the session's own connection goes."""

    @property
    def stopping(self) -> bool:
        """Whether nobody is let in any more."""

    async def log_in(self, parties: Parties) -> Credential | None:
        """Let client and server authenticate; returns behind AuthenticationOk, with what was learnt of the client."""

    async def let_in(self, number: int, guest: Guest) -> None:
        """Count the client of a connection.  PgError 53300 if there are too many."""


class _Greeting(NamedTuple):
    """What the server says between AuthenticationOk and its first ReadyForQuery."""

    parameters: Mapping[str, str]
    key: bytes
    status: int


class Startup:
    """One client's, who has sent `packet`.  It has its server connection from some time on, which is closed with the
    client's by whoever has made this."""

    def __init__(self, packet: Packet, client: asyncio.Transport, host: StartupHost) -> None:
        self.parties = Parties(packet, client, self._connect)
        self.server: asyncio.Transport | None = None
        self._client = client
        self._host = host
        self._target = host.target
        self._connected: Connected | None = None

    def __repr__(self) -> str:
        return f"<Startup of {self.parties}>"

    async def run(self, number: int, log: ConnectionLog) -> Admitted:
        """Let the client in; what its session begins with.

        PgError for one that is refused, RefusedError if the server does so, ConnectionLostError if a side leaves,
        ProtocolError for a server that is none.
        """
        self._check_welcome()
        parties = self.parties
        peer = self._client.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        await self._host.let_in(number, Guest(address))
        self._target = self._host.target
        credential = await self._host.log_in(parties)
        # Not before it has shown that it is that role: anybody could take the places of others.
        await self._host.let_in(number, Guest(address, parties.principal.role))
        parameters, key, status = await self._greeting()
        log.authenticated(self._client)
        assert self.server is not None and self._connected is not None
        return Admitted(
            number,
            parties.principal,
            log,
            self._client,
            self.server,
            parameters,
            key,
            self._connected,
            status,
            parties.from_client.rest(),
            parties.from_server.rest(),
            credential,
        )

    async def _greeting(self) -> _Greeting:
        """Pass on what the server says until it is ready, and keep what a session needs."""
        parties, parameters, key = self.parties, dict[str, str](), b""
        while (message := await parties.from_server.message(LONGEST_OF_SERVER))[0] != READY:
            parties.to_client(message)
            if message[0] == STATUS:
                note(parameters, message[HEADER:])
            elif message[0] == KEY:
                key = message[HEADER:]
        if len(message) == HEADER:
            raise ProtocolError("a ReadyForQuery does not say in which state the session is")
        assert self._connected is not None
        self._target.check(self._connected.route, parameters)
        parties.to_client(message)
        parties.flush()
        return _Greeting(_shared(tuple(parameters.items())), key, message[HEADER])

    def _check_welcome(self) -> None:
        """PgError if the client cannot be let in, whoever it is."""
        if self._host.stopping:
            raise PgError(
                "57P03",
                "the database system is shutting down",
                detail="It is the proxy that shuts down.",
                hint="Connect again when it is back.",
            )
        code = self.parties.packet.code
        if code in (SSL_REQUEST, GSSENC_REQUEST):  # for the second time
            raise PgError(
                "0A000", f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0 to 3.2"
            )
        if self._host.offer.required and is_tcp(self._client) and not encrypted(self._client):
            raise PgError(
                "28000",
                "pgclone: connections without TLS are not taken",
                detail='The proxy\'s configuration has tls.mode = "require".',
                hint="Connect with sslmode=require.",
            )

    async def _connect(self, parties: Parties) -> None:
        # The server itself negotiates the protocol's version and options, whoever asks for the password.
        self._connected = await self._target.connect(_ServerLogin(self), parties.packet.data)

    def server_connected(self, server: asyncio.Transport) -> None:
        """The connection to the target is there."""
        self.server = server
        self.parties.connected(server)


@lru_cache(maxsize=256)
def _shared(reported: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """As a mapping, the same one for sessions that begin alike: most of a thousand idle ones do."""
    return dict(reported)


class _ServerLogin(asyncio.Protocol):
    """The connection to the target until it is a session's."""

    def __init__(self, startup: Startup) -> None:
        self._startup = startup

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._startup.server_connected(prepared(transport))

    def data_received(self, data: bytes) -> None:
        self._startup.parties.from_server.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._startup.parties.server_left()
