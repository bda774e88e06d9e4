"""Reads names, lists and types out of parse trees, and walks them.

Pure.  What a whole statement is about is `subjects.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.stream import RawStream

from clone_engine.records.names import Name


def name_of(range_var: Any) -> Name:
    """The relation that a RangeVar names; pg_dump always writes the schema."""
    return Name(range_var.schemaname or "", range_var.relname)


def strings(nodes: Any) -> tuple[str, ...]:
    """The values of a list of String nodes."""
    return tuple(node.sval for node in nodes or ())


def type_text(type_name: Any) -> str:
    """A type as text, the same for the same spelling."""
    return str(RawStream()(type_name))


def walk(node: Any) -> Iterator[Any]:
    """Every node of a parse tree, parents first."""
    if isinstance(node, ast.Node):
        yield node
        for attribute in node:
            yield from walk(getattr(node, attribute))
    elif isinstance(node, tuple):
        for item in node:
            yield from walk(item)
