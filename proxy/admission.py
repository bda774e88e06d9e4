"""From an accepted connection to a session: the packets before it, and what becomes of those that are refused.

A CancelRequest ends here.  From the StartupMessage on it is `startup.py`'s business who gets in; once the server has
said that it is ready, the connection is `session.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from clone_engine.records.errors import PgError
from proxy import farewells
from proxy.admitted import Admitted, Open
from proxy.cancel import CancelKeys
from proxy.connection_log import ConnectionLog
from proxy.inbox import ConnectionLostError
from proxy.login.legs import is_tcp
from proxy.startup import Startup, StartupHost
from proxy.tls.offer import Offer, refusal
from proxy.tls.terms import ALPN
from proxy.transports import kept_alive, prepared, set_reading
from proxy.upstream import RefusedError
from proxy.wire import messages
from proxy.wire.messages import ProtocolError
from proxy.wire.startup import CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, Packet, StartupError, read_packet


class Host(StartupHost, Protocol):
    """What an admission asks of the server that accepted the connection."""

    @property
    def cancel_keys(self) -> CancelKeys:
        """Where CancelRequests go."""

    def new_log(self, number: int) -> ConnectionLog:
        """What is logged of a new connection."""

    def open_session(self, admitted: Admitted) -> None:
        """The client has been let in: serve it."""

    def add(self, connection: Open) -> None:
        """A connection is there."""

    def remove(self, connection: Open) -> None:
        """It has ended, or is a session now; may be said more than once."""

    def left(self, number: int) -> None:
        """The client of this connection is there no more; may be said more than once."""


class Admission(asyncio.Protocol):
    """The client's connection until it is a session's, which it must be by `deadline` of the event loop's clock."""

    def __init__(self, number: int, host: Host, deadline: float) -> None:
        self.number = number
        self._until = deadline
        self._host = host
        self._client: asyncio.Transport | None = None
        self._begun = b""
        self._may_ask = {SSL_REQUEST, GSSENC_REQUEST}
        self._encrypting = False
        self._startup: Startup | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._log = host.new_log(number)

    def __repr__(self) -> str:
        return f"<Admission {self.number} {self._startup}>"

    # --- events of the client's transport ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = kept_alive(prepared(transport))
        self._log.accepted(transport)
        self._deadline = asyncio.get_running_loop().call_at(self._until, self._too_late)
        self._host.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:  # from the first byte on, of which clients must say that they mean it
            self._may_ask.clear()
            if tls.selected_alpn_protocol() != ALPN:
                self._log.refused(f"it has begun with TLS, but not asked for {ALPN} there", logging.INFO)
                self.close()

    def data_received(self, data: bytes) -> None:
        if self._startup is not None:
            self._startup.parties.from_client.feed(data)
            return
        self._begun += data
        if not self._encrypting:
            self._read_packet()

    def _read_packet(self) -> None:
        try:
            packet = read_packet(self._begun)
        except StartupError as error:
            self._log.refused(str(error), logging.INFO)
            self.close()
            return
        if packet is not None:
            rest, self._begun = self._begun[len(packet.data) :], b""
            self._received(packet, rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def pause_writing(self) -> None:
        set_reading(self._server, False)

    def resume_writing(self) -> None:
        set_reading(self._server, True)

    # --- life --------------------------------------------------------------------------------------------------

    def shut_down(self, why: str = "the proxy shuts down") -> None:
        """Close, because the proxy stops, or for another reason."""
        self.close(why)

    def _too_late(self) -> None:
        self._log.refused("it has not logged in within server.startup_timeout", logging.INFO)
        self.close()

    def close(self, why: str = "the client has left") -> None:
        """Close both connections; what is written already is still delivered.  May be called any number of times."""
        self._log.ended(why)
        if self._task:
            self._task.cancel()
        if self._startup:
            self._startup.parties.flush()
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
            if self._startup:
                await self._startup.parties.last_words()
            self.close()
        except RefusedError as error:
            self._log.refused(str(error), logging.INFO)
            self._tell(error.message)
            self.close()
        except PgError as error:
            self._log.refused(error.message)
            self._tell(messages.encode_error(error, "utf-8", "FATAL"))
            self.close()
        except ProtocolError as error:
            self._log.refused(f"the target server does not keep to the protocol: {error}")
            self._tell(messages.encode_error(farewells.not_understood(error), "utf-8", "FATAL"))
            self.close()
        except Exception:
            self._log.lines.exception("connection failed")
            self.close("internal error")

    def _tell(self, message: bytes) -> None:
        if self._startup:
            self._startup.parties.to_client(message)

    @property
    def _server(self) -> asyncio.Transport | None:
        return self._startup.server if self._startup else None

    # --- the packets -------------------------------------------------------------------------------------------

    def _received(self, packet: Packet, rest: bytes) -> None:
        assert self._client is not None
        if packet.code in self._may_ask:
            self._answer(packet.code, rest)
        elif packet.code == CANCEL_REQUEST:
            self._client.pause_reading()  # nothing may follow it
            self._start(self._cancel(packet))
        else:
            self._startup = Startup(packet, self._client, self._host)
            self._log.claimed(self._startup.parties.principal)
            self._startup.parties.from_client.feed(rest)
            self._start(self._admit(self._startup))

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
        self._read_packet()

    async def _cancel(self, packet: Packet) -> None:
        self._log.cancel_request()
        await self._host.cancel_keys.deliver(packet.data)
        self.close()

    async def _admit(self, startup: Startup) -> None:
        admitted = await startup.run(self.number, self._log)
        self._leave()
        self._host.open_session(admitted)
