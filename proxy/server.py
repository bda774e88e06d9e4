"""The listeners and the open sessions: starting, serving, and stopping in order.

What happens on a connection is `session.py`'s business; jobs outlive connections and belong to the manager.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import structlog

from proxy.accepting import Acceptor
from proxy.admission import Admission
from proxy.admitted import Admitted, Open
from proxy.calls.filter import may_name_ours
from proxy.cancel import CancelKeys, Elsewhere, nowhere
from proxy.config import LimitSettings, LogSettings, ServerSettings
from proxy.connection_log import ConnectionLog
from proxy.door import Door
from proxy.idle import IdleClients
from proxy.intercepting import Interceptor
from proxy.limits import Doorkeeper, Guest, Occupancy
from proxy.listening import addresses, bound_sockets, remove_unix_socket
from proxy.login.credential import Credential
from proxy.login.modes import Method
from proxy.login.parties import Parties
from proxy.session import Session
from proxy.tls.offer import Offer, refusal
from proxy.upstream import Target

log = structlog.get_logger()

# Clients get this long to take what is written already, once the proxy stops.
CLOSING_SECONDS = 2.0
# And this long to log in, where they had connected when it stopped listening: it would wait for them else.
LATE_SECONDS = 3.0
CROWD = "more than twice limits.max_clients"


class ForSessions(NamedTuple):
    """What sessions go by that begin now."""

    settings: ServerSettings
    limits: LimitSettings
    log: LogSettings
    target: Target
    offer: Offer
    """TLS."""
    login: Method
    """How clients get in."""
    intercept: Callable[[Session], Interceptor]
    """Gives who answers statements of ours on a session."""


class Server:
    """Accepts clients on TCP and a unix socket; one Session for each."""

    def __init__(
        self, for_sessions: ForSessions, elsewhere: Elsewhere = nowhere, doorkeeper: Doorkeeper | None = None
    ) -> None:
        self._for_sessions = for_sessions
        self._occupancy = Occupancy(for_sessions.limits)
        self._doorkeeper = doorkeeper or self._occupancy
        self._idle = IdleClients(self._sessions, lambda: self._for_sessions.limits.client_idle_timeout)
        self.cancel_keys = CancelKeys(for_sessions.target, elsewhere)
        self.counted: Callable[[], None] = lambda: None
        """Called when the number of connections has changed."""
        self._connections: dict[int, Open] = {}
        self._numbers = itertools.count(1)
        self._acceptor: Acceptor | None = None
        self._port = for_sessions.settings.listen_port
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._idle.watch()

    def __repr__(self) -> str:
        return f"<Server for {self.target.address}, {len(self._connections)} connections>"

    def configure(self, for_sessions: ForSessions) -> None:
        """Have the sessions that begin from now on go by something else; the listeners stay where they are."""
        if for_sessions.target is not self.target:
            self.target.close()
        self._for_sessions = for_sessions
        self.cancel_keys.target = for_sessions.target
        self._occupancy.settings = for_sessions.limits
        self._idle.watch()

    # --- admission.Host, session.Host -------------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """Where a session's own connection goes."""
        return self._for_sessions.target

    @property
    def stopping(self) -> bool:
        """Whether nobody is let in any more."""
        return self._stopping

    def new_log(self, number: int) -> ConnectionLog:
        """What is logged of a new connection."""
        return ConnectionLog(number, self._for_sessions.log)

    @property
    def offer(self) -> Offer:
        """The TLS that a client is offered."""
        return self._for_sessions.offer

    def concerns(self, data: bytes) -> bool:
        """Whether a statement in `data` may be ours."""
        return may_name_ours(data, prepared=False)

    def intercept(self, session: Session) -> Interceptor:
        """Who answers statements of ours on a session."""
        return self._for_sessions.intercept(session)

    async def log_in(self, parties: Parties) -> Credential | None:
        """Let client and server authenticate."""
        return await self._for_sessions.login(parties)

    def open_session(self, admitted: Admitted) -> None:
        """Serve a client that has been let in."""
        Session(admitted, self).begin(admitted)

    async def let_in(self, number: int, guest: Guest) -> None:
        """Count the client of a connection.  PgError 53300 if there are too many."""
        await self._doorkeeper.enter(number, guest)

    def left(self, number: int) -> None:
        """The client of a connection is there no more."""
        self._doorkeeper.leave(number)

    def add(self, connection: Open) -> None:
        """A connection is there."""
        self._connections[connection.number] = connection
        self._empty.clear()
        self.counted()

    def remove(self, connection: Open) -> None:
        """A connection has ended."""
        if self._connections.get(connection.number) is connection:  # else another serves it already
            del self._connections[connection.number]
        if not self._connections:
            self._empty.set()
        self.counted()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self, passed: Sequence[socket.socket] = ()) -> None:
        """Listen, at the sockets that were `passed` or else where the settings say.

        ConfigError, with nothing listening, if an address cannot be had.
        """
        sockets = passed or bound_sockets(self._settings)
        self._port = next((sock.getsockname()[1] for sock in sockets if sock.family != socket.AF_UNIX), self._port)
        self._acceptor = Acceptor(sockets, lambda client: self.serve(next(self._numbers), client))
        log.info("listening", addresses=addresses(sockets), target=self.target.address)

    def stop_listening(self) -> None:
        """Let nobody else in; the open sessions go on.  May be called more than once.

        Who has connected already has LATE_SECONDS to be told of it.
        """
        if not self._stopping:
            asyncio.get_running_loop().call_later(LATE_SECONDS, self._shut_the_doors)
        self._stopping = True
        if self._acceptor:
            self._acceptor.close()

    def _shut_the_doors(self) -> None:
        for connection in list(self._connections.values()):
            if not isinstance(connection, Session):
                connection.shut_down()

    async def empty(self) -> None:
        """Returns when no connection is open."""
        while self._connections:  # one that becomes a session is none for a moment
            await self._empty.wait()

    async def stop(self) -> None:
        """Stop listening and close every session.  Returns when they are closed, or after CLOSING_SECONDS."""
        self.stop_listening()
        self._idle.stop()
        for connection in list(self._connections.values()):
            connection.shut_down()
        self.target.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.empty()
        remove_unix_socket(self._settings)

    def _sessions(self) -> Iterator[Session]:
        return (each for each in self._connections.values() if isinstance(each, Session))

    @property
    def _settings(self) -> ServerSettings:
        return self._for_sessions.settings

    @property
    def port(self) -> int:
        """The TCP port: the configured one; where that is 0, the one that the system gave, once it listens."""
        return self._port

    # --- arrivals -----------------------------------------------------------------------------------------

    def serve(self, number: int, client: socket.socket) -> None:
        """Serve a client that was accepted, whose connection has this number in logs.  The socket must not block."""
        waiting = (each for each in self._connections.values() if not isinstance(each, Session))
        crowd = self.connections >= 2 * self._for_sessions.limits.max_clients
        # Most of them have not even said who they are, which costs little, but not nothing.  The one that has not
        # logged in for longest goes: who only waits keeps nobody out.  None does where a reload has lowered the limit.
        if crowd and (last := next(waiting, None)):
            log.warning("connection dropped", connection=last.number, reason=f"{CROWD} are there")
            last.shut_down(f"{CROWD} were there")
        deadline = asyncio.get_running_loop().time() + self._settings.startup_timeout
        enter = partial(self._enter, number, deadline)
        if self.offer.context is None or client.family == socket.AF_UNIX:
            enter(client, False)
        else:
            self.add(Door(number, client, deadline, enter, self.remove))

    def _enter(self, number: int, deadline: float, client: socket.socket, by_tls: bool) -> None:
        self.add(_Arriving(number, self._arrive(number, deadline, client, by_tls), self.remove))

    async def _arrive(self, number: int, deadline: float, client: socket.socket, by_tls: bool) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self.offer.accept(client, lambda: Admission(number, self, deadline), tls=by_tls)
        except OSError as error:  # a time-out is one
            log.info("connection refused", connection=number, reason=refusal(error))


class _Arriving:
    """A client whose connection is being taken over, which takes a TLS handshake where it begins with that."""

    def __init__(self, number: int, work: Coroutine[Any, Any, None], over: Callable[[_Arriving], None]) -> None:
        self.number = number
        self._task = asyncio.get_running_loop().create_task(work, name=f"arriving {number}")
        self._task.add_done_callback(lambda _: over(self))

    def shut_down(self, why: str = "") -> None:
        """Close the connection."""
        self._task.cancel()
