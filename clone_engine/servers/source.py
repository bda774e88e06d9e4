"""What exists on the source, read from its catalogues at the job's snapshot.

Facts that pg_dump's text does not hold: sizes, columns to copy, sequence values, which materialized views hold rows.
The definitions themselves come from `dump.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest
from clone_engine.servers.chosen import check_conditions, choose
from clone_engine.servers.queries import rows
from clone_engine.servers.server_error import from_psycopg

KINDS = {
    "v": "a view",
    "m": "a materialized view",
    "S": "a sequence",
    "i": "an index",
    "I": "a partitioned index",
    "c": "a composite type",
    "t": "a TOAST table",
}
SEQUENCES_PER_QUERY = 500
"""Each is one scan in a UNION ALL; a larger number only makes a longer statement to plan."""


class Column(NamedTuple):
    """A column that is not dropped.  A generated one is computed by the target and never copied."""

    name: str
    generated: bool
    type: str = ""
    """Its number and type on the source, to tell whether it is still the same."""
    enum: bool = False
    """Whether the type is an enum, whose values travel by name."""


class Table(NamedTuple):
    """A table of the clone.  `bytes` holds TOAST too, `pages` only the main fork; both 0 for relkind p and f."""

    name: Name
    relkind: str
    """r table · p partitioned table · f foreign table."""
    bytes: int
    pages: int
    rows: int | None
    """As the planner would estimate them; None if the table was never analysed."""
    access_method: str
    parent: Name | None
    """The partitioned table that this is a partition of."""
    columns: tuple[Column, ...]
    extension: str = ""
    """The extension that it belongs to and that wants its rows to be kept, but not its definition."""
    condition: str = ""
    """Which rows that are, as WHERE …; '' is all of them."""
    file: int = 0
    """Where its rows are; another one after they were rewritten or truncated."""
    horizon: int = 0
    """All transactions before this one had ended when the snapshot was taken."""
    unlogged: bool = False


class Sequence(NamedTuple):
    """A sequence, the table column that owns it, and where it stands."""

    name: Name
    table: Name | None
    column: str
    last_value: int
    is_called: bool
    extension: str = ""
    """The extension that it belongs to and that wants its value to be kept."""
    unlogged: bool = False


class Matview(NamedTuple):
    """A materialized view; `reads` are the others of the clone that it reads, however indirectly."""

    name: Name
    populated: bool
    reads: frozenset[Name]


class Inherited(NamedTuple):
    """A column or (name '') a CHECK constraint that a table has from its parents, as CREATE TABLE would say it."""

    name: str
    definition: str


class Source(NamedTuple):
    """Everything the plan needs to know of the source beside its DDL."""

    version: int
    """As server_version_num: 150004."""
    schemas: frozenset[str] = frozenset()
    """Those that must be there before anything is made, and that the dump does not make if they belong to the system
    or are those of single tables."""
    whole: tuple[str, ...] = ()
    """Those that the clone takes in with all that is in them."""
    tables: Mapping[Name, Table] = {}
    sequences: tuple[Sequence, ...] = ()
    matviews: Mapping[Name, Matview] = {}
    versions: Mapping[str, str] = {}
    """Of all its extensions."""
    inherited: Mapping[Name, tuple[Inherited, ...]] = {}
    """Of tables whose parents may not come with them."""
    left_out: Mapping[Name, str] = {}
    """Tables that options leave out, each with why."""
    of_jobs: tuple[str, ...] = ()
    """Schemas that jobs made for themselves in a database that is cloned as a whole."""
    lacking: frozenset[Name] = frozenset()
    """Partitioned tables that are cloned without some of their partitions."""
    drawn: frozenset[Name] = frozenset()
    """Sequences of such tables from which tables of the clone draw."""
    idle: frozenset[Name] = frozenset()
    """Their other sequences."""
    notes: tuple[tuple[str, str], ...] = ()
    """Options that do nothing, publications and subscriptions that are not cloned, each with why."""
    statistics: tuple[str, ...] = ()
    """Statements that make the extended statistics of a table clone, which pg_dump does not."""
    large_objects: tuple[int, ...] = ()
    """The oids of those to copy, in order."""

    @property
    def parents(self) -> dict[Name, Name | None]:
        """The tables, each with the one that it is a partition of."""
        return {name: table.parent for name, table in self.tables.items()}

    def columns_left_out(self, request: CloneRequest) -> frozenset[str]:
        """Columns of the named table that options.columns leaves out; its partitions have the same."""
        if not request.options.columns:
            return frozenset()
        table = self.tables[Name(request.schema_name, request.table_name)]
        return frozenset(column.name for column in table.columns) - set(request.options.columns)


def read_tables(connection: psycopg.Connection[Any], request: CloneRequest) -> Source:
    """Which schemas and tables `request` is about, in the connection's present transaction: all that decides what is
    dumped.  `read_rest` adds the other facts.

    PgError 3F000 without the schema, 42P01 without the table, 42809 if that is no table, 42703 if a column of
    options.columns is missing, 22023 for options that name no table, or what the server says.
    """
    _check_named(connection, request)
    version = connection.info.server_version
    if request.kind == "functions":
        return Source(version, frozenset({request.schema_name}))
    schemas, of_jobs = _schemas(connection, request)
    found = _tables(connection, schemas, request.table_name)
    if request.kind == "table":
        _check_columns(found, request)
        return Source(version, frozenset({name.schema for name in found} | {request.schema_name}), tables=found)
    chosen = choose(connection, {name: t.parent for name, t in found.items() if not t.extension}, request)
    tables = {name: table for name, table in found.items() if name not in chosen.left_out}
    check_conditions((name for name, table in tables.items() if table.relkind != "f"), request)
    return Source(
        version=version,
        schemas=frozenset(schemas) & {request.schema_name or "public"},  # the one that pg_dump takes for granted
        whole=tuple(schemas),
        tables=tables,
        left_out=chosen.left_out,
        of_jobs=of_jobs,
        lacking=chosen.lacking,
        notes=chosen.notes,
    )


def read_rest(
    connection: psycopg.Connection[Any], request: CloneRequest, facts: Source, needed: Collection[Name] = ()
) -> Source:
    """What `read_tables` has found with all the other facts; `needed` are sequences elsewhere that come too.

    PgError with the server's words.
    """
    if request.kind == "table":
        facts = _rest_of_table(connection, request, facts)
    elif request.kind != "functions":
        facts = _rest_of_schemas(connection, request, facts)
    if not needed:
        return facts
    found = rows(connection, "sequences", [sorted({name.schema for name in needed})])
    more = _with_values(connection, [row for row in found if _named(row) in needed])
    return facts._replace(sequences=(*facts.sequences, *more))


def _rest_of_schemas(connection: psycopg.Connection[Any], request: CloneRequest, facts: Source) -> Source:
    schemas, left_out = list(facts.whole), facts.left_out
    drawn = _drawn(connection, left_out, facts.tables)
    sequences = rows(connection, "sequences", [schemas])
    return facts._replace(
        sequences=_with_values(connection, [s for s in sequences if _owner(s) not in left_out or _named(s) in drawn]),
        matviews=_matviews(connection, schemas),
        inherited=_inherited(connection, facts.tables) if left_out else {},
        drawn=drawn,
        idle=frozenset(_named(s) for s in sequences if _owner(s) in left_out) - drawn,
        notes=(*facts.notes, *(_subscriptions(connection) if request.whole_database else ())),
        versions=_versions(connection),
        large_objects=_large_objects(connection) if request.whole_database and request.include_data else (),
    )


def _rest_of_table(connection: psycopg.Connection[Any], request: CloneRequest, facts: Source) -> Source:
    sequences = rows(connection, "sequences", [sorted({name.schema for name in facts.tables})])
    return facts._replace(
        sequences=_with_values(connection, [row for row in sequences if _owner(row) in facts.tables]),
        inherited=_inherited(connection, [Name(request.schema_name, request.table_name)]),
        statistics=tuple(_statistics(connection, facts.tables)),
        notes=tuple(_publications(connection, facts.tables)),
        versions=_versions(connection),
    )


def _versions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    return {row.name: row.version for row in rows(connection, "extension_versions")}


def _large_objects(connection: psycopg.Connection[Any]) -> tuple[int, ...]:
    query = "SELECT oid::bigint FROM pg_catalog.pg_largeobject_metadata ORDER BY 1"
    try:
        return tuple(oid for (oid,) in connection.execute(query))
    except psycopg.Error as error:
        raise from_psycopg(error) from error


def _schemas(connection: psycopg.Connection[Any], request: CloneRequest) -> tuple[list[str], tuple[str, ...]]:
    """The schemas that the clone takes in, and those beside them that jobs made for themselves."""
    if not request.whole_database:
        return [request.schema_name], ()
    found = rows(connection, "schemas")
    return [row.name for row in found if not row.of_job], tuple(row.name for row in found if row.of_job)


def _tables(connection: psycopg.Connection[Any], schemas: list[str], table: str) -> dict[Name, Table]:
    found = (_table(row) for row in rows(connection, "tables", [schemas, table]))
    return {table.name: table for table in found}


def _check_named(connection: psycopg.Connection[Any], request: CloneRequest) -> None:
    schema, table = request.schema_name, request.table_name
    if request.whole_database:
        return
    found = rows(connection, "named_object", [schema, table])[0]
    if not found.schema_exists:
        raise PgError(
            "3F000",
            f'pgclone: schema "{schema}" does not exist on the source',
            hint="Names are case-sensitive here: give them as the catalogue holds them, without double quotes.",
        )
    if request.kind != "table":
        return
    if found.relkind is None:
        raise PgError(
            "42P01",
            f'pgclone: table "{schema}"."{table}" does not exist on the source',
            hint="Names are case-sensitive here: give them as the catalogue holds them, without double quotes.",
        )
    if found.relkind not in "rpf":
        raise PgError(
            "42809",
            f'pgclone: "{schema}"."{table}" is not a table',
            detail=f"On the source it is {KINDS.get(found.relkind, 'something else')}.",
            hint="Clone its schema instead, which brings every kind of object.",
        )


def _check_columns(tables: Mapping[Name, Table], request: CloneRequest) -> None:
    if not request.options.columns:
        return
    table = tables[Name(request.schema_name, request.table_name)]
    names = [column.name for column in table.columns]
    missing = [name for name in request.options.columns if name not in names]
    if missing:
        listed = ", ".join(f'"{name}"' for name in missing)
        raise PgError(
            "42703",
            f"pgclone: {listed} of option columns: no such column in the source table {table.name}",
            hint="The table has the columns " + ", ".join(f'"{name}"' for name in names) + ".",
        )


def _table(row: Any) -> Table:
    return Table(
        name=Name(row.schema, row.name),
        relkind=row.relkind,
        bytes=row.bytes,
        pages=row.pages,
        rows=row.rows,
        access_method=row.access_method,
        parent=Name(row.parent_schema, row.parent_name) if row.parent_name else None,
        columns=tuple(Column(c["name"], c["generated"], c["type"], c["enum"]) for c in row.columns),
        extension=row.extension,
        condition=row.condition,
        file=row.file,
        horizon=row.horizon,
        unlogged=row.unlogged,
    )


def _matviews(connection: psycopg.Connection[Any], schemas: list[str]) -> dict[Name, Matview]:
    found = [
        Matview(Name(row.schema, row.name), row.populated, frozenset(Name(r["schema"], r["name"]) for r in row.reads))
        for row in rows(connection, "matviews", [schemas])
    ]
    return {view.name: view for view in found}


def _inherited(connection: psycopg.Connection[Any], tables: Iterable[Name]) -> dict[Name, tuple[Inherited, ...]]:
    wanted = sorted(tables)
    found: dict[Name, list[Inherited]] = {}
    for row in rows(connection, "inherited", [[t.schema for t in wanted], [t.name for t in wanted]]):
        found.setdefault(Name(row.schema, row.table), []).append(Inherited(row.name, row.definition))
    return {table: tuple(parts) for table, parts in found.items()}


def _statistics(connection: psycopg.Connection[Any], tables: Iterable[Name]) -> Iterator[str]:
    wanted = sorted(tables)
    for row in rows(connection, "statistics", [[t.schema for t in wanted], [t.name for t in wanted]]):
        yield row.definition
        yield from [row.target] * row.has_target + [row.comment] * row.has_comment


def _publications(connection: psycopg.Connection[Any], tables: Iterable[Name]) -> Iterator[tuple[str, str]]:
    wanted = sorted(tables)
    for row in rows(connection, "publications", [[t.schema for t in wanted], [t.name for t in wanted]]):
        yield f"publication {row.name}", f"publishes {row.table}, and is not part of this clone"


def _subscriptions(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    for row in rows(connection, "subscriptions"):
        yield f"subscription {row.name}", "is not cloned: it would use the replication slot of the first"


def _drawn(
    connection: psycopg.Connection[Any], left_out: Iterable[Name], tables: Mapping[Name, Table]
) -> frozenset[Name]:
    """The sequences of tables that are left out from which `tables` draw."""
    wanted = sorted(left_out)
    found = (
        rows(connection, "drawn_sequences", [[t.schema for t in wanted], [t.name for t in wanted]]) if wanted else []
    )
    return frozenset(_named(row) for row in found if Name(row.user_schema, row.user_name) in tables)


def _named(row: Any) -> Name:
    return Name(row.schema, row.name)


def _owner(row: Any) -> Name | None:
    """The table that a sequence belongs to."""
    return Name(row.table_schema, row.table_name) if row.table_name else None


def _with_values(connection: psycopg.Connection[Any], found: list[Any]) -> tuple[Sequence, ...]:
    """The sequences with their present values.

    Values are not versioned: they may be later than the snapshot, never earlier, so no id is given twice.
    """
    values: dict[int, tuple[int, bool]] = {}
    for start in range(0, len(found), SEQUENCES_PER_QUERY):
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, last_value, is_called FROM {}").format(
                sql.Literal(number), sql.Identifier(row.schema, row.name)
            )
            for number, row in enumerate(found[start : start + SEQUENCES_PER_QUERY], start)
        )
        try:
            values |= {number: (last, called) for number, last, called in connection.execute(query)}
        except psycopg.Error as error:
            raise from_psycopg(error) from error
    return tuple(
        Sequence(
            _named(row),
            _owner(row),
            row.column_name or "",
            *values[number],
            row.extension,
            row.unlogged,
        )
        for number, row in enumerate(found)
    )
