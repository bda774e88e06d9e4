"""Asks the server what the names in a statement mean there: nothing, a stub of ours, or something of somebody else's.

What is a user's own relation or function, or the real extension's, is left alone; with our stubs the server can keep a
definition that uses them.  Pure: the text of a query's columns, and what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from clone_engine.ddl.stubs import STUB_COMMENT
from proxy.calls.names import EXTENSION, Reference

EXISTING_EXTENSION = "plpgsql"
"""An extension that is in nearly every database: where ours is said to exist, the server says so of this one."""


def ownership_columns(names: Sequence[Reference]) -> list[str]:
    """A boolean expression for each reference: whether all that it resolves to are stubs of ours.

    NULL where it resolves to nothing.
    """
    return [_is_a_stub(name) for name in names]


def others(names: Sequence[Reference], row: Sequence[str | None]) -> frozenset[Reference]:
    """The references that the values of `ownership_columns` mark as somebody else's."""
    return frozenset(name for name, value in zip(names, row, strict=True) if value == "f")


def stubs(names: Sequence[Reference], row: Sequence[str | None]) -> frozenset[Reference]:
    """The references that the values of `ownership_columns` mark as stubs."""
    return frozenset(name for name, value in zip(names, row, strict=True) if value == "t")


_AVAILABLE = (
    "EXISTS (SELECT FROM pg_catalog.pg_available_extensions"
    f" WHERE name OPERATOR(pg_catalog.=) '{EXTENSION}'::pg_catalog.name)"
)
_EXISTING = (
    "EXISTS (SELECT FROM pg_catalog.pg_extension"
    f" WHERE extname OPERATOR(pg_catalog.=) '{EXISTING_EXTENSION}'::pg_catalog.name)"
)


def _is_a_stub(name: Reference) -> str:
    if name.kind == "extension":
        return f"CASE WHEN {_AVAILABLE} OR NOT {_EXISTING} THEN false END"
    # The names come from our own fixed list, so they hold nothing that would need quoting.
    if name.kind == "view":
        spelled = f"pg_catalog.to_regclass('{f'{name.schema}.' if name.schema else ''}{name.name}')"
        comment = f"pg_catalog.obj_description({spelled}::pg_catalog.oid, 'pg_class')"
        return f"CASE WHEN {spelled} IS NOT NULL THEN {_marked(comment)} END"
    where = (
        f"p.pronamespace OPERATOR(pg_catalog.=) pg_catalog.to_regnamespace('{name.schema}')::pg_catalog.oid"
        if name.schema
        else "pg_catalog.pg_function_is_visible(p.oid)"
    )
    comment = "pg_catalog.obj_description(p.oid, 'pg_proc')"
    return (
        f"(SELECT pg_catalog.bool_and({_marked(comment)})"
        " FROM pg_catalog.pg_proc p"
        f" WHERE p.proname OPERATOR(pg_catalog.=) '{name.name}'::pg_catalog.name AND {where})"
    )


def _marked(comment: str) -> str:
    return f"coalesce(pg_catalog.starts_with({comment}, '{STUB_COMMENT}'), false)"
