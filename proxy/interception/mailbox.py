"""Where stubs on the server find the replies to their calls: large objects of the session's role.

They are written through a connection of the role's own, which all its sessions in a database share: were there one for
each, a hundred sessions that call at once would wait for a hundred logins.  It is opened when it is first needed, and
closed when it has not been for a while or the last of these sessions ends.
A large object because it can be read in every isolation level, and by that role alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor
from psycopg.sql import SQL, Composed, Literal

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import closed_on_error, open_async
from clone_engine.servers.server_error import from_psycopg

IDLE_SECONDS = 60.0
"""Opening takes some ten milliseconds, and an open connection is one that others cannot have."""

OWNED = "pgclone-proxy reply by "
"""Begins the comment on a large object; the process id of the connection follows, after which it can be swept away."""

PUT = SQL("SELECT pg_catalog.lo_from_bytea({0}, {1}); COMMENT ON LARGE OBJECT {0} IS {2}")
LYING = (
    "SELECT objoid FROM pg_catalog.pg_description WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass"
    " AND objoid = ANY ($1::bigint[]) AND pg_catalog.starts_with(description, $2)"
)
OWN = SQL("COMMENT ON LARGE OBJECT {0} IS {1}")
APPEND = SQL("SELECT pg_catalog.lo_put({0}, {1}, {2})")
# With a look at the comment: the number was named by who called, and may be that of something else.
REMOVE = SQL(
    "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = {0}"
    " AND pg_catalog.starts_with(pg_catalog.obj_description(oid, 'pg_largeobject'), {1})"
)

Login = Callable[[], Awaitable[Conninfo]]
"""A conninfo with which the role can log in; PgError if there is none."""


Shared = tuple[str, str, tuple[str, ...]]
"""Role, database and server."""


def _shared(caller: Caller) -> Shared:
    return caller.role, caller.database, tuple(caller.server.values())


class Mailboxes:
    """One mailbox for all sessions of a role in a database of one server."""

    def __init__(self, login: Callable[[Caller], Awaitable[Conninfo]]) -> None:
        self._login = login
        self._open: dict[Shared, tuple[Mailbox, int]] = {}

    def __repr__(self) -> str:
        return f"<Mailboxes of {len(self._open)} callers>"

    def take(self, caller: Caller) -> Mailbox:
        """The caller's, to be given back by each session that takes it."""
        shared = _shared(caller)
        mailbox, takers = self._open.get(shared) or (Mailbox(lambda: self._login(caller)), 0)
        mailbox.login = lambda: self._login(caller)  # the newest session has the password that counts by now
        self._open[shared] = mailbox, takers + 1
        return mailbox

    async def give_back(self, caller: Caller) -> None:
        """A session needs it no more; it is closed if that was the last."""
        shared = _shared(caller)
        mailbox, takers = self._open.pop(shared)
        if takers > 1:
            self._open[shared] = mailbox, takers - 1
        else:
            await mailbox.close()


class Mailbox:
    """The replies to the calls of some sessions, by the number of their large object."""

    def __init__(self, login: Login, idle_seconds: float = IDLE_SECONDS) -> None:
        self.login = login
        """Used whenever a connection is opened."""
        self._idle_seconds = idle_seconds
        self._connection: AsyncConnection | None = None
        self._one_at_a_time = asyncio.Lock()
        self._sizes: dict[int, int] = {}
        self._idle: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Mailbox {len(self._sizes)} letters, {'connected' if self._connection else 'not connected'}>"

    def reserve(self, number: int) -> bool:
        """Take a number for a reply, until it is removed; False if it is another reply's."""
        free = number not in self._sizes
        self._sizes.setdefault(number, 0)
        return free

    def release(self, number: int) -> None:
        """Give back a number under which nothing lies."""
        self._sizes.pop(number, None)

    async def put(self, number: int, content: bytes) -> None:
        """Make the large object.  PgError if the role cannot log in, or may not make one."""

        def statements(pid: int) -> Composed:
            self._sizes[number] = len(content)
            return PUT.format(Literal(number), Literal(content), Literal(f"{OWNED}{pid}"))

        await self._run(statements)

    async def append(self, number: int, content: bytes) -> None:
        """Write behind what is there, all at once.  PgError if the server refuses."""
        size = self._sizes[number]
        await self._run(lambda _: APPEND.format(Literal(number), Literal(size), Literal(content)))
        self._sizes[number] += len(content)

    async def remove(self, number: int) -> None:
        """Remove the large object if there is one.  Never raises: what is left is swept away later."""
        if self._sizes.pop(number, None) is not None and self._connection is not None:
            with suppress(PgError):
                await self._run(lambda _: REMOVE.format(Literal(number), Literal(OWNED)))

    async def ask(self, query: str) -> list[str | None]:
        """The columns of a query's one row, all texts.  PgError if the role cannot log in, or the server refuses."""
        row = await (await self._run(lambda _: query.encode())).fetchone()
        return list(row or ())

    async def close(self) -> None:
        """Close the connection, if there is one.  The mailbox can be used again."""
        if self._idle:
            self._idle.cancel()
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()

    async def _run(self, statements: Callable[[int], Composed | bytes]) -> AsyncCursor:
        """Run, as one transaction, statements that may depend on the connection's process id.  PgError if refused."""
        async with self._one_at_a_time:
            for again in (True, False):  # the server may have closed the connection meanwhile
                connection = await self._connected()
                try:
                    cursor = await connection.execute(statements(connection.info.backend_pid))
                    break
                except psycopg.Error as error:
                    if not (again and connection.closed):
                        raise from_psycopg(error) from None
        self._wait_idle()
        return cursor

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await _open(await self.login(), list(self._sizes))
        return self._connection

    def _wait_idle(self) -> None:
        loop = asyncio.get_running_loop()
        if self._idle:
            self._idle.cancel()
        self._idle = loop.call_later(self._idle_seconds, lambda: loop.create_task(self._close_idle()))

    async def _close_idle(self) -> None:
        if self._sizes:
            self._wait_idle()
        else:
            await self.close()


async def _open(conninfo: Conninfo, kept: list[int]) -> AsyncConnection:
    """A connection on which replies can be written.  What earlier ones of the role have left behind is gone, except for
    the numbers in `kept`: those of them that are there, and are replies, are this one's now."""
    named = Conninfo(conninfo.parameters | {"application_name": "pgclone-proxy: replies to stubs"})
    connection = await open_async(named, "target", 0)
    async with closed_on_error(connection):
        await connection.execute((files(__package__) / "settings.sql").read_bytes())
        await AsyncRawCursor(connection).execute((files(__package__) / "sweep.sql").read_bytes(), (kept,))
        # One is not there if its connection was lost before it could be put.
        lying = await AsyncRawCursor(connection).execute(LYING.encode(), (kept, OWNED))
        for (number,) in await lying.fetchall():
            await connection.execute(OWN.format(Literal(number), Literal(f"{OWNED}{connection.info.backend_pid}")))
        cursor = await connection.execute("SHOW lo_compat_privileges")
        if await cursor.fetchone() == ("on",):
            raise PgError(
                "0A000",
                "pgclone: calls on the server cannot be answered while lo_compat_privileges is on",
                detail="Other roles could read the replies.",
                hint="Set lo_compat_privileges to off, or name the function in the statement that the client sends.",
            )
    return connection
