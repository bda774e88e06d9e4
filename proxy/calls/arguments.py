"""The arguments of a call, matched to the declared ones as PostgreSQL matches them.

Checks names, number and, for constants, kinds; a call that does not fit raises the error that PostgreSQL would
(42883 at the call).  What the arguments' values are is the server's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from pglast import ast

from proxy.calls import refusals
from proxy.calls.occurrences import Call
from proxy.calls.signatures import Argument, Signature
from proxy.calls.tokens import OPEN, Tokens

# fmt: off
HARMLESS = frozenset(
    {
        "array_agg", "array_length", "array_to_string", "btrim", "char_length", "character_length", "chr",
        "concat", "concat_ws", "count", "current_database", "current_schema", "format", "generate_series",
        "initcap", "json_build_object", "jsonb_build_object", "left", "length", "lower", "lpad", "ltrim", "max",
        "md5", "min", "octet_length", "overlay", "pgclone_version", "position", "quote_ident", "quote_literal",
        "regexp_replace", "repeat", "replace", "reverse", "right", "row_number", "rpad", "rtrim", "split_part",
        "string_agg", "substr", "substring", "to_json", "to_jsonb", "translate", "trim", "unnest", "upper",
        "version",
    }
)
# fmt: on
"""Functions that give the same result again within a moment, if the rows are the same."""

_CONSTANTS: dict[type, str] = {
    ast.Integer: "integer",
    ast.Boolean: "boolean",
    ast.String: "unknown",
    ast.BitString: "bit",
}


@dataclass(frozen=True)
class Given:
    """One argument in the text."""

    argument: Argument
    first: int
    """Its first token after a name and arrow, if it has them."""
    last: int
    value: Any
    """Its node."""


@dataclass(frozen=True)
class Bound:
    """The function that a call means, and its arguments: those in the text, in the order of the text, then those left
    to their defaults."""

    signature: Signature
    opening: int
    """The token of the parenthesis that opens the list; `closing` that of its end."""
    closing: int
    given: tuple[Given, ...]
    left_out: tuple[Argument, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """The names, in the order in which the values are recorded."""
        return tuple(a.name for a in (*(g.argument for g in self.given), *self.left_out))


def bind(call: Call, tokens: Tokens, void_parameters: frozenset[int]) -> Bound:
    """Match a call's arguments.  Parameters declared as void are skipped: drivers send OUT parameters so.

    Raises PgError: 42883, 42601 or 42809 at the call or the argument.
    """
    _refuse_decorations(call)
    opening = tokens.following(tokens.at(call.node.location), OPEN)
    written = _written(call.node.args or (), tokens, opening, void_parameters)
    _check_names(written, tokens)
    for signature in call.candidates:
        matched = _matched(signature.arguments, written)
        if matched is not None:
            return Bound(signature, opening, tokens.closing(opening), *matched)
    types = [_shown(each) for each in written]
    raise refusals.no_such_function(str(call.reference), types, call.candidates, call.node.location)


class _Written(NamedTuple):
    """An argument as it is written."""

    value: Any
    name: str | None
    start: int
    """Its first token, be it its name; `first` that of its value, `last` the last one."""
    first: int
    last: int


def _written(values: tuple[Any, ...], tokens: Tokens, opening: int, void: frozenset[int]) -> list[_Written]:
    bounds = [opening, *tokens.commas(opening), tokens.closing(opening)]
    found = []
    for value, before, after in zip(values, bounds, bounds[1:], strict=False):
        if isinstance(value, ast.NamedArgExpr):
            first = tokens.identifier_end(before + 1) + 2
            found.append(_Written(value.arg, value.name, before + 1, first, after - 1))
        elif not (isinstance(value, ast.ParamRef) and value.number in void):
            found.append(_Written(value, None, before + 1, before + 1, after - 1))
    return found


def _check_names(written: list[_Written], tokens: Tokens) -> None:
    names: set[str] = set()
    for each in written:
        if each.name is None and names:
            raise refusals.positional_after_named(tokens.start(each.start))
        if each.name in names:
            raise refusals.named_twice(each.name, tokens.start(each.start))
        names |= {each.name} if each.name else set()


def _matched(
    declared: tuple[Argument, ...], written: list[_Written]
) -> tuple[tuple[Given, ...], tuple[Argument, ...]] | None:
    """The arguments in the text and those left out, None if a function declared so does not take these."""
    given = [_given(declared, each, position) for position, each in enumerate(written)]
    fitting = tuple(each for each in given if each)
    names = [each.argument.name for each in fitting]
    left_out = tuple(argument for argument in declared if argument.name not in names)
    fits = len(fitting) == len(given) and len(set(names)) == len(names)
    return (fitting, left_out) if fits and all(a.default is not None for a in left_out) else None


def _given(declared: tuple[Argument, ...], written: _Written, position: int) -> Given | None:
    """The argument that this is for, None if there is none or it could not take the value."""
    if written.name is None:
        found = declared[position] if position < len(declared) else None
    else:
        found = next((argument for argument in declared if argument.name == written.name), None)
    return Given(found, written.first, written.last, written.value) if found and _fits(written.value, found) else None


def is_harmless(call: Call) -> bool:
    """Whether the arguments' text promises the same values in every evaluation, the rows being the same."""
    pending: list[Any] = list(call.node.args or ())
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif isinstance(node, ast.Node):
            if _changes(node):
                return False
            pending.extend(getattr(node, name) for name in node)
    return True


