"""Values that must not travel to the server in clear: it would show them in its log and in pg_stat_activity.

A constant or a parameter that is the whole of a confidential argument (a conninfo) gives way to a stand-in; the call
that the server records then holds the stand-in, and the value is put back before the call is performed.  A value that
an expression makes is the server's to compute, so it cannot be kept from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pglast import ast

from proxy.calls.signatures import Call

PARAMETER = "pgclone_proxy_parameter_"
CONSTANT = "pgclone_proxy_constant_"


def constant(node: Any) -> Any | None:
    """The A_Const of a string that is all of an expression, perhaps with casts and collations; else None."""
    inner = _bare(node)
    is_string = isinstance(inner, ast.A_Const) and not inner.isnull and isinstance(inner.val, ast.String)
    return inner if is_string else None


def parameter(node: Any) -> int:
    """The number of the parameter that is all of an expression, perhaps with casts and collations; else 0."""
    inner = _bare(node)
    return int(inner.number or 0) if isinstance(inner, ast.ParamRef) else 0


def _bare(node: Any) -> Any:
    while isinstance(node, ast.TypeCast | ast.CollateClause):
        node = node.arg
    return node


def revealed(call: Call, secrets: Mapping[str, str]) -> Call:
    """The call with the values in place of their stand-ins."""
    given = {
        argument.name: secrets.get(call.arguments[argument.name], call.arguments[argument.name])
        for argument in call.signature.arguments
        if argument.confidential and call.arguments[argument.name] is not None
    }
    return call._replace(arguments={**call.arguments, **given})
