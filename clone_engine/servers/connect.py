"""Connections of a job: opened from a Conninfo and nothing else, with the session settings that a clone needs.

Nothing ambient takes part: no PG* variable, no password or service file, no client certificate, no Kerberos ticket of
the user that the process runs as.  What a conninfo may hold is `conninfo.py`'s; whose rights it gives, the proxy's.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

import psycopg
from psycopg import pq

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.server_error import as_pg_errors, from_login

CANCEL_TIMEOUT: Final = 0.4
"""Seconds for a cancel request to one server; a job answers to a cancel within a second."""

Side = Literal["source", "target"]

NO_FILE = "/nonexistent/pgclone"
"""A path that does not exist: libpq then reads no file, without the warning that /dev/null would bring."""

TIME_LIMITS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Within about a minute a connection is given up whose packets vanish: by keep-alives while it is silent, by the last
one (milliseconds) while something sent is not acknowledged.  That also ends one whose server takes nothing for as long;
less would end those of a server that only pauses, more would have a clone hang on a dead one."""

LIBPQ_DEFAULTS: tuple[tuple[int, str, str], ...] = (
    (0, "passfile", NO_FILE),
    (0, "gssencmode", "disable"),
    (160000, "sslcertmode", "disable"),
    (160000, "require_auth", "!gss,!sspi"),
    *((0, keyword, value) for keyword, value in TIME_LIMITS.items()),
)
"""(libpq version from which it is known, keyword, value) for keywords that the conninfo does not give."""

CERTIFICATE_KEYWORDS = frozenset({"sslcert", "sslkey"})

# (server version from which the setting exists, name, value).  statement_timeout and the others that end a session are
# off because a clone may take hours; the formats are those that every server version reads back exactly.
COMMON: tuple[tuple[int, str, str], ...] = (
    (0, "statement_timeout", "0"),  # first: it counts for this message too
    (0, "client_encoding", "UTF8"),
    (0, "search_path", ""),
    (0, "client_min_messages", "error"),
    (0, "standard_conforming_strings", "on"),
    (0, "row_security", "off"),
    # The queries on catalogues look costly to the planner, and are compiled for seconds to run for milliseconds.
    (0, "jit", "off"),
    (0, "datestyle", "ISO"),
    (0, "intervalstyle", "postgres"),
    # So that the server too ends a session whose client has vanished, with its locks, after a minute and not two hours.
    (0, "tcp_keepalives_idle", TIME_LIMITS["keepalives_idle"]),
    (0, "tcp_keepalives_interval", TIME_LIMITS["keepalives_interval"]),
    (0, "tcp_keepalives_count", TIME_LIMITS["keepalives_count"]),
    (0, "idle_in_transaction_session_timeout", "0"),
    (140000, "idle_session_timeout", "0"),
    (170000, "transaction_timeout", "0"),
)
MONEY: Final = "C"
"""lc_monetary while rows move: what either side is set to does not change how amounts are written and read."""
BEGIN_COPY: Final = f"BEGIN; SET LOCAL lc_monetary = '{MONEY}'"
"""Of a target's transaction that takes rows; definitions have amounts in words of the source's own lc_monetary."""
BEGIN_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
LOCK_TIMEOUT: Final = "30s"
"""Long enough for an ordinary transaction of others to end; a lock that the caller himself holds is never given up."""
SOURCE: tuple[tuple[int, str, str], ...] = (
    (0, "default_transaction_read_only", "on"),
    (0, "lock_timeout", "0"),
    (0, "extra_float_digits", "3"),
    (0, "synchronize_seqscans", "off"),
    (0, "quote_all_identifiers", "off"),
    (0, "lc_monetary", MONEY),
)
TARGET: tuple[tuple[int, str, str], ...] = (
    (0, "lock_timeout", LOCK_TIMEOUT),
    # A step counts as done only behind the barrier of `durable.py`, so single commits need not wait for the disk.
    (0, "synchronous_commit", "off"),
    (0, "check_function_bodies", "off"),
    (0, "xmloption", "content"),
    (0, "default_transaction_isolation", "read committed"),
    # As pg_dump's own text has it.  The others would change what is written: {NULL} to {"NULL"}, a = NULL to a IS NULL.
    (0, "default_tablespace", ""),
    (0, "array_nulls", "on"),
    (0, "transform_null_equals", "off"),
)
SETTINGS: dict[Side, tuple[tuple[int, str, str], ...]] = {"source": COMMON + SOURCE, "target": COMMON + TARGET}

MAINTENANCE_WORK_MEM = "256MB"
"""For index builds, if the server's own is smaller.  Each copier may use it once (parallel workers share it)."""

OLDEST: Final = 140000
"""Of the servers that a clone is made from or in.  Those that are older than 14 are not tested, and get no updates."""

RESET = "SET statement_timeout = 0; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"

# Other statements of the same message; WHERE, because a server that is set up with more keeps it.
RAISE_MAINTENANCE_WORK_MEM = (
    f"SELECT pg_catalog.set_config('maintenance_work_mem', '{MAINTENANCE_WORK_MEM}', false)"
    " WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem'))"
    f" < pg_catalog.pg_size_bytes('{MAINTENANCE_WORK_MEM}')"
)


