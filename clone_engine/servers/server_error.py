"""From what psycopg and libpq say to a PgError: the server's own words, its SQLSTATE, and never a secret.

Pure.  Who was connecting, and what is done about the failure, is known to the callers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from clone_engine.records.errors import PgError
from clone_engine.records.request import SECRET_KEYWORDS, Conninfo

PASSFILE = re.compile(r'[\s;,]*password retrieved from file ".*"')
"""What libpq adds where a passfile had the password; the path is not the caller's to know."""

LOST = frozenset({"08000", "08001", "08003", "08006", "25P03", "57P01", "57P02", "57P03", "57P05"})
"""What says that a connection is lost or not to be had now: it is broken, was ended by an administrator, a crash or a
time limit, or the server is starting or stopping.  Not 08P01 and 08004, which say that the two do not understand each
other."""
NO_CONNECTIONS = "53300"
"""Too many connections: of the server, the database or the role."""
NO_LOCK = "55P03"
"""A lock that could not be had in time."""
STARTING = frozenset({"57P03", NO_CONNECTIONS})
"""What a login is refused with by a server that may soon take it."""
LOST_WORDS = re.compile(
    r"server closed the connection|terminating connection due to|no connection to the server|"
    r"could not (send|receive) data|SSL (SYSCALL|connection)|connection to server .* failed: .*(refused|time|reset)"
)
"""What client programs, which give no SQLSTATE, say of a lost connection."""

NO_MEMORY_WORDS = re.compile(r"(cannot|could not) allocate memory|out of memory")
"""What libpq says where it has none, which gives no SQLSTATE either."""
NO_MEMORY_HINT = "Give the proxy's machine more memory, or ask for fewer copiers, and resume the job."

LOGIN_REFUSALS = (
    ("28P01", r"password authentication failed|no password supplied|SCRAM|wrong password"),
    ("28000", r"no pg_hba\.conf entry|role \".*\" (does not exist|is not permitted)|authentication failed"),
    ("3D000", r"database \".*\" does not exist"),
    ("53300", r"too many (clients|connections)|connection slots"),
    ("57P03", r"the database system is (starting up|shutting down|in recovery|not accepting)"),
)
"""libpq gives no SQLSTATE for a refused login, so it is read from the words; others are 08001."""

HINTS = {
    "55P03": "Another session holds a lock on it, perhaps the one that asked for the clone. Resume when it is free.",
    "42501": "A clone has the caller's own rights on the target, and those of the conninfo's user on the source.",
    "22021": "The source keeps bytes in this that are no UTF-8, as a database in SQL_ASCII may.  Correct them there.",
    "22P05": "The target's encoding lacks this character.  Clone into a database in UTF8.",
    "25006": "Conditions of a clone may only read.  Its target must take writes: be no standby, and not have "
    "default_transaction_read_only on for the role or the database.",
    "53300": "Ask for fewer copiers, or resume the job when the server has connections to spare.",
}
"""What to do about errors that servers give no hint for."""

DUPLICATES = frozenset({"42P07", "42710", "42723", "42P06", "42P16", "42701", "42712", "42809"})
"""What a statement fails with that was run before: the object is there, or the table has the property already
(42P16: a second primary key, 42809: is a partition already)."""

NOT_AGAIN = frozenset({"55000"})
"""What may mean the same (is an identity column already), but much else: to be believed only behind a duplicate."""

NEVER_TOLERATED = ("08", "25", "40", "53", "57", "58", "XX")
"""SQLSTATE classes that say something of the connection, the transaction or the server, not of the statement."""


def from_psycopg(error: psycopg.Error) -> PgError:
    """The server's error as it was sent; with libpq's words 53200 where it had no memory, else 08006: the connection
    broke."""
    diag = error.diag
    if diag.sqlstate is None:
        words = one_line(str(error))
        if NO_MEMORY_WORDS.search(words):
            return PgError("53200", f"pgclone: {words}", hint=NO_MEMORY_HINT)
        return PgError("08006", words or "the connection to the server was lost")
    return PgError(
        diag.sqlstate,
        diag.message_primary or one_line(str(error)),
        detail=diag.message_detail or "",
        hint=diag.message_hint or HINTS.get(diag.sqlstate, ""),
    )


@contextmanager
def as_pg_errors() -> Iterator[None]:
    """What psycopg raises inside comes out as the PgError that `from_psycopg` makes of it."""
    try:
        yield
    except psycopg.Error as error:
        raise from_psycopg(error) from None


def from_login(error: psycopg.Error, conninfo: Conninfo, side: str) -> PgError:
    """Why the `side` ('source' or 'target') cannot be connected to, in libpq's words without secrets."""
    words = PASSFILE.sub("", one_line(without_secrets(str(error), conninfo)))
    words = words.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    sqlstate = next((state for state, pattern in LOGIN_REFUSALS if re.search(pattern, words)), "08001")
    return PgError(
        sqlstate,
        f"pgclone: could not connect to {side}: {words}",
        hint=f"Check the {side}'s host, port, database, user and password, and that it lets this proxy in.",
    )


def from_fields(fields: dict[str, str]) -> PgError:
    """The error in the fields of an ErrorResponse (protocol chapter 54.8)."""
    sqlstate = fields.get("C", "XX000")
    hint = fields.get("H") or HINTS.get(sqlstate, "")
    return PgError(sqlstate, fields.get("M", "unknown error"), detail=fields.get("D", ""), hint=hint)


def transient(sqlstate: str) -> bool:
    """Whether the same may succeed soon, on a new connection: nothing was wrong with what was asked."""
    return sqlstate in LOST or sqlstate == NO_CONNECTIONS


def state_of_words(words: str) -> str:
    """The SQLSTATE of what a client program says of its connection; '' if it speaks of something else."""
    if LOST_WORDS.search(words):
        return "08006"
    return next((state for state, pattern in LOGIN_REFUSALS if re.search(pattern, words)), "")


def tolerable(sqlstate: str) -> bool:
    """Whether a statement that may fail may fail with this."""
    return not sqlstate.startswith(NEVER_TOLERATED)


def without_secrets(text: str, conninfo: Conninfo) -> str:
    """`text` with the values of the secret keywords starred out."""
    for keyword in SECRET_KEYWORDS:
        if value := conninfo.parameters.get(keyword):
            text = text.replace(value, "***")
    return text


def one_line(text: str) -> str:
    """libpq's message on one line: several hosts or lines are separated by a semicolon."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
