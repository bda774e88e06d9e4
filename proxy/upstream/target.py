"""The target: one server, or several of which one is chosen as libpq would choose it.

What is tried next where a connection fails: after an address that does not answer, the host's next address; after a
server that is starting up, or is not what target_session_attrs asks for, the next host; after one that does not let the
client in over TLS, the same without, if sslmode leaves that open (and the other way round).  Every other answer of a
server is the client's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar, cast

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.upstream.ahead import MOST, Ahead
from proxy.upstream.opening import (
    EncryptionError,
    LostError,
    Opened,
    Opener,
    RefusedError,
    UnreachableError,
)
from proxy.upstream.places import Names, Place, Route
from proxy.upstream.states import State, States, Wanted

HOT_STANDBY = "in_hot_standby"


class Connected(NamedTuple):
    """A server that sessions are on.  One object for all of them: there may be thousands."""

    route: Route
    parameters: dict[str, str]
    """What of a conninfo leads there."""
    send_cancel: Callable[[bytes], Awaitable[None]]
    """Sends it a CancelRequest.  Never raises."""


class Target:
    """The servers of server.target.  Holds no connection that serves anybody: another one can take its place at any
    time."""

    def __init__(
        self,
        places: tuple[Place, ...],
        conninfo: Conninfo,
        opener: Opener,
        *,
        timeout: float,
        wanted: tuple[Wanted | None, ...] = (None,),
        states: States | None = None,
        balance: bool = False,
        ahead: bool = True,
    ) -> None:
        self.places = places
        self.conninfo = conninfo
        """What the setting says, as parameters: jobs start from it."""
        self.timeout = timeout
        """Seconds that connecting to one address may take."""
        self._opener = opener
        self._ahead = Ahead(opener, MOST if ahead else 0)
        self._names = Names()
        self._wanted = wanted
        self._states = states
        self._balance = balance
        self._connected: dict[Route, Connected] = {}

    def __repr__(self) -> str:
        return f"<Target {self.address}>"

    @property
    def address(self) -> str:
        """Where it is, for people: host:port or the path of a unix socket, of all its hosts."""
        return ", ".join(map(str, self.places))

    async def connect(self, protocol: asyncio.Protocol, packet: bytes = b"") -> Connected:
        """Open a connection that `protocol` then serves, and send `packet`, a StartupMessage, if there is one; which
        server it leads to.

        PgError 08001 if it cannot be had, RefusedError if the server's first answer is an error that is the client's.
        """
        failures: dict[str, Exception] = {}
        for wanted in self._wanted:
            for place in _shuffled(self.places) if self._balance else self.places:
                found = await self._at(place, wanted, packet, failures)
                if found:
                    opened, route = found
                    opened.hand_over(protocol)
                    return self._server(route)
        last = list(failures.values())[-1]
        raise last if isinstance(last, RefusedError) else _unreachable(failures)

    async def cancel(self, packet: bytes, route: Route | None = None) -> None:
        """Send a CancelRequest to where `route` leads, None: to where a new session would go; returns when the server
        has closed the connection, which it does when the request has been delivered.  Never raises."""
        once = _Once(packet)
        try:
            if route is None:
                await self.connect(once)
            async with asyncio.timeout(self.timeout):
                if route is not None:
                    opened, _ = await self._opener.open(route)
                    opened.hand_over(once)
                await once.closed
        except (PgError, UnreachableError, EncryptionError, TimeoutError):
            pass
        finally:
            if once.transport:
                once.transport.abort()

    def close(self) -> None:
        """Close what was opened for clients that have not come.  Connections that serve somebody go on."""
        self._ahead.close()

    def check(self, route: Route, reported: Mapping[str, str]) -> None:
        """PgError 57P03 if the server there, by what it `reported` to a session, is a standby and must not be, or must
        be and is not: it has become another since it was asked.  Then it is asked again for the next client."""
        if self._states is None or HOT_STANDBY not in reported or None in self._wanted:
            return
        standby = reported[HOT_STANDBY] == "on"
        # default_transaction_read_only may be the client's own wish, and is not held against the server.
        possible = [State(standby, read_only) for read_only in ((True,) if standby else (True, False))]
        for wanted in filter(None, self._wanted):
            if not any(map(wanted.suits, possible)):
                self._states.forget(route)
                raise PgError(
                    "57P03",
                    f"pgclone: cannot use the target server at {route.place}: {wanted.else_}",
                    detail="It has changed since it was last asked.",
                    hint="Connect again.",
                )

    def _server(self, route: Route) -> Connected:
        if route not in self._connected:
            self._connected[route] = Connected(route, route.parameters, partial(self.cancel, route=route))
        return self._connected[route]

    async def _at(
        self, place: Place, wanted: Wanted | None, packet: bytes, failures: dict[str, Exception]
    ) -> tuple[Opened, Route] | None:
        """A connection to one host; None, with its failures noted, if the next host is to be tried."""
        try:
            async with asyncio.timeout(self.timeout):
                found = await self._names.addresses(place)
        except OSError as error:  # a timeout is one
            failures[str(place)] = UnreachableError(error.strerror or str(error) or "its name was not resolved in time")
            return None
        for address in _shuffled(found) if self._balance else found:
            route = Route(place, address, False)
            shown = str(place) if len(found) == 1 or place.socket_path else f"{place} ({address})"
            try:
                async with asyncio.timeout(self.timeout):
                    if wanted:
                        await self._check_state(route, wanted)
                    return await self._open(route, packet)
            except TimeoutError:
                failures[shown] = UnreachableError("no answer in time")
            except UnreachableError as error:
                failures[shown] = error
            except EncryptionError as error:
                raise _unreachable({**failures, shown: error}) from None
            except (_UnsuitableError, RefusedError) as error:
                if isinstance(error, RefusedError) and not error.for_now:
                    raise
                failures[shown] = error
                return None
        return None

    async def _open(self, route: Route, packet: bytes) -> tuple[Opened, Route]:
        """A connection to one address, encrypted or not as the target allows and the server can."""
        *ways, last = (False,) if route.place.socket_path else self._opener.tls.ways
        for encrypted in ways:
            try:
                return await self._ahead.open(route._replace(encrypted=encrypted), packet)
            except (EncryptionError, LostError):
                continue
            except RefusedError as error:
                if error.for_now or error.encrypted != encrypted:
                    raise
        return await self._ahead.open(route._replace(encrypted=last), packet)

    async def _check_state(self, route: Route, wanted: Wanted) -> None:
        assert self._states is not None
        try:
            state = await self._states.of(route)
        except PgError as error:
            raise (UnreachableError if error.sqlstate == "08001" else _UnsuitableError)(error.message) from None
        if not wanted.suits(state):
            raise _UnsuitableError(wanted.else_)


class _UnsuitableError(Exception):
    """The server is not what it has to be, or does not say what it is."""


class _Once(asyncio.Protocol):
    """Sends one packet and waits for the server to close."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.transport.write(self._packet)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


T = TypeVar("T")


def _shuffled(items: Sequence[T]) -> list[T]:
    return random.sample(items, len(items))


def _unreachable(failures: Mapping[str, Exception]) -> PgError:
    """One sentence for one server, else one for each of them."""
    message, detail = "pgclone: could not connect to any of the target servers", ""
    if len(failures) == 1:
        [(shown, error)] = failures.items()
        message = f"pgclone: could not connect to the target server at {shown}: {error}"
    else:
        detail = "; ".join(f"{shown}: {error}" for shown, error in failures.items())
    hints = (ENCRYPTION_HINT if isinstance(error, EncryptionError) else HINT for error in failures.values())
    return PgError("08001", message, detail=detail, hint=list(hints)[-1])


HINT = "Check that the target server is running and that the proxy's server.target names it."
ENCRYPTION_HINT = "Check sslmode, sslrootcert and the host's name in the proxy's server.target against the certificate."
