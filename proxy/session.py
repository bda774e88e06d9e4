"""The session of a client that has been let in: its life, the work that answers statements of ours, and its replies.

The relay moves the messages; a statement that may be ours is handed to `interception`, which drives the server through
`ask` and `tell` while the client's further messages wait.  How the session came about is `startup.py`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

import structlog

from clone_engine.records.errors import PgError
from proxy import farewells
from proxy.admitted import Admitted, Open
from proxy.cancel import CancelKeys
from proxy.intercepting import Interceptor
from proxy.relay import NOTICE, Relay
from proxy.target_says import note
from proxy.transports import ClientSide, ServerSide
from proxy.wire import messages
from proxy.wire.exchange import IDLE, KEPT_ROWS, PLAIN, Entry, Exchange
from proxy.wire.frames import HEADER
from proxy.wire.messages import ProtocolError

LEFT = "the client has left"
# Types of the server's messages that mean something here.
ROW, COMPLETE, ERROR, READY = b"DCEZ"


class Host(Protocol):
    """What a session asks of the server that accepted it."""

    @property
    def cancel_keys(self) -> CancelKeys:
        """Where a session's key is known."""

    def concerns(self, data: bytes) -> bool:
        """Whether a statement in `data` may be ours."""

    def intercept(self, session: Session) -> Interceptor:
        """Who answers statements of ours on a session."""

    def add(self, connection: Open) -> None:
        """A session has begun."""

    def remove(self, connection: Open) -> None:
        """A session has ended; may be said more than once."""

    def left(self, number: int) -> None:
        """The client of the connection with this number is there no more; may be said more than once."""


