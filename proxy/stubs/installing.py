"""Putting the stubs into a database of the target server, and taking them out: all of it in one transaction.

Objects that do not carry the mark of a stub are never touched.  What the stubs are is `definitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import NamedTuple

import psycopg
from psycopg import RawCursor, errors
from psycopg.rows import class_row
from psycopg.sql import Literal

from clone_engine.ddl.stubs import STUB_COMMENT
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.server_error import from_login, from_psycopg, one_line
from proxy.stubs.definitions import Stub, flat_names, short_names, stubs

Connection = psycopg.Connection[tuple[object, ...]]

# CREATE OR REPLACE keeps what depends on an object, but cannot give it another result or other columns.
REPLACED_BY_ANOTHER = (errors.InvalidFunctionDefinition, errors.InvalidTableDefinition)

RIGHTS = (
    "Stubs belong to who has installed them: use --user with that role, or, at first, with the owner of the database."
)


class Found(NamedTuple):
    """An object of the database that has the name or the mark of a stub.  The columns of objects.sql."""

    kind: str
    identity: str
    """As `definitions.Stub.identity`."""
    description: str
    marked: bool


@contextmanager
def transaction(conninfo: Conninfo) -> Iterator[Connection]:
    """A connection in a transaction, in which names resolve in pg_catalog only; committed in the end.

    PgError if it cannot be opened, and for an error of the server inside, in the server's words; nothing is changed
    then.
    """
    try:
        connection = psycopg.connect(**conninfo.parameters)  # type: ignore[arg-type]  # libpq keywords only
    except psycopg.Error as error:
        raise from_login(error, conninfo, "target") from None
    try:
        with connection:
            connection.execute("SELECT pg_catalog.set_config('search_path', '', false)")
            yield connection
    except errors.InsufficientPrivilege as error:
        refused = from_psycopg(error)
        refused.hint = error.diag.message_hint or RIGHTS  # that of from_psycopg is about clones
        raise refused from None
    except psycopg.Error as error:
        raise from_psycopg(error) from None


def install(connection: Connection) -> list[Stub]:
    """Make the stubs, or make those of another version what they should be; the stubs that there are now.

    PgError 42710 if something else has one of their names, 2BP01 if something depends on a stub that has to go.
    """
    found = _found(connection)
    if others := [each.description for each in found if not each.marked]:
        raise PgError(
            "42710",
            f"pgclone: not a stub of pgclone-proxy, but named like one: {', '.join(others)}",
            hint="Drop or rename it, or go without stubs in this database.",
        )
    wanted, there = stubs(), {each.identity for each in found}
    for stub in wanted:
        made_anew = _make(connection, stub)
        # Whoever was granted what since the first time is left alone.
        if made_anew or stub.identity not in there:
            connection.execute(f"GRANT {stub.privilege} ON {_named(stub)} TO PUBLIC".encode())
        comment = Literal(stub.comment).as_string(connection)
        connection.execute(f"COMMENT ON {stub.kind} {stub.identity} IS {comment}".encode())
    names = {stub.identity for stub in wanted}
    _drop(connection, [each for each in found if each.identity not in names], cascade=False)
    return wanted


def remove(connection: Connection, *, cascade: bool = False) -> list[str]:
    """Drop what is marked as a stub, with `cascade` also what depends on it; descriptions of the stubs dropped.

    The schema stays if other things are in it.  PgError 2BP01 if something depends on a stub.
    """
    marked = [each for each in _found(connection) if each.marked]
    objects = [each for each in marked if each.kind != "SCHEMA"]
    _drop(connection, objects, cascade=cascade)
    return [each.description for each in [*objects, *_drop_schema(connection, marked)]]


def _found(connection: Connection) -> list[Found]:
    query = (files(__package__) / "objects.sql").read_text(encoding="utf-8")
    with RawCursor(connection, row_factory=class_row(Found)) as cursor:
        return cursor.execute(query.encode(), (STUB_COMMENT, flat_names(), short_names())).fetchall()


def _make(connection: Connection, stub: Stub) -> bool:
    """Create or replace it; whether it had to be dropped for that."""
    try:
        with connection.transaction():
            connection.execute(stub.definition.encode())
    except REPLACED_BY_ANOTHER:
        _drop(connection, [Found(stub.kind, stub.identity, stub.identity, True)], cascade=False)
        connection.execute(stub.definition.encode())
        return True
    return False


def _drop(connection: Connection, found: Sequence[Found], *, cascade: bool) -> None:
    for each in found:
        try:
            connection.execute(f"DROP {each.kind} {each.identity} {'CASCADE' if cascade else 'RESTRICT'}".encode())
        except errors.DependentObjectsStillExist as error:
            raise PgError(
                "2BP01",
                f"pgclone: {each.description} cannot be dropped: {one_line(error.diag.message_detail or '')}",
                hint="Drop what depends on it first, or use remove-stubs --cascade.",
            ) from None


def _drop_schema(connection: Connection, marked: Sequence[Found]) -> list[Found]:
    """Drop the schema, unless it is not ours or holds more; what has been dropped."""
    dropped = []
    for each in [each for each in marked if each.kind == "SCHEMA"]:
        try:
            with connection.transaction():
                connection.execute(f"DROP SCHEMA {each.identity} RESTRICT".encode())
        except errors.DependentObjectsStillExist:
            continue
        dropped.append(each)
    return dropped


def _named(stub: Stub) -> str:
    """As GRANT names it."""
    return stub.identity if stub.kind == "VIEW" else f"{stub.kind} {stub.identity}"
