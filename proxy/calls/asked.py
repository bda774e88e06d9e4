"""Which jobs a statement asks the progress of, where its text or its parameters say so: these are all it is sent.

Where they do not, as with a column, the statement is sent all that the caller may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pglast import ast

INTEGER_TYPES = frozenset({"int2", "int4", "int8"})


@dataclass(frozen=True)
class Asked:
    """Jobs by number, and parameters that will hold such numbers."""

    numbers: frozenset[int] = frozenset()
    parameters: tuple[int, ...] = ()

    def with_numbers(self, numbers: Sequence[int | None]) -> Asked | None:
        """The same and these; None, any job, if one of them is not known."""
        known = frozenset(number for number in numbers if number is not None)
        return None if None in numbers else replace(self, numbers=self.numbers | known)


NOTHING = Asked()


def asked(arguments: Iterable[Any], uses: Counter[int]) -> Asked | None:
    """What a statement asks, by the nodes that are arguments of pgclone_progress; None for any job.

    `uses` says how often each parameter occurs in the statement: one that is used in another place as well may be of
    another type than an integer, so that its bytes say nothing.
    """
    nodes: list[Any] = [_without_cast(argument) for argument in arguments]
    parameters = Counter(node.number or 0 for node in nodes if isinstance(node, ast.ParamRef))
    if any(uses[number] != times for number, times in parameters.items()):
        return None
    numbers = [_number(node) for node in nodes if not isinstance(node, ast.ParamRef)]
    return Asked(parameters=tuple(parameters)).with_numbers(numbers)


def merged(all_asked: Iterable[Asked | None]) -> frozenset[int] | None:
    """The jobs that several statements ask, as far as numbers tell; None for any."""
    listed = list(all_asked)
    known = [each.numbers for each in listed if each is not None]
    return frozenset().union(*known) if len(known) == len(listed) else None


def _without_cast(node: Any) -> Any:
    while isinstance(node, ast.TypeCast):
        type_: Any = node.typeName
        *schema, name = [part.sval for part in type_.names]
        if schema not in ([], ["pg_catalog"]) or name not in INTEGER_TYPES or type_.arrayBounds:
            break
        node = node.arg
    return node


def _number(node: Any) -> int | None:
    """The number that a constant is."""
    if isinstance(node, ast.A_Const) and not node.isnull and isinstance(node.val, ast.Integer):
        return node.val.ival
    return None
