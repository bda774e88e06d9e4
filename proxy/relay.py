"""Moves messages between client and server of a session, unchanged, and knows what the server still owes.

Headers are walked so that the protocol state (`wire.exchange`) is known.  What is to be looked at, withheld or changed
is decided by the `Watch`, which is shown Query and Parse messages and few replies.  Who the two sides are, and when the
connection ends, is `session.py`'s business.

Another implementation must have the same face and pass the same suite: tests/relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from proxy.transports import Outbox, Span, may_rest, set_reading
from proxy.wire.exchange import PLAIN, QUIET, TERMINATE, Entry, Exchange
from proxy.wire.frames import HEADER, STREAM, Frame, FrameReader

# CopyData is never read as SQL, Bind values may be large: neither is gathered.
CLIENT_QUIET, CLIENT_STREAMED = frozenset(b"dp"), frozenset(b"B")
STATEMENTS = frozenset(b"QP")
# Types of the server's messages that mean something here.
COMPLETE, ERROR, NOTICE, STATUS, READY = b"CENSZ"
ASIDE = frozenset((NOTICE, STATUS))
# For whoever listens, whatever the server is asked just then: no reply to anything.
NOTIFICATION = ord("A")
# Statements of ours are short; a longer one is most likely somebody's data, which should neither be held in memory nor
# keep the other sessions waiting for the parser.
LONGEST_STATEMENT = 2 << 20
# While a statement of ours is being answered the client's further messages wait; more than this stops reading.
BACKLOG = 4 << 20
# All sessions share one thread: one that has had it for so long, or was given so much at once that there may be more
# where it came from, lets the others have their turn.
TURN_SECONDS = 0.005
LARGE_READ = 1 << 17


class Watch(Protocol):
    """What a relay asks of the session."""

    @property
    def wants_all(self) -> bool:
        """Whether messages other than Query and Parse have to be shown to `takes` as well."""

    def passes(self, data: bytes) -> bool:
        """Whether `takes` would take none of the messages in `data`.  It may say no too often."""

    def takes(self, kind: int, message: bytes) -> Callable[[], None] | None:
        """What is to be done in place of forwarding a whole message of the client's; None if it is to go on as it is.

        What was sent before the message has gone when it is called; it may `hold` the relay.
        """

    def aside(self, kind: int, message: bytes) -> bytes | None:
        """A NoticeResponse or ParameterStatus as the client is to see it; None for the message itself."""

    def reply(self, entry: Entry | None, kind: int, message: bytes) -> bytes | None:
        """A reply that is an error, or to an entry that is not PLAIN, as the client is to see it; None for itself.

        `entry` is None for what nobody has asked for.
        """

    def ended(self) -> None:
        """An ErrorResponse or ReadyForQuery has come, and `watch_end` was set; it is no more."""


class Relay:
    """The two streams of one session.  `data` of either side is fed as it arrives."""

    __slots__ = (
        "_client",
        "_client_full",
        "_client_gave_way",
        "_client_in_step",
        "_copying",
        "_from_client",
        "_from_server",
        "_held",
        "_server",
        "_server_full",
        "_server_gave_way",
        "_server_in_step",
        "_to_server",
        "_waiters",
        "_watch",
        "exchange",
        "stirred",
        "terminated",
        "watch_end",
    )

    def __init__(self, client: asyncio.Transport, server: asyncio.Transport, watch: Watch) -> None:
        self.exchange = Exchange()
        self.stirred = True
        """Set whenever the client sends anything."""
        self.terminated = False
        """Whether the client has said that it leaves."""
        self.watch_end = False
        """Whether the watch is to be told of the end of the statement that the server runs."""
        self._watch = watch
        self._client = client
        self._server = server
        self._to_server = Outbox(server)
        self._from_client = FrameReader(CLIENT_QUIET, CLIENT_STREAMED, LONGEST_STATEMENT)
        self._from_server = FrameReader(QUIET)
        self._held = False  # the client's messages wait
        self._copying = False  # … but for its COPY data
        # Between two messages, with nothing held: what comes next may be whole messages only.
        self._client_in_step = self._server_in_step = True
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._client_full = self._server_full = False
        # It is not read from, and what has come from it waits, until the other sessions have had their turn.
        self._client_gave_way = self._server_gave_way = False

    def __repr__(self) -> str:
        return f"<Relay {self.exchange}{' held' if self._held else ''}>"

    @property
    def between_messages(self) -> bool:
        """Whether no message of the server's has been passed on in part: one of ours may follow."""
        return not self._from_server.streaming

    # --- from the client ----------------------------------------------------------------------------------

    def client_data(self, data: bytes) -> None:
        """Bytes from the client."""
        self.stirred = True
        if self._client_gave_way:
            self._from_client.feed(data)
            return
        if self._client_in_step and not self._held and self._watch.passes(data) and self.exchange.sent_plain(data):
            self._server.write(data)
        else:
            self._from_client.feed(data)
            if not self._held or self._copying:
                self._forward()
            if self._held:
                self._pace_reading()
        if len(data) >= LARGE_READ:
            self._client_gives_way()

    def _forward(self) -> None:
        """Forward what the client has sent, up to a message that is taken and holds the relay.

        While it is held, only what follows a COPY that the work itself has forwarded.
        """
        reader, exchange, watch = self._from_client, self.exchange, self._watch
        span, turn_ends = Span(self._to_server), monotonic() + TURN_SECONDS
        while not self._held or (self._copying and exchange.copying_in):
            if monotonic() > turn_ends:
                self._client_gives_way()
                break
            # While the server reads COPY data, all that the client sends is for the server to judge.
            wants_all = not exchange.copying_in and watch.wants_all
            frame = reader.next(whole=wants_all)
            if frame is None:
                break
            kind, start, end = frame
            if kind and not exchange.copying_in and (wants_all or (kind in STATEMENTS and not reader.streaming)):
                work = watch.takes(kind, reader.data[start:end])
                if work is not None:
                    span.flush()
                    work()
                    continue
            span.add(reader.data, start, end)
            if kind in PLAIN:
                exchange.sent(PLAIN[kind])
            elif kind == TERMINATE:
                self.terminated = True
        span.flush()
        self._to_server.flush()
        self._client_in_step = reader.in_step

    # --- from the server ----------------------------------------------------------------------------------

    def server_data(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._server_gave_way:
            self._from_server.feed(data)
            return
        passed = 0
        if self._server_in_step and not (self._waiters or self.watch_end):
            passed = self.exchange.received_plain(data)
        if passed == len(data):
            self._client.write(data)
        else:
            span = Span(self._client)
            span.add(data, 0, passed)
            self._from_server.feed(data[passed:])
            self._deliver(span)
        if len(data) >= LARGE_READ:
            self._server_gives_way()

    def _deliver(self, span: Span) -> None:
        """Pass on what the server has sent, behind what is in `span`."""
        reader, turn_ends = self._from_server, monotonic() + TURN_SECONDS
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
            if monotonic() > turn_ends:
                self._server_gives_way()
                break
        span.flush()
        self._server_in_step = reader.in_step
        if self._waiters:
            self._wake()

    def _reply(self, data: bytes, frame: Frame) -> bytes | None:
        """What the client is to get in place of this message; None for the message itself."""
        kind, start, end = frame
        if kind in ASIDE:
            return self._watch.aside(kind, data[start:end])
        if kind == NOTIFICATION:
            return None
        entry = self.exchange.received(kind, data[end - 1] if kind == READY else 0)
        if self.watch_end and kind in (ERROR, READY):
            self.watch_end = False
            self._watch.ended()
        if entry is not None:
            if kind == COMPLETE:
                self.exchange.completed(entry, data[start + HEADER : end])
            if kind != ERROR and entry is PLAIN.get(entry.kind):
                return None
        elif kind != ERROR:
            return None
        return self._watch.reply(entry, kind, data[start:end])

    # --- doors for the watch ------------------------------------------------------------------------------

    def hold(self) -> None:
        """Keep the client's next messages back."""
        self._held = True

    def release(self) -> None:
        """Go on with them."""
        self._held = False
        self._forward()
        self._pace_reading()  # what waits has become less

    def ask(self, message: bytes, entry: Entry | None) -> None:
        """Send a message to the server; `entry` says what becomes of its replies (None: it has none).

        It goes out with those behind it: when something is waited for, or the work is done.
        """
        if entry is not None:
            self.exchange.sent(entry)
        self._to_server.write(message)

    def tell(self, message: bytes) -> None:
        """Send a message to the client, between two of the server's."""
        self._client.write(message)

    async def settled(self) -> None:
        """Wait until the server owes nothing, or reads COPY data: then it owes nothing before these have ended."""
        await self.until(lambda: not self.exchange.owed or self.exchange.copying_in)

    async def finished(self) -> None:
        """As `settled`, and where the server reads COPY data relay these first."""
        await self.settled()
        self._copying = True
        self._forward()
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

    # --- back-pressure, and fairness ------------------------------------------------------------------------

    def writable(self, *, client: bool, full: bool) -> None:
        """The client's or the server's transport has `full` or drained buffers: stop or go on reading the other."""
        if client:
            self._client_full = full
        else:
            self._server_full = full
        self._pace_reading()

    def _pace_reading(self) -> None:
        backlog = self._held and self._from_client.waiting > BACKLOG
        client_rests = self._client_gave_way and may_rest(self._client)
        server_rests = self._server_gave_way and may_rest(self._server)
        set_reading(self._client, not (self._server_full or backlog or client_rests))
        set_reading(self._server, not (self._client_full or server_rests))

    def _client_gives_way(self) -> None:
        if not self._client_gave_way:
            self._client_gave_way = True
            asyncio.get_running_loop().call_soon(self._client_again)
            self._pace_reading()

    def _client_again(self) -> None:
        self._client_gave_way = False
        if not self._server.is_closing():
            self._forward()
            self._pace_reading()

    def _server_gives_way(self) -> None:
        if not self._server_gave_way:
            self._server_gave_way = True
            asyncio.get_running_loop().call_soon(self._server_again)
            self._pace_reading()

    def _server_again(self) -> None:
        self._server_gave_way = False
        if not self._client.is_closing():
            self._deliver(Span(self._client))
            self._pace_reading()

    def close(self) -> None:
        """The session has ended: nothing of what has come and was not passed on is kept."""
        self._from_client.clear()
        self._from_server.clear()
