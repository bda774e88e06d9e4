"""From an accepted connection to a session: the packets before it, the connection to the target, the login.

A CancelRequest ends here too.  How client and server authenticate is a login method's business (`login/`); once the
server has said that it is ready, the connection is `session.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from clone_engine.records.errors import PgError
from proxy.cancel import CancelKeys
from proxy.connection_log import ConnectionLog
from proxy.inbox import ConnectionLostError
from proxy.limits import Guest
from proxy.login.credential import Credential
from proxy.login.legs import encrypted, is_tcp
from proxy.login.parties import LONGEST_OF_SERVER, Parties
from proxy.login.principal import Principal
from proxy.tls.offer import ALPN, Offer, refusal
from proxy.transports import prepared, set_reading
from proxy.upstream import Connected, RefusedError, Target
from proxy.wire import messages
from proxy.wire.frames import HEADER
from proxy.wire.startup import CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, Packet, StartupError, read_packet

MOST_SETTINGS = 256
"""That a server may report and the proxy remembers, ten times what PostgreSQL does; it passes all of them on."""
# Types of the server's messages that are kept for the session.
STATUS, KEY, READY = b"SKZ"


class Admitted(NamedTuple):
    """What a session begins with."""

    number: int
    principal: Principal
    log: ConnectionLog
    client: asyncio.Transport
    server: asyncio.Transport
    parameters: Mapping[str, str]
    """What the server has reported of its settings."""
    key: bytes
    """For CancelRequests, as the server gave it out; b'' if it did not."""
    connected: Connected
    """Which of the target's servers it is."""
    status: int
    """The transaction status of the ReadyForQuery."""
    from_client: bytes
    """What the client has sent already."""
    from_server: bytes
    credential: Credential | None
    """What the client has logged in with, where the proxy has learnt it."""


class Open(Protocol):
    """A connection of a client, in whichever state."""

    def shut_down(self) -> None:
        """Close, because the proxy stops."""


class Host(Protocol):
    """What an admission asks of the server that accepted the connection."""

    @property
    def offer(self) -> Offer:
        """The TLS that the client is offered."""

    @property
    def target(self) -> Target:
        """Where the session's own connection goes."""

    @property
    def cancel_keys(self) -> CancelKeys:
        """Where CancelRequests go."""

    @property
    def stopping(self) -> bool:
        """Whether nobody is let in any more."""

    def new_log(self, number: int) -> ConnectionLog:
        """What is logged of a new connection."""

    @property
    def startup_timeout(self) -> float:
        """Seconds that a client has until it is logged in."""

    async def log_in(self, parties: Parties) -> Credential | None:
        """Let client and server authenticate; returns behind AuthenticationOk, with what was learnt of the client."""

    def open_session(self, admitted: Admitted) -> None:
        """The client has been let in: serve it."""

    def add(self, connection: Open) -> None:
        """A connection is there."""

    def remove(self, connection: Open) -> None:
        """It has ended, or is a session now; may be said more than once."""

    async def let_in(self, number: int, guest: Guest) -> None:
        """Count the client of a connection.  PgError 53300 if there are too many."""

    def left(self, number: int) -> None:
        """The client of this connection is there no more; may be said more than once."""


