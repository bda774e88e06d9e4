"""One client connection with its server connection: start-up, relaying both ways, and the doors for interception.

Bytes go through unchanged as they came; headers are walked so that the protocol state (`wire.exchange`) is known, and
only Query and Parse bodies are looked at, by a byte filter.  A statement that may be ours is handed to
`interception`, which drives the server through `ask` and `tell` while the client's further messages wait here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from clone_engine.records.errors import PgError
from proxy.cancel import CancelKeys
from proxy.transports import Outbox, ServerSide, Span, set_reading
from proxy.upstream import Target
from proxy.wire import messages
from proxy.wire.exchange import KEPT_ROWS, PLAIN, Entry, Exchange
from proxy.wire.frames import HEADER, STREAM, Frame, FrameReader
from proxy.wire.startup import CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, Packet, StartupError, read_packet

log = structlog.get_logger()

# CopyData is never read as SQL, Bind values may be large: neither is gathered.
CLIENT_QUIET, CLIENT_STREAMED = frozenset(b"dp"), frozenset(b"B")
# Rows and COPY data pass without a look.  c is CopyDone, H CopyOutResponse, V FunctionCallResponse.
SERVER_QUIET = frozenset(b"DdAcHVW")
STATEMENTS = frozenset(b"QP")
# Types of the server's messages that mean something here.
ROW, COMPLETE, ERROR, NOTICE, STATUS, READY, KEY = b"DCENSZK"
STATEMENT_ENDS = frozenset((ERROR, READY))
BEFORE_ESTABLISHED = frozenset(b"RKAN")
# Statements of ours are short; a longer one is most likely somebody's data, which should neither be held in memory nor
# keep the other sessions waiting for the parser.
LONGEST_STATEMENT = 2 << 20
# While a statement of ours is being answered the client's further messages wait; more than this stops reading.
BACKLOG = 4 << 20


class Interceptor(Protocol):
    """What a session asks of whoever answers statements of ours."""

    def takes(self, kind: int, frame: bytes) -> Callable[[], Coroutine[Any, Any, None] | None] | None:
        """The work that a whole client message needs, or None if it is to be forwarded as it came.

        It is called when everything before the message has been sent.  Where it gives a coroutine, the client's next
        messages wait until that is done.
        """

    @property
    def wants_all(self) -> bool:
        """Whether messages other than Query and Parse have to be shown to `takes` as well."""

    def heard(self, message: bytes) -> bool:
        """Take the body of a NoticeResponse if it is not for the client."""

    def statement_ended(self) -> None:
        """The server has finished a statement in which something was heard."""

    def close(self) -> None:
        """The session has ended; may be said more than once."""

    @property
    def performing(self) -> bool:
        """Whether the session waits for work that is neither the client's nor the server's."""

    def cancel(self) -> bool:
        """Stop that work, whose statement then fails as a cancelled one; False if there is none."""

    def reply(self, entry: Entry, kind: int, message: bytes) -> bytes | None:
        """A server's message to `entry` as the client is to see it; None for the message itself."""

    def error(self, message: bytes) -> bytes | None:
        """The ErrorResponse to a message that was forwarded as it came, as `reply` gives others."""


class Host(Protocol):
    """What a session asks of the server that accepted it."""

    @property
    def target(self) -> Target:
        """Where the session's own connection goes."""

    @property
    def cancel_keys(self) -> CancelKeys:
        """Where a session's key is known, and CancelRequests go."""

    @property
    def startup_timeout(self) -> float:
        """Seconds that a client has until it is logged in."""

    def intercept(self, session: Session) -> Interceptor:
        """Who answers statements of ours on a session that has been established."""

    def add(self, session: Session) -> None:
        """A session has begun."""

    def remove(self, session: Session) -> None:
        """A session has ended; may be said more than once."""


class Principal:
    """Who is connected, once the server has authenticated: role and database as the start-up packet named them."""

    def __init__(self, packet: Packet) -> None:
        # Names are bytes to the server; surrogates keep two that differ from becoming one principal.
        self.role = packet.parameters.get("user", b"").decode("utf-8", "surrogateescape")
        self.database = packet.parameters.get("database", b"").decode("utf-8", "surrogateescape") or self.role
        self.replication = packet.parameters.get("replication", b"") not in (b"", b"off", b"false", b"no", b"0")

    def __repr__(self) -> str:
        return f"<Principal {self.role}@{self.database}>"