def _changes(node: Any) -> bool:
    """Whether this may be something else a moment later: random(), now(), CURRENT_TIMESTAMP, what is not known."""
    if isinstance(node, ast.FuncCall):
        name: Any = node.funcname
        return name[-1].sval not in HARMLESS
    return isinstance(node, ast.SQLValueFunction)


def _fits(value: Any, argument: Argument) -> bool:
    """Whether PostgreSQL would take this constant without a cast; other expressions it judges itself."""
    if not isinstance(value, ast.A_Const) or value.isnull:
        return True
    return _constant(value.val) in ("unknown", argument.type)


def _constant(value: Any) -> str:
    """The type of a constant.  What does not fit into an integer, or would not without its minus, comes as a Float."""
    if not isinstance(value, ast.Float):
        return _CONSTANTS[type(value)]
    number: Any = value.fval
    if not re.fullmatch(r"-?\d+", number):
        return "numeric"
    fitting = (name for name, bits in (("integer", 31), ("bigint", 63)) if -(2**bits) <= int(number) < 2**bits)
    return next(fitting, "numeric")


def _shown(written: _Written) -> str:
    """An argument's type, as far as its text shows it."""
    value, shown = written.value, "unknown"
    if isinstance(value, ast.TypeCast):
        type_name: Any = value.typeName
        shown = str(_TYPE_NAMES.get(type_name.names[-1].sval, type_name.names[-1].sval))
    elif isinstance(value, ast.A_Const) and not value.isnull:
        shown = _constant(value.val)
    return f"{written.name} => {shown}" if written.name else shown


_TYPE_NAMES = {"int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean", "float8": "double precision"}


def _refuse_decorations(call: Call) -> None:
    """What only aggregates and window functions take."""
    node, spelled, position = call.node, str(call.reference), call.node.location
    decorations = {
        f"{spelled}(*)": node.agg_star and not call.candidates[0].arguments,
        "DISTINCT": node.agg_distinct,
        "WITHIN GROUP": node.agg_within_group,
        "ORDER BY": node.agg_order,
        "FILTER": node.agg_filter,
    }
    for what, present in decorations.items():
        if present:
            raise refusals.not_aggregate(what, spelled, position)
    if node.over:
        raise refusals.not_window(spelled, position)
    if node.func_variadic:
        raise refusals.variadic(spelled, position)
