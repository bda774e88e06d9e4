"""The arguments of a call, matched to the declared ones as PostgreSQL matches them.

Checks names, number and, for constants, kinds; a call that does not fit raises the error that PostgreSQL would
(42883 at the call).  What the arguments' values are is the server's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pglast import ast

from clone_engine.errors import PgError
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
    ast.Float: "numeric",
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


@dataclass(frozen=True)
class Bound:
    """A call's arguments: those in the text, in the order of the text, then those left to their defaults."""

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
    node, signature = call.node, call.signature
    _refuse_decorations(call)
    opening = tokens.following(tokens.at(node.location), OPEN)
    closing = tokens.closing(opening)
    bounds = [opening, *tokens.commas(opening), closing]
    written = [
        (value, before + 1, after - 1)
        for value, before, after in zip(node.args or (), bounds, bounds[1:], strict=False)
        if not (isinstance(value, ast.ParamRef) and value.number in void_parameters)
    ]
    given: list[Given] = []
    for position, (value, first, last) in enumerate(written):
        named = isinstance(value, ast.NamedArgExpr)
        if not named and position and isinstance(written[position - 1][0], ast.NamedArgExpr):
            raise refusals.positional_after_named(tokens.start(first))
        argument = _declared(signature, value.name if named else position)
        if not argument or not _fits(value.arg if named else value, argument):
            raise no_match(call, [each[0] for each in written])
        if any(g.argument is argument for g in given):
            raise refusals.named_twice(argument.name, tokens.start(first))
        given.append(Given(argument, tokens.identifier_end(first) + 2 if named else first, last))
    left_out = tuple(a for a in signature.arguments if all(g.argument is not a for g in given))
    if any(a.default is None for a in left_out):
        raise no_match(call, [each[0] for each in written])
    return Bound(opening, closing, tuple(given), left_out)


def no_match(call: Call, arguments: Sequence[Any]) -> PgError:
    """The error for arguments that no declaration takes, with their types as far as the text shows them."""
    return refusals.no_such_function(
        str(call.reference), [_shown(value) for value in arguments], call.signature, call.node.location
    )


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


def _declared(signature: Signature, which: str | int) -> Argument | None:
    if isinstance(which, int):
        return signature.arguments[which] if which < len(signature.arguments) else None
    return next((a for a in signature.arguments if a.name == which), None)


def _fits(value: Any, argument: Argument) -> bool:
    """Whether PostgreSQL would take this constant without a cast; other expressions it judges itself."""
    if not isinstance(value, ast.A_Const) or value.isnull:
        return True
    return _CONSTANTS[type(value.val)] in ("unknown", argument.type)


def _shown(value: Any) -> str:
    """An argument's type, as far as its text shows it."""
    if isinstance(value, ast.NamedArgExpr):
        return f"{value.name} => {_shown(value.arg)}"
    if isinstance(value, ast.TypeCast):
        type_name: Any = value.typeName
        return str(_TYPE_NAMES.get(type_name.names[-1].sval, type_name.names[-1].sval))
    if isinstance(value, ast.A_Const) and not value.isnull:
        return _CONSTANTS[type(value.val)]
    return "unknown"


_TYPE_NAMES = {"int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean", "float8": "double precision"}


def _refuse_decorations(call: Call) -> None:
    node, spelled, position = call.node, str(call.reference), call.node.location
    decorations = {
        "DISTINCT": node.agg_distinct,
        "WITHIN GROUP": node.agg_within_group,
        "ORDER BY": node.agg_order,
        "FILTER": node.agg_filter,
        "OVER": node.over,
        "(*)": node.agg_star,
    }
    for what, present in decorations.items():
        if present:
            raise refusals.not_plain_call(what, spelled, position)
    if node.func_variadic:
        raise refusals.variadic(spelled, position)
