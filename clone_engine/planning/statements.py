"""Turns chosen statements of the dump into statements for the target, with the settings that they rely on.

Pure.  Every step is a transaction of its own on any connection, so each sets what it needs, for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.retarget import Renames, retargeted
from clone_engine.ddl.subjects import Identity
from clone_engine.planning.privileges import DefaultPrivileges, as_built_in
from clone_engine.planning.selection import Item
from clone_engine.planning.tolerance import Tolerance
from clone_engine.records.names import Name, quote_ident, quote_literal
from clone_engine.records.steps import Statement
from clone_engine.servers.connect import LOCK_TIMEOUT

SESSION = (
    "SELECT pg_catalog.set_config('search_path', '', true),"
    " pg_catalog.set_config('check_function_bodies', 'off', true),"
    " pg_catalog.set_config('xmloption', 'content', true),"
    " pg_catalog.set_config('client_min_messages', 'warning', true)"
)
"""What pg_dump's statements rely on, for the present transaction."""
MOMENT = "700ms"
"""For which a lock is waited for that others would have to wait behind."""
SHOWN = 3
"""Names in a message."""
NEEDS_TABLESPACE = frozenset({"table", "index", "key", "materialized view"})
NEEDS_METHOD = frozenset({"table", "materialized view"})


def alone(schema: str) -> tuple[Statement, ...]:
    """What makes a transaction wait until no other job defines things in this schema; '' stands for all schemas.

    Two that replace a routine or change privileges at once would fail: "tuple concurrently updated".  The wait is for
    transactions of jobs only, each of which gives up by itself.
    """
    every, one = (f"pg_catalog.hashtextextended({quote_literal(f'pgclone {name}')}, 0)" for name in ("", schema))
    locks = f"pg_catalog.pg_advisory_xact_lock_shared({every}), pg_catalog.pg_advisory_xact_lock({one})"
    return (
        Statement("SET LOCAL lock_timeout = 0", ""),
        Statement(f"SELECT {locks if schema else f'pg_catalog.pg_advisory_xact_lock({every})'}", ""),
        Statement(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'", ""),
    )


def briefly(tables: Iterable[Name]) -> tuple[Statement, ...]:
    """What locks existing tables against all others, all at once and before anything is changed.

    Whoever comes while a lock is waited for waits too, so that may be only a moment.
    """
    names = sorted(tables)
    if not names:
        return ()
    listed = ", ".join(f"ONLY {name.sql}" for name in names)
    shown = ", ".join(map(str, names[:SHOWN])) + (" and more" if len(names) > SHOWN else "")
    return (
        Statement(f"SET LOCAL lock_timeout = '{MOMENT}'", ""),
        Statement(f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE", f"lock of {shown}"),
        Statement(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'", ""),
    )


class Available(NamedTuple):
    """What the target has for new objects."""

    tablespaces: frozenset[str]
    access_methods: frozenset[str]
    default_privileges: DefaultPrivileges
    """What new objects are given there, and those of a clone are not."""
    in_place: frozenset[Identity]
    """Routines that are replaced without being dropped: they are no new objects."""


def statements(
    items: Iterable[Item],
    renames: Renames,
    final: Renames,
    available: Available,
    tolerance: Tolerance,
) -> Iterator[Statement]:
    """SESSION, then the items under the names `renames`; reported under their `final` names.

    A tablespace or an access method that is not `available` becomes the target's default.
    """
    yield Statement(SESSION, "")
    tablespace = method = None
    for item in items:
        ddl = retargeted(item.ddl, renames)
        place = item.tablespace if item.tablespace in available.tablespaces else ""
        if ddl.kind in NEEDS_TABLESPACE and place != tablespace:
            tablespace = place
            yield Statement(f"SET LOCAL default_tablespace = {quote_literal(place)}", "")
        if ddl.kind in NEEDS_METHOD and item.method and item.method != method:
            method = item.method
            yield Statement("SET LOCAL default_table_access_method = DEFAULT", "")
            if method in available.access_methods:
                label = tolerance.labels.get(("access method", method))
                setting = f"SET LOCAL default_table_access_method = {quote_literal(method)}"
                yield Statement(setting, "", needs=(label,) if label else ())
        yield Statement(
            ddl.sql,
            retargeted(item.ddl, final).label,
            tolerance.all(item.ddl),
            tolerance.some(item.ddl),
            tolerance.needs(item.ddl),
        )
        if item.ddl.identity not in available.in_place:
            made = retargeted(item.ddl, final).label
            for sql in as_built_in(ddl, available.default_privileges):
                yield Statement(sql, "", needs=(made,))


def missing_schema(name: str) -> Iterator[Statement]:
    """Makes a schema that was not there when the clone was planned, unless another job has made it meanwhile.

    IF NOT EXISTS alone fails beside a transaction that has just made it and is not done yet; so jobs take turns.
    """
    key = f"pg_catalog.hashtextextended({quote_literal(f'pgclone: schema {name}')}, 0)"
    yield Statement(f"SELECT pg_catalog.pg_advisory_xact_lock({key})", "")
    yield Statement(f"CREATE SCHEMA IF NOT EXISTS {quote_ident(name)}", f"schema {name}")


BUILD_COSTS: Mapping[str, float] = {"btree": 1.0, "brin": 0.2, "hash": 4.0, "gin": 6.0, "gist": 4.0, "spgist": 3.0}
"""How long building an index takes beside one of type btree, by access method."""


def build_cost(ddl: Ddl) -> float:
    """How long building this index takes beside that of a btree over all rows of its table.  Rough."""
    node = ddl.node
    if ddl.kind != "index":
        return 1.0
    return BUILD_COSTS.get(node.accessMethod, 1.0) * (0.5 if node.whereClause else 1.0)