class Admission(asyncio.Protocol):
    """The client's connection until it is a session's; the client has `startup_timeout` for that."""

    def __init__(self, number: int, host: Host) -> None:
        self.number = number
        self._host = host
        self._client: asyncio.Transport | None = None
        self._server: asyncio.Transport | None = None
        self._startup = b""
        self._may_ask = {SSL_REQUEST, GSSENC_REQUEST}
        self._encrypting = False
        self._parties: Parties | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._log = host.new_log(number)

    def __repr__(self) -> str:
        return f"<Admission {self.number} {self._parties}>"

    # --- events of the client's transport ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = prepared(transport)
        self._log.accepted(transport)
        self._deadline = asyncio.get_running_loop().call_later(self._host.startup_timeout, self._too_late)
        self._host.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:  # from the first byte on, of which clients must say that they mean it
            self._may_ask.clear()
            if tls.selected_alpn_protocol() != ALPN:
                self._log.refused(f"it has begun with TLS, but not asked for {ALPN} there", logging.INFO)
                self.close()

    def data_received(self, data: bytes) -> None:
        if self._parties is not None:
            self._parties.from_client.feed(data)
            return
        self._startup += data
        if not self._encrypting:
            self._read_startup()

    def _read_startup(self) -> None:
        try:
            packet = read_packet(self._startup)
        except StartupError as error:
            self._log.refused(str(error), logging.INFO)
            self.close()
            return
        if packet is not None:
            rest, self._startup = self._startup[len(packet.data) :], b""
            self._received(packet, rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def pause_writing(self) -> None:
        set_reading(self._server, False)

    def resume_writing(self) -> None:
        set_reading(self._server, True)

    # --- life --------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """Close, because the proxy stops."""
        self.close("the proxy shuts down")

    def _too_late(self) -> None:
        self._log.refused("it has not logged in within server.startup_timeout", logging.INFO)
        self.close()

    def close(self, why: str = "the client has left") -> None:
        """Close both connections; what is written already is still delivered.  May be called any number of times."""
        self._log.ended(why)
        if self._task:
            self._task.cancel()
        if self._parties:
            self._parties.flush()
        for transport in (self._client, self._server):
            if transport and not transport.is_closing():
                transport.close()
        self._leave()
        self._host.left(self.number)

    def _leave(self) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._host.remove(self)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(work), name=f"admission {self.number}")

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`.  The client is told why it is refused; a defect of ours ends this connection and no other."""
        try:
            await work
        except ConnectionLostError:
            self.close()
        except RefusedError as error:
            self._log.refused(str(error), logging.INFO)
            if self._parties:
                self._parties.to_client(error.message)
            self.close()
        except PgError as error:
            self._log.refused(error.message)
            if self._parties:
                self._parties.to_client(messages.encode_error(error, "utf-8", "FATAL"))
            self.close()
        except Exception:
            self._log.lines.exception("connection failed")
            self.close("internal error")

    # --- the packets -------------------------------------------------------------------------------------------

    def _received(self, packet: Packet, rest: bytes) -> None:
        assert self._client is not None
        if packet.code in self._may_ask:
            self._answer(packet.code, rest)
        elif packet.code == CANCEL_REQUEST:
            self._client.pause_reading()  # nothing may follow it
            self._start(self._cancel(packet))
        else:
            self._parties = Parties(packet, self._client)
            self._log.claimed(self._parties.principal)
            self._parties.from_client.feed(rest)
            self._start(self._admit(self._parties))

    def _answer(self, request: int, rest: bytes) -> None:
        """Say whether the connection will be encrypted as it is asked."""
        assert self._client is not None
        if rest:
            # They were sent before our answer: a man in the middle could have put them there.
            self._log.refused("there were bytes behind its request for encryption", logging.WARNING)
            self.close()
        elif request == SSL_REQUEST and self._host.offer.context is not None and is_tcp(self._client):
            self._may_ask.clear()
            self._encrypting = True
            # What is read from here on is read as TLS, whatever it is.
            self._client.pause_reading()
            self._client.write(b"S")
            self._start(self._encrypt(self._client, self._host.offer))
        else:
            self._may_ask.discard(request)
            self._client.write(b"N")

    async def _encrypt(self, plain: asyncio.Transport, offer: Offer) -> None:
        try:
            self._client = prepared(await offer.encrypt(plain, self))
        except OSError as error:
            self._log.refused(refusal(error), logging.INFO)
            self.close()
            return
        self._encrypting = False
        self._read_startup()

    async def _cancel(self, packet: Packet) -> None:
        self._log.cancel_request()
        await self._host.cancel_keys.deliver(packet.data)
        self.close()

    async def _admit(self, parties: Parties) -> None:
        if self._host.stopping:
            raise PgError(
                "57P03",
                "the database system is shutting down",
                detail="It is the proxy that shuts down.",
                hint="Connect again when it is back.",
            )
        self._check_encryption(parties)
        peer = parties.client.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        await self._host.let_in(self.number, Guest(parties.principal.role, address))
        target = self._host.target
        # The server itself negotiates the protocol's version and options, whoever asks for the password.
        connected = await target.connect(_ServerLogin(self, parties), parties.packet.data)
        credential = await self._host.log_in(parties)
        parameters: dict[str, str] = {}
        key = b""
        while (message := await parties.from_server.message(LONGEST_OF_SERVER))[0] != READY:
            parties.to_client(message)
            if message[0] == STATUS:
                name, value = messages.decode_parameter_status(message[HEADER:])
                if name in parameters or len(parameters) < MOST_SETTINGS:
                    parameters[name] = value
            elif message[0] == KEY:
                key = message[HEADER:]
        target.check(connected.route, parameters)
        parties.to_client(message)
        parties.flush()
        assert self._client is not None
        self._log.authenticated(self._client)
        assert self._server is not None
        self._leave()
        unread = parties.from_client.rest(), parties.from_server.rest()
        about = _settings(tuple(parameters.items())), key, connected, message[HEADER]
        self._host.open_session(
            Admitted(self.number, parties.principal, self._log, self._client, self._server, *about, *unread, credential)
        )

    def _check_encryption(self, parties: Parties) -> None:
        code = parties.packet.code
        if code in (SSL_REQUEST, GSSENC_REQUEST):  # for the second time
            raise PgError(
                "0A000", f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0 to 3.2"
            )
        if self._host.offer.required and is_tcp(parties.client) and not encrypted(parties.client):
            raise PgError(
                "28000",
                "pgclone: connections without TLS are not taken",
                detail='The proxy\'s configuration has tls.mode = "require".',
                hint="Connect with sslmode=require.",
            )

    def server_connected(self, server: asyncio.Transport) -> None:
        """The connection to the target is there."""
        self._server = server


@lru_cache(maxsize=256)
def _settings(reported: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """As a mapping, the same one for sessions that begin alike: most of a thousand idle ones do."""
    return dict(reported)


class _ServerLogin(asyncio.Protocol):
    """The connection to the target until it is a session's."""

    def __init__(self, admission: Admission, parties: Parties) -> None:
        self._admission = admission
        self._parties = parties

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = prepared(transport)
        self._admission.server_connected(server)
        self._parties.connected(server)

    def data_received(self, data: bytes) -> None:
        self._parties.from_server.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._parties.from_server.end()