class Session:
    """One client, one server connection.  The two protocol objects below only pass events in."""

    def __init__(self, number: int, host: Host) -> None:
        self.number = number
        self.exchange = Exchange()
        self.principal: Principal | None = None
        self.established = False
        self.parameters: dict[str, str] = {}
        self.from_client = FrameReader(CLIENT_QUIET, CLIENT_STREAMED, LONGEST_STATEMENT)
        self.from_server = FrameReader(SERVER_QUIET)
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self._to_server = Outbox()
        self._host = host
        self._interceptor: Interceptor | None = None
        self._startup = b""
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._deadline: asyncio.TimerHandle | None = None
        self._client_full = self._server_full = False
        self._heard = False  # something that the interceptor took, in the statement that the server runs
        self._key = b""  # for CancelRequests
        self._farewell = False  # the client needs not be told any more why the connection ends
        self._copying = False  # the work that is being done waits for the client's COPY data
        self.log = log.bind(connection=self.number)

    def __repr__(self) -> str:
        return f"<Session {self.number} {self.principal} {self.exchange}>"

    @property
    def backend(self) -> int:
        """The process id of the session's server process, as it was told to the client; 0 if it was not."""
        return int.from_bytes(self._key[:4], signed=True)

    # --- life ---------------------------------------------------------------------------------------------

    def client_opened(self, transport: asyncio.Transport) -> None:
        """A client has connected; it is closed again unless it is logged in in time."""
        self.client = transport
        self._deadline = asyncio.get_running_loop().call_later(self._host.startup_timeout, self.close)
        self._host.add(self)

    def server_opened(self, transport: asyncio.Transport) -> None:
        """The connection to the server is there."""
        self.server = self._to_server.transport = transport

    def server_lost(self) -> None:
        """The connection to the server has ended."""
        self._say_farewell(
            PgError(
                "08006",
                "pgclone: the connection to the target server was lost",
                detail="A clone that the statement was waiting for is cancelled.",
                hint="Reconnect, and look at pgclone_jobs_view.",
            )
        )
        self.close()

    def shut_down(self) -> None:
        """Close, because the proxy stops."""
        self._say_farewell(
            PgError(
                "57P01",
                "terminating connection due to administrator command",
                detail="The proxy is shutting down, which interrupts its jobs.",
                hint="Reconnect when it is back; pgclone_jobs_view has the job, and pgclone_resume goes on with it.",
            )
        )
        self.close()

    def _say_farewell(self, reason: PgError) -> None:
        """Tell a client that waits for work of ours why the connection ends, unless the server has done so.

        Only then: the server has sent nothing of a message yet that this could cut in two.
        """
        if self._interceptor and self._interceptor.performing and not self._farewell:
            self.tell(messages.encode_error(reason, "utf-8", "FATAL"))

    def cancel(self) -> bool:
        """Stop the work of ours that the session waits for; False if it waits for none."""
        return self._interceptor is not None and self._interceptor.cancel()

    def close(self) -> None:
        """Close both connections; what is written already is still delivered.  May be called any number of times."""
        self._farewell = True
        if self._deadline:
            self._deadline.cancel()
        if self._task:
            self._task.cancel()
        for transport in (self.client, self.server):
            if transport and not transport.is_closing():
                transport.close()
        if self._interceptor:
            self._interceptor.close()
        self._host.cancel_keys.remove(self._key, self.cancel)
        self._host.remove(self)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` while the client's further messages wait.  One at a time."""
        self._task = asyncio.get_running_loop().create_task(self._run(work), name=f"session {self.number}")

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            # The edge of a session: a defect of ours ends this connection and no other.
            self.log.exception("session failed")
            self._task = None
            self.close()
            return
        self._task = None
        self._pace_reading()
        self.relay_client()

    # --- from the client ----------------------------------------------------------------------------------

    def client_data(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.principal is None:
            self._startup += data
            self._read_startup()
            return
        self.from_client.feed(data)
        if self._task is None or self._copying:
            self.relay_client()
        elif self.from_client.waiting > BACKLOG:
            self._pace_reading()

    def _read_startup(self) -> None:
        try:
            packet = read_packet(self._startup)
        except StartupError as error:
            self.log.info("connection refused", reason=str(error))
            self.close()
            return
        if packet is None:
            return
        rest = self._startup[len(packet.data) :]
        self._startup = b""
        if packet.code in (SSL_REQUEST, GSSENC_REQUEST):
            # Bytes behind the request were sent before our answer: a man in the middle could have put them there.
            if rest:
                self.close()
            elif self.client:
                self.client.write(b"N")
        elif packet.code == CANCEL_REQUEST:
            if self.client:
                self.client.pause_reading()  # nothing may follow it
            self.start(self._cancel(packet))
        else:
            self.principal = Principal(packet)
            self.from_client.feed(rest)
            self.start(self._connect(packet))

    async def _cancel(self, packet: Packet) -> None:
        await self._host.cancel_keys.deliver(packet.data)
        self.close()

    async def _connect(self, packet: Packet) -> None:
        try:
            await self._host.target.connect(ServerSide(self))
        except PgError as error:
            self.log.warning("target unreachable", reason=error.message)
            if self.client:
                self.client.write(messages.encode_error(error, "utf-8", "FATAL"))
            self.close()
            return
        # The first ReadyForQuery is the reply to this, also if the client has sent more already.
        self.ask(packet.data, Entry(ord("S")))

    def relay_client(self) -> None:
        """Forward what the client has sent, up to a message that `takes` wants to work on.

        While work is being done, only what follows a COPY that the work itself has forwarded.
        """
        reader, exchange = self.from_client, self.exchange
        span = Span(self._to_server)
        while self._task is None or (self._copying and exchange.copying_in):
            # While the server reads COPY data, all that the client sends is for the server to judge.
            interceptor = None if exchange.copying_in else self._interceptor
            wants_all = interceptor is not None and interceptor.wants_all
            frame = reader.next(whole=wants_all)
            if frame is None:
                break
            kind, start, end = frame
            if not self.established and kind != STREAM:
                self.start(self._once_established(kind, reader.data[start:end]))
                break
            if interceptor is not None and ((kind in STATEMENTS and not reader.streaming) or (wants_all and kind)):
                work = interceptor.takes(kind, reader.data[start:end])
                if work is not None:
                    span.flush()
                    waiting = work()
                    if waiting is not None:
                        self.start(waiting)
                    continue
            span.add(reader.data, start, end)
            if kind in PLAIN:
                exchange.sent(PLAIN[kind])
        span.flush()
        self._to_server.flush()

    async def _once_established(self, kind: int, frame: bytes) -> None:
        """Deal with a message that the client sent before it was logged in, as soon as it is."""
        await self.until(lambda: self.established)
        work = self._interceptor.takes(kind, frame) if self._interceptor and kind in STATEMENTS else None
        if work is None:
            self.ask(frame, PLAIN.get(kind))
        elif (waiting := work()) is not None:
            await waiting

    # --- from the server ----------------------------------------------------------------------------------

    def server_data(self, data: bytes) -> None:
        """Bytes from the server."""
        reader, span = self.from_server, Span(self.client)
        reader.feed(data)
        while True:
            front = self.exchange.front
            frame = reader.next(whole=front is not None and (front.hidden or front.notice != ""))
            if frame is None:
                break
            changed = None if frame.kind == STREAM else self._reply(reader.data, frame)
            if changed is None:
                span.add(reader.data, frame.start, frame.end)
            elif changed:
                span.add(changed, 0, len(changed))
        span.flush()
        if self._waiters:
            self._wake()

    def _reply(self, data: bytes, frame: Frame) -> bytes | None:
        """What the client is to get in place of this message; None for the message itself."""
        kind, start, end = frame
        body_start = start + HEADER
        if kind == STATUS:
            name, value = messages.decode_parameter_status(data[body_start:end])
            self.parameters[name] = value
            return None
        if kind in BEFORE_ESTABLISHED or not self.established:
            if kind == NOTICE:
                return self._notice(data[start:end])
            return self._before_established(kind, data[body_start:end])
        entry = self.exchange.received(kind, data[body_start] if kind == READY else 0)
        if self._heard and kind in STATEMENT_ENDS:
            self._end_heard()
        if kind == COMPLETE and entry is not None:
            self.exchange.completed(entry, data[body_start:end])
        if entry is None:
            if kind == ERROR:
                self._farewell = True  # nobody has asked for anything: it ends the session
            return None
        if entry is PLAIN.get(entry.kind):
            return self._interceptor.error(data[start:end]) if kind == ERROR and self._interceptor else None
        return self._special_reply(entry, kind, data[start:end])

    def _notice(self, message: bytes) -> bytes | None:
        front = self.exchange.front
        if self._interceptor is None:
            return None
        if self._interceptor.heard(message[HEADER:]):
            self._heard = True
            return b""
        if front is None:
            return None
        if not front.hidden:
            return self._interceptor.reply(front, NOTICE, message)
        front.warned = True
        return b""

    def _end_heard(self) -> None:
        self._heard = False
        if self._interceptor:
            self._interceptor.statement_ended()

    def _before_established(self, kind: int, body: bytes) -> bytes | None:
        if kind == KEY:
            self._key = body
            self._host.cancel_keys.add(body, self.cancel)
        elif kind == READY:
            self.established = True
            if self._deadline:
                self._deadline.cancel()
            assert self.principal is not None
            self.exchange.received(kind, body[0])
            if not self.principal.replication:
                self._interceptor = self._host.intercept(self)
            self.log.debug("session established", principal=repr(self.principal))
        return None

    def _special_reply(self, entry: Entry, kind: int, message: bytes) -> bytes | None:
        if entry.hidden or entry.swallows:
            if kind == ERROR and messages.is_fatal(message[HEADER:]):
                # The connection ends with it: whoever it was said to, the client must hear why, and nothing goes on.
                self._farewell = True
                if self._task:
                    self._task.cancel()
                return None
            if kind == ERROR and entry.error is None:
                entry.error = message[HEADER:]
            elif kind == ROW and len(entry.rows) < KEPT_ROWS:
                entry.rows.append(message[HEADER:])
        if kind == COMPLETE and entry.on_tag:
            entry.on_tag(message[HEADER:])
        if entry.hidden or kind in entry.swallows:
            return b""
        assert self._interceptor is not None
        return self._interceptor.reply(entry, kind, message)

    # --- doors for the interceptor ------------------------------------------------------------------------

    def ask(self, message: bytes, entry: Entry | None) -> None:
        """Send a message to the server; `entry` says what becomes of its replies (None: it has none).

        It goes out with those behind it: when something is waited for, or the work is done.
        """
        if entry is not None:
            self.exchange.sent(entry)
        self._to_server.write(message)

    def tell(self, message: bytes) -> None:
        """Send a message to the client, between two of the server's."""
        if self.client is not None:
            self.client.write(message)

    async def settled(self) -> None:
        """Wait until the server owes nothing, or reads COPY data: then it owes nothing before these have ended."""
        await self.until(lambda: not self.exchange.owed or self.exchange.copying_in)

    async def finished(self) -> None:
        """As `settled`, and where the server reads COPY data relay these first."""
        await self.settled()
        self._copying = True
        self.relay_client()
        await self.until(lambda: not self.exchange.owed)
        self._copying = False

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is looked at after each batch of messages from the server."""
        self._to_server.flush()
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((condition, future))
        self._pace_reading()
        await future

    def _wake(self) -> None:
        pending = []
        for condition, future in self._waiters:
            if future.done():
                continue
            if condition():
                future.set_result(None)
            else:
                pending.append((condition, future))
        self._waiters = pending

    # --- back-pressure ------------------------------------------------------------------------------------

    def writable(self, *, client: bool, full: bool) -> None:
        """The client's or the server's transport has `full` or drained buffers: stop or go on reading the other."""
        if client:
            self._client_full = full
        else:
            self._server_full = full
        self._pace_reading()

    def _pace_reading(self) -> None:
        backlog = self._task is not None and self.from_client.waiting > BACKLOG
        set_reading(self.client, not self._server_full and not backlog)
        set_reading(self.server, not self._client_full)
