"""The listeners and the open sessions: starting, serving, and stopping in order.

What happens on a connection is `session.py`'s business; jobs outlive connections and belong to the manager.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from proxy.accepting import Acceptor
from proxy.admission import Admission, Admitted, Open
from proxy.calls.filter import may_name_ours
from proxy.cancel import CancelKeys, Elsewhere, nowhere
from proxy.config import LimitSettings, LogSettings, ServerSettings
from proxy.connection_log import ConnectionLog
from proxy.door import Door
from proxy.idle import IdleClients
from proxy.limits import Doorkeeper, Guest, Occupancy
from proxy.listening import addresses, bound_sockets, socket_path
from proxy.login.credential import Credential
from proxy.login.modes import Method
from proxy.login.parties import Parties
from proxy.session import Interceptor, Session
from proxy.tls.offer import Offer, refusal
from proxy.upstream import Target

log = structlog.get_logger()

# Clients get this long to take what is written already, once the proxy stops.
CLOSING_SECONDS = 2.0


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
        self._connections: set[Open] = set()
        self._numbers = itertools.count(1)
        self._acceptor: Acceptor | None = None
        self._port = for_sessions.settings.listen_port
        self._arriving: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._bound = False  # else the unix socket is another's
        self._empty = asyncio.Event()
        self._empty.set()
        self._idle.watch()

    def __repr__(self) -> str:
        return f"<Server for {self.target.address}, {len(self._connections)} connections>"

    def configure(self, for_sessions: ForSessions) -> None:
        """Have the sessions that begin from now on go by something else; the listeners stay where they are."""
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

    @property
    def startup_timeout(self) -> float:
        """Seconds that a client has until it is logged in."""
        return self._settings.startup_timeout

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
        self._connections.add(connection)
        self._empty.clear()
        self.counted()

    def remove(self, connection: Open) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
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
        self._bound = not passed
        self._port = next((sock.getsockname()[1] for sock in sockets if sock.family != socket.AF_UNIX), self._port)
        self._acceptor = Acceptor(sockets, lambda client: self.serve(next(self._numbers), client))
        log.info("listening", addresses=addresses(sockets), target=self.target.address)

    def stop_listening(self) -> None:
        """Let nobody else in; the open sessions go on.  May be called more than once."""
        self._stopping = True
        if self._acceptor:
            self._acceptor.close()

    async def empty(self) -> None:
        """Returns when no connection is open."""
        while self._connections:  # one that becomes a session is none for a moment
            await self._empty.wait()

    async def stop(self) -> None:
        """Stop listening and close every session.  Returns when they are closed, or after CLOSING_SECONDS."""
        self.stop_listening()
        self._idle.stop()
        for arriving in self._arriving:
            arriving.cancel()
        for connection in list(self._connections):
            connection.shut_down()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.empty()
        if self._bound and (path := socket_path(self._settings)):
            path.unlink(missing_ok=True)

    def _sessions(self) -> Iterator[Session]:
        return (each for each in self._connections if isinstance(each, Session))

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
        if len(self._connections) >= 2 * self._for_sessions.limits.max_clients:
            # Most of them have not even said who they are, which costs little, but not nothing.
            log.warning("connection dropped", connection=number, reason="more than twice limits.max_clients are there")
            client.close()
        elif self.offer.context is None or client.family == socket.AF_UNIX:
            self._enter(number, client, False)
        else:
            self.add(Door(client, self.startup_timeout, partial(self._enter, number), self.remove))

    def _enter(self, number: int, client: socket.socket, by_tls: bool) -> None:
        arriving = asyncio.get_running_loop().create_task(self._arrive(number, client, by_tls))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    async def _arrive(self, number: int, client: socket.socket, by_tls: bool) -> None:
        try:
            await self.offer.accept(client, lambda: Admission(number, self), tls=by_tls)
        except OSError as error:
            log.info("connection refused", connection=number, reason=refusal(error))
