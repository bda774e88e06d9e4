"""Copies large objects, which COPY cannot: each is made with the oid that tables refer to it by, and written in pieces.

Some hundred of them are one step, and so one transaction.  When they are copied is `graph.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import RawCursor

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.request import Conflict
from clone_engine.records.steps import LargeObjects
from clone_engine.servers.queries import rows
from clone_engine.servers.server_error import from_psycopg, tolerable

OBJECTS_PER_STEP = 500
"""More make fewer steps, and more work to be done again when one fails."""
PIECE = 1 << 20
"""Bytes read and written at once; a value can have at most a gigabyte, an object four terabytes."""

PRESENT = "SELECT oid::bigint FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ($1::bigint[]::oid[]) ORDER BY 1"
READ = "SELECT pg_catalog.lo_get($1::bigint::oid, $2::bigint, $3::integer)"
MAKE = "SELECT pg_catalog.lo_from_bytea($1::bigint::oid, $2::bytea)"
WRITE = "SELECT pg_catalog.lo_put($1::bigint::oid, $2::bigint, $3::bytea)"
UNLINK = "SELECT pg_catalog.lo_unlink($1::bigint::oid)"


def large_object_steps(oids: Sequence[int], conflict: Conflict, after: tuple[str, ...]) -> Iterator[LargeObjects]:
    """The steps that copy the objects `oids`, which are in order."""
    for start in range(0, len(oids), OBJECTS_PER_STEP):
        part = oids[start : start + OBJECTS_PER_STEP]
        yield LargeObjects(
            key=f"large objects {part[0]} to {part[-1]}",
            phase="copying data",
            after=after,
            first=part[0],
            last=part[-1],
            existing="error" if conflict == "rename" else conflict,
        )


def present(target: psycopg.Connection, oids: Sequence[int]) -> list[int]:
    """Those of `oids` that are taken on the target, in order."""
    try:
        return [oid for (oid,) in RawCursor(target).execute(PRESENT, [list(oids)])]
    except psycopg.Error as error:
        raise from_psycopg(error) from error


def check_large_objects(target: psycopg.Connection, oids: Sequence[int], conflict: Conflict) -> None:
    """PgError 42710 if the target has one of them and would have to have two."""
    taken = present(target, oids) if oids and conflict in {"error", "rename"} else []
    if taken:
        raise PgError(
            "42710",
            f"pgclone: large object {taken[0]} already exists on the target",
            detail="A large object keeps its number, since tables refer to it by that.",
            hint='Give option conflict as "skip" or "replace", or clone into a new database.',
        )


def copy_large_objects(
    source: psycopg.Connection, target: psycopg.Connection, step: LargeObjects
) -> Iterator[Outcome | int]:
    """Copy the objects of a step within the open transaction: the outcomes worth a line, and bytes as they move.

    PgError or psycopg.Error at the first that cannot be read or made.
    """
    found = rows(source, "large_objects", [step.first, step.last])
    there = frozenset(present(target, [row.oid for row in found]))
    number = 0
    for row in found:
        if row.oid in there and step.existing == "replace":
            RawCursor(target).execute(UNLINK, [row.oid])
        elif row.oid in there and step.existing == "skip":
            yield Outcome(f"large object {row.oid}", "skipped", message="exists on the target and is left as it is")
            continue
        yield from _copy(source, target, row.oid)
        yield from _described(target, row.oid, row.statements)
        number += 1
    yield Outcome(step.key, "done", message=f"{number} copied")


def _copy(source: psycopg.Connection, target: psycopg.Connection, oid: int) -> Iterator[int]:
    place, data = 0, _piece(source, oid, 0)
    RawCursor(target).execute(MAKE, [oid, data])
    while True:
        yield len(data)
        place += len(data)
        if len(data) < PIECE:
            return
        data = _piece(source, oid, place)
        RawCursor(target).execute(WRITE, [oid, place, data])


def _piece(source: psycopg.Connection, oid: int, place: int) -> bytes:
    row = RawCursor(source).execute(READ, [oid, place, PIECE]).fetchone()
    return bytes(row[0]) if row else b""


def _described(target: psycopg.Connection, oid: int, statements: Sequence[str]) -> Iterator[Outcome]:
    """Owner, comment and privileges, as far as the target lets us."""
    for statement in statements:
        try:
            with target.transaction():
                target.execute(statement.encode())
        except psycopg.Error as error:
            refused = from_psycopg(error)
            if not tolerable(refused.sqlstate):
                raise
            what = statement.split(maxsplit=1)[0].lower()
            yield Outcome(f"{WORDS[what]} large object {oid}", "skipped", refused.sqlstate, refused.message)


WORDS = {"alter": "owner of", "comment": "comment on", "revoke": "privileges on", "grant": "privileges on"}