class Session:
    """One client, one server connection (transports.Events, relay.Watch).

    Most sessions only pass things on, and there may be thousands: what answers statements of ours is made when it is
    needed first.
    """

    __slots__ = (
        "_client",
        "_farewell",
        "_host",
        "_idle_since",
        "_interceptor",
        "_key",
        "_log",
        "_relay",
        "_server",
        "_task",
        "connected",
        "credential",
        "number",
        "parameters",
        "principal",
    )

    def __init__(self, admitted: Admitted, host: Host) -> None:
        self.number = admitted.number
        self.principal = admitted.principal
        self.credential = admitted.credential
        """What the client has logged in with, where the proxy has learnt it."""
        self.parameters = admitted.parameters
        """What the server has reported of its settings last.  Not changed in place: sessions share it."""
        self.connected = admitted.connected
        """Which of the target's servers it is on."""
        self._log = admitted.log
        self._key = admitted.key  # for CancelRequests
        self._host = host
        self._client, self._server = admitted.client, admitted.server
        self._relay = Relay(self._client, self._server, self)
        self._task: asyncio.Task[None] | None = None
        self._idle_since = 0.0
        self._farewell = False  # the client needs not be told any more why the connection ends
        self._interceptor: Interceptor | None = None

    def __repr__(self) -> str:
        return f"<Session {self.number} {self.principal} {self.exchange}>"

    @property
    def log(self) -> structlog.stdlib.BoundLogger:
        """For lines that say which connection they are about."""
        return self._log.lines

    @property
    def backend(self) -> int:
        """The process id of the session's server process, as it was told to the client; 0 if it was not."""
        return int.from_bytes(self._key[:4], signed=True)

    @property
    def exchange(self) -> Exchange:
        """What the server owes."""
        return self._relay.exchange

    @property
    def between_messages(self) -> bool:
        """Whether something may be told to the client now, between two messages of the server's."""
        return self._relay.between_messages

    def _intercepting(self) -> Interceptor | None:
        """What answers statements of ours, which a replication connection has not."""
        if self._interceptor is None and not self.principal.replication:
            self._interceptor = self._host.intercept(self)
        return self._interceptor

    # --- life ---------------------------------------------------------------------------------------------

    def begin(self, admitted: Admitted) -> None:
        """Serve the two connections from here on, beginning with what has arrived already."""
        self._host.add(self)
        self._host.cancel_keys.add(self._key, self.cancel, self.connected.send_cancel)
        self.exchange.received(READY, admitted.status)
        relay = self._relay
        self._client.set_protocol(ClientSide(self, relay.client_data))
        self._server.set_protocol(ServerSide(self, relay.server_data))
        relay.release()  # before a statement of ours among what has arrived may hold it again
        relay.server_data(admitted.from_server)
        relay.client_data(admitted.from_client)

    def server_lost(self) -> None:
        """The connection to the server has ended."""
        self._say_farewell(farewells.SERVER_LOST)
        # Which the server may know sooner than we see the end of the client's connection.
        self.close(LEFT if self._relay.terminated else "the server has closed it")

    def shut_down(self, why: str = "the proxy shuts down") -> None:
        """Close, because the proxy stops; the client is told as by a server that is shut down."""
        if self.between_messages and not self._farewell:
            performs = self._interceptor and self._interceptor.performing
            reason = farewells.INTERRUPTING if performs else farewells.SHUTTING_DOWN
            self.tell(messages.encode_error(reason, "utf-8", "FATAL"))
        self.close(why)

    def idle_for(self, now: float) -> float:
        """For how many seconds, as far as earlier calls could see, the client has sent nothing and waited for nothing,
        outside a transaction."""
        relay, exchange = self._relay, self._relay.exchange
        if relay.stirred or self._task or exchange.owed or exchange.status != IDLE or not relay.between_messages:
            relay.stirred, self._idle_since = False, now
        return now - self._idle_since

    def end_idle(self) -> None:
        """Close, because the client has been idle for too long."""
        self.tell(messages.encode_error(farewells.IDLE, "utf-8", "FATAL"))
        self.close("it was idle for limits.client_idle_timeout")

    def _say_farewell(self, reason: PgError) -> None:
        """Tell a client that waits for work of ours why the connection ends, unless the server has done so.

        Only then: the server has sent nothing of a message yet that this could cut in two.
        """
        if self._interceptor and self._interceptor.performing and not self._farewell:
            self.tell(messages.encode_error(reason, "utf-8", "FATAL"))

    def cancel(self) -> bool:
        """Stop the work of ours that the session waits for; False if it waits for none."""
        return self._interceptor is not None and self._interceptor.cancel()

    def close(self, why: str = LEFT) -> None:
        """Close both connections; what is written already is still delivered.  May be called any number of times."""
        self._log.ended(why)
        self._farewell = True
        if self._task:
            self._task.cancel()
        for transport in (self._client, self._server):
            if not transport.is_closing():
                transport.close()
        self._relay.close()
        if self._interceptor:
            self._interceptor.close()
        self._host.cancel_keys.remove(self._key, self.cancel)
        self._host.remove(self)
        self._host.left(self.number)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` while the client's further messages wait.  One at a time."""
        self._relay.hold()
        self._task = asyncio.get_running_loop().create_task(self._run(work), name=f"session {self.number}")

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except ProtocolError as error:
            self.log.warning("the target server does not keep to the protocol", reason=str(error))
            self._task = None
            self.tell(messages.encode_error(farewells.not_understood(error), "utf-8", "FATAL"))
            self.close("the target server does not keep to the protocol")
            return
        except Exception:
            # The edge of a session: a defect of ours ends this connection and no other.
            self.log.exception("session failed")
            self._task = None
            self.close("internal error")
            return
        self._task = None
        self._relay.release()

    # --- relay.Watch --------------------------------------------------------------------------------------

    @property
    def wants_all(self) -> bool:
        """Whether messages other than Query and Parse have to be shown to `takes` as well."""
        return self._interceptor is not None and self._interceptor.wants_all

    def passes(self, data: bytes) -> bool:
        """Whether `takes` would take none of the messages in `data`.  It may say no too often."""
        if self._interceptor is not None:
            return self._interceptor.passes(data)
        return self.principal.replication or not self._host.concerns(data)

    def takes(self, kind: int, message: bytes) -> Callable[[], None] | None:
        """What is to be done in place of forwarding a message of the client's; None if it is to go on as it is."""
        interceptor = self._interceptor
        if interceptor is None and self._host.concerns(message):
            interceptor = self._intercepting()
        work = interceptor.takes(kind, message) if interceptor else None
        return None if work is None else partial(self._do, work)

    def _do(self, work: Callable[[], Coroutine[Any, Any, None] | None]) -> None:
        waiting = work()
        if waiting is not None:
            self.start(waiting)

    def aside(self, kind: int, message: bytes) -> bytes | None:
        """A NoticeResponse or ParameterStatus as the client is to see it; None for the message itself."""
        if kind == NOTICE:
            return self._notice(message)
        reported = dict(self.parameters)
        note(reported, message[HEADER:])
        self.parameters = reported
        return None

    def _notice(self, message: bytes) -> bytes | None:
        front = self.exchange.front
        interceptor = self._intercepting()
        if interceptor is None:
            return None
        if interceptor.heard(message[HEADER:]):
            self._relay.watch_end = True
            return b""
        if front is None:
            return None
        if not front.hidden:
            return interceptor.reply(front, NOTICE, message)
        front.warned = True
        return b""

    def ended(self) -> None:
        """The statement has ended in which the interceptor heard something."""
        if self._interceptor:
            self._interceptor.statement_ended()

    def reply(self, entry: Entry | None, kind: int, message: bytes) -> bytes | None:
        """A reply of the server as the client is to see it; None for the message itself."""
        if entry is None:
            self._farewell = True  # an error that nobody has asked for: it ends the session
            return None
        if entry is PLAIN.get(entry.kind):
            return self._interceptor.error(message) if self._interceptor else None
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
        """As `Relay.ask`."""
        self._relay.ask(message, entry)

    def tell(self, message: bytes) -> None:
        """As `Relay.tell`."""
        self._relay.tell(message)

    def settled(self) -> Awaitable[None]:
        """As `Relay.settled`."""
        return self._relay.settled()

    def finished(self) -> Awaitable[None]:
        """As `Relay.finished`."""
        return self._relay.finished()

    # --- transports.Events --------------------------------------------------------------------------------

    def writable(self, *, client: bool, full: bool) -> None:
        """The client's or the server's transport has `full` or drained buffers."""
        self._relay.writable(client=client, full=full)
