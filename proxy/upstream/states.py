"""Which server is a primary, which a standby: what target_session_attrs goes by.

A server tells that to who has logged in.  Then it is too late to take the client elsewhere: its answer to one server's
question is none to another's.  So the proxy logs in itself, as the target's own user, and remembers for a moment what
it has seen.  Where to go then is `target.py`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import psycopg
from psycopg import pq

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import parameters
from clone_engine.servers.server_error import from_login, from_psycopg
from proxy.upstream.places import Route

REMEMBERED_SECONDS: Final = 2.0
"""Longer, and more clients are refused after a failover, whose server is not what it was; shorter, and each waits for
a login of ours first."""

QUESTION: Final = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only') = 'on'"


class State(NamedTuple):
    """What a server is."""

    standby: bool
    read_only: bool
    """Whether a session there can write nothing, because of that or of default_transaction_read_only."""


class Wanted(NamedTuple):
    """What a server has to be."""

    suits: Callable[[State], bool]
    else_: str
    """What is said of one that is not."""


_READ_WRITE = Wanted(lambda state: not state.read_only, "the server is read-only")
_READ_ONLY = Wanted(lambda state: state.read_only, "the server is not read-only")
_PRIMARY = Wanted(lambda state: not state.standby, "the server is a hot standby")
_STANDBY = Wanted(lambda state: state.standby, "the server is no hot standby")

WANTED: Mapping[str, tuple[Wanted | None, ...]] = {
    "any": (None,),
    "read-write": (_READ_WRITE,),
    "read-only": (_READ_ONLY,),
    "primary": (_PRIMARY,),
    "standby": (_STANDBY,),
    "prefer-standby": (_STANDBY, None),
}
"""By target_session_attrs: the rounds over the hosts, each with what a server has to be; None for anything."""


class States:
    """What the target's servers are, as far as it has been asked lately."""

    def __init__(self, login: Conninfo, timeout: float, remembered: float = REMEMBERED_SECONDS) -> None:
        self._login = login
        self._timeout = timeout
        self._remembered = remembered
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[State | PgError]]] = {}

    def __repr__(self) -> str:
        return f"<States of {len(self._asked)} servers, asked as {self._login.parameters.get('user')}>"

    async def of(self, route: Route) -> State:
        """What the server at that address is.  PgError if it cannot be asked: 08001 if it is not there."""
        now = asyncio.get_running_loop().time()
        key = route.address, route.place.port
        until, asking = self._asked.get(key, (now, None))
        if asking is None or (asking.done() and until <= now):
            asking = asyncio.create_task(self._ask(route))
            self._asked[key] = now + self._remembered, asking
        answer = await asyncio.shield(asking)  # others may wait for it as well
        if isinstance(answer, PgError):
            raise answer
        return answer

    def forget(self, route: Route) -> None:
        """It has shown itself to be something else."""
        self._asked.pop((route.address, route.place.port), None)

    async def _ask(self, route: Route) -> State | PgError:
        given = self._login.parameters | route.parameters | {"target_session_attrs": "any"}
        login = Conninfo(given | {"application_name": "pgclone-proxy: which server is a standby"})
        own = {"connect_timeout": str(max(2, int(self._timeout)))}
        try:
            async with await psycopg.AsyncConnection.connect(
                **(parameters(login, 0, pq.version()) | own),  # type: ignore[arg-type]  # values are libpq keywords only
                autocommit=True,
            ) as connection:
                row = await (await connection.execute(QUESTION)).fetchone()
        except psycopg.OperationalError as error:
            return from_login(error, login, "target")
        except psycopg.Error as error:
            return from_psycopg(error)
        assert row is not None
        return State(*row)