def forget_environment(environ: MutableMapping[str, str] = os.environ) -> None:
    """Remove every variable that libpq reads.  Call it first in every process that connects."""
    for name in [name for name in environ if name.startswith("PG")]:
        del environ[name]


def application_name(job_id: int) -> str:
    """What the sessions of a job are called, unless the conninfo says otherwise."""
    return f"pgclone: job {job_id}"


def parameters(conninfo: Conninfo, job_id: int, libpq_version: int) -> dict[str, str]:
    """The keywords and values to connect with: the conninfo's own, and safe values for what it leaves open."""
    given = conninfo.parameters
    out = {keyword: value for since, keyword, value in LIBPQ_DEFAULTS if libpq_version >= since}
    if CERTIFICATE_KEYWORDS & given.keys():
        out.pop("sslcertmode", None)
    return out | {"fallback_application_name": application_name(job_id)} | given | {"client_encoding": "UTF8"}


def settings_sql(side: Side, server_version: int, snapshot: str = "") -> bytes:
    """Statements, to be sent as one message, that give a session the settings of its side and no others, and begin a
    transaction of this snapshot if there is one."""
    known = [(name, value) for since, name, value in SETTINGS[side] if server_version >= since]
    statements = [RESET, *(f"SET {name} = '{value}'" for name, value in known)]
    if side == "target":
        statements.append(RAISE_MAINTENANCE_WORK_MEM)
    if snapshot:
        statements += [BEGIN_READING, f"SET TRANSACTION SNAPSHOT '{snapshot}'"]
    return "; ".join(statements).encode()


def check_password(conninfo: Conninfo, side: Side, pgconn: pq.abc.PGconn) -> None:
    """PgError 2F003 if the conninfo demands that the server asks for its password, and it has not."""
    if conninfo.password_demanded and not pgconn.used_password:
        raise PgError(
            "2F003",
            f"pgclone: the {side} server let the proxy in without asking for the password",
            detail="It trusts the address or the account of the proxy's machine, which is not yours to lend.",
            hint="Have its pg_hba.conf ask for a password (scram-sha-256).  Or ask whoever runs the proxy to name this "
            "source in its configuration ([source.NAME]), or to set sources.require_password to false.",
        )


def check_version(side: Side, server_version: int) -> None:
    """PgError 0A000 if clones are not made from, or in, a server that old."""
    if server_version < OLDEST:
        raise PgError(
            "0A000",
            f"pgclone: the {side} is PostgreSQL {server_version // 10000}, and clones need {OLDEST // 10000} or newer",
            hint="Upgrade it, or use pg_dump.",
        )


def _arguments(conninfo: Conninfo, job_id: int) -> dict[str, Any]:
    return {**parameters(conninfo, job_id, pq.version()), "autocommit": True, "prepare_threshold": None}


def _check(conninfo: Conninfo, side: Side, connection: psycopg.Connection | psycopg.AsyncConnection) -> None:
    check_password(conninfo, side, connection.pgconn)
    check_version(side, connection.info.server_version)


def connect(conninfo: Conninfo, side: Side, job_id: int, snapshot: str = "") -> psycopg.Connection:
    """An open connection in autocommit mode with its session settings; with a snapshot, which another session has
    exported, in a transaction that reads by it.

    PgError 08001, 28P01, 28000, 3D000… if it cannot be opened, in the server's words and without a secret; 2F003 if the
    server should have asked for a password; 0A000 if it is too old.
    """
    try:
        connection = psycopg.connect(**_arguments(conninfo, job_id))
    except psycopg.Error as error:
        raise from_login(error, conninfo, side) from None
    try:
        with as_pg_errors():
            _check(conninfo, side, connection)
            prepare_session(connection, side, snapshot)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare_session(connection: psycopg.Connection, side: Side, snapshot: str = "") -> None:
    """Give the session the settings of its side, whatever was set in it before, and begin a transaction of this
    snapshot if there is one.  It must be outside a transaction."""
    connection.execute(settings_sql(side, connection.info.server_version, snapshot))


def cancel(connection: psycopg.Connection) -> None:
    """Ask the server to end what it does for this connection.  Takes CANCEL_TIMEOUT at most, and never raises."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=CANCEL_TIMEOUT)


async def connect_async(conninfo: Conninfo, side: Side, job_id: int) -> psycopg.AsyncConnection:
    """As `connect`, for the job process's own connections, which run in its event loop."""
    connection = await open_async(conninfo, side, job_id)
    async with closed_on_error(connection):
        _check(conninfo, side, connection)
        await connection.execute(settings_sql(side, connection.info.server_version))
    return connection


async def open_async(conninfo: Conninfo, side: Side, job_id: int) -> psycopg.AsyncConnection:
    """An open connection in autocommit mode, unchecked, with the settings that the server gives it.

    PgError 08001, 28P01, 28000, 3D000… if it cannot be opened, in the server's words and without a secret.
    """
    try:
        return await psycopg.AsyncConnection.connect(**_arguments(conninfo, job_id))
    except psycopg.Error as error:
        raise from_login(error, conninfo, side) from None


@asynccontextmanager
async def closed_on_error(connection: psycopg.AsyncConnection) -> AsyncIterator[None]:
    """Close the connection if what prepares it inside fails or is cancelled.  PgError in the server's words."""
    try:
        with as_pg_errors():
            yield
    except BaseException:
        await connection.close()
        raise
