"""What a clone of tables or of schemas needs from outside of itself, and how much of that the target has.

Facts only, read from both servers' catalogues.  What the text of a function names is not in them, unless its body is
BEGIN ATOMIC.  Which statements bring what is lacking, and what can't be brought, is `planning/needs.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from clone_engine.ddl.definitions import label_of, parse_statement
from clone_engine.ddl.subjects import Identity
from clone_engine.records.names import Name, quote_ident
from clone_engine.records.request import CloneRequest
from clone_engine.servers.queries import rows
from clone_engine.servers.source import Source

DIFFERS = "exists on the target and is left as it is, though it differs there"
LONGEST_SHAPE = 200
"""Characters of an enum's labels and the like that a report shows."""


class Need(NamedTuple):
    """One object outside of the clone that something in the clone depends on, however indirectly."""

    kind: str
    """type, routine, sequence, extension, …; relation for a table or a view."""
    schema: str
    name: str
    types: str
    """Input types of a routine or an operator, the access method of an operator class or family, else ''."""
    extension: str = ""
    """The extension that it belongs to."""

    @property
    def identity(self) -> Identity:
        """As the statement that makes it has it."""
        match self.kind:
            case "extension":
                return (self.kind, self.name)
            case "sequence" | "relation":
                return ("relation", self.schema, self.name)
            case "routine":
                function = f"{Name(self.schema, self.name).sql}({self.types})"
                return parse_statement(f"COMMENT ON FUNCTION {function} IS NULL").identity
            case "operator":
                # An operator's symbol is not quoted.
                operator = f"{quote_ident(self.schema)}.{self.name} ({self.types})"
                return parse_statement(f"COMMENT ON OPERATOR {operator} IS NULL").identity
        return (self.kind, self.schema, self.name, *([self.types] if self.types else []))

    @property
    def label(self) -> str:
        """For reports."""
        return label_of(self.kind, self.identity)


class Needs(NamedTuple):
    """What the target lacks of what a clone needs.  The defaults: nothing."""

    brought: Mapping[Identity, str] = {}
    """Types, routines and so on that the clone brings, with their labels."""
    extensions: tuple[str, ...] = ()
    """Those that it creates."""
    schemas: tuple[str, ...] = ()
    """Where the types, routines and so on are."""
    provided: Mapping[Identity, str] = {}
    """Functions without arguments, as triggers call them, that those bring; each with the extension's label."""
    places: frozenset[str] = frozenset()
    """All schemas that must be there for what it brings."""
    sequences: tuple[Name, ...] = ()
    """Those that it brings."""
    relations: frozenset[Name] = frozenset()
    """Tables and views that it does not bring."""
    notes: tuple[tuple[str, str], ...] = ()
    """What is there and differs, with why it is left."""


def read_needs(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    request: CloneRequest,
    facts: Source,
    made_before: Collection[str] = (),
) -> Needs:
    """What `target` lacks.  `made_before` are labels of what an earlier job has brought: it counts as lacking still.

    Extensions of a schema that is cloned are always among the result, since their comments come with them.
    PgError with a server's words.
    """
    if request.whole_database:
        return Needs()
    needs = _needs(source, request, facts)
    extensions = [need for need in needs if need.kind == "extension"]
    objects = [need for need in needs if need.kind != "extension" and not need.extension]
    there, here = _shapes(target, objects), _shapes(source, objects)
    lacking = [need for need in objects if need not in there or need.label in made_before]
    if request.kind == "table":
        installed = {row.name for row in rows(target, "target_places") if row.kind == "extension"}
        extensions = [x for x in extensions if x.name not in installed or x.label in made_before]
    brought = [need for need in lacking if need.kind != "relation"]
    return Needs(
        brought={need.identity: need.label for need in (*brought, *extensions)},
        extensions=tuple(x.name for x in extensions),
        provided=_provided(needs, extensions),
        schemas=tuple(sorted({need.schema for need in brought if need.kind != "sequence"})),
        places=frozenset(need.schema for need in (*brought, *extensions) if need.schema),
        sequences=tuple(Name(need.schema, need.name) for need in brought if need.kind == "sequence"),
        relations=frozenset(Name(need.schema, need.name) for need in lacking if need.kind == "relation"),
        notes=tuple(_differing(here, {need: shape for need, shape in there.items() if need not in lacking})),
    )


def _differing(here: Mapping[Need, str], there: Mapping[Need, str]) -> Iterator[tuple[str, str]]:
    """What is another thing on the target, with why it is left; of types, what they are."""
    for need in sorted(here.keys() & there.keys()):
        if here[need] != there[need]:
            both = f": {_short(there[need])}; on the source {_short(here[need])}" if need.kind == "type" else ""
            yield need.label, DIFFERS + both


def _short(shape: str) -> str:
    return shape if len(shape) <= LONGEST_SHAPE else shape[:LONGEST_SHAPE] + "..."


def _needs(source: psycopg.Connection[Any], request: CloneRequest, facts: Source) -> list[Need]:
    tables, options = sorted(facts.tables), request.options
    whole = [request.schema_name]
    found = rows(
        source,
        "needs",
        [
            [table.schema for table in tables],
            [table.name for table in tables],
            whole if request.kind == "schema" else [],
            whole if request.kind in {"schema", "functions"} else [],
            options.indexes,
            options.constraints,
            options.triggers,
            options.matviews,
            list(facts.columns_left_out(request)),
        ],
    )
    return list(dict.fromkeys(Need(row.kind, row.schema, row.name, row.types, row.extension) for row in found))


def _provided(needs: Iterable[Need], extensions: Iterable[Need]) -> dict[Identity, str]:
    labels = {extension.name: extension.label for extension in extensions}
    members = (need for need in needs if need.extension in labels and need.kind == "routine" and not need.types)
    return {member.identity: labels[member.extension] for member in members}


def _shapes(connection: psycopg.Connection[Any], needs: Iterable[Need]) -> dict[Need, str]:
    """Those of the objects that a server has, each with what can be compared of it."""
    names: Sequence[Name] = sorted({Name(need.schema, need.name) for need in needs})
    found = rows(connection, "shapes", [[n.schema for n in names], [n.name for n in names]]) if names else []
    return {Need(row.kind, row.schema, row.name, row.types): row.shape or "" for row in found}
