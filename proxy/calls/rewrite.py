"""Statements that name ours, rewritten so that the server can run them: the pure core of interception.

A string goes in, with what the session knows; a list of its statements comes out, each of which renders to text
for given data, or a PgError for a shape that is refused.  Running the text, and the two passes of an action, are the
session's; what happens to one statement is `statement.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.calls import refusals
from proxy.calls.names import Reference
from proxy.calls.parsing import parse
from proxy.calls.recording import Site
from proxy.calls.rewritten import Rewritten
from proxy.calls.shapes import deallocated
from proxy.calls.splice import Rendered, join
from proxy.calls.statement import Context, Statement, found_in

__all__ = ["Reference", "Rendered", "Rewritten", "Site", "deallocations", "join", "references", "rewrite"]


def references(sql: str) -> frozenset[Reference]:
    """Every name of ours in the string; none if it does not parse."""
    parsed = parse(sql)
    trees = [tree for tree, _, _ in parsed.statements()] if parsed else []
    return frozenset().union(*(found_in(tree, frozenset()).references for tree in trees))


def rewrite(
    sql: str,
    *,
    left_alone: frozenset[Reference] = frozenset(),
    stubs: frozenset[Reference] = frozenset(),
    prepared: Mapping[str, Rewritten] | None = None,
    void_parameters: frozenset[int] = frozenset(),
    extended: bool = False,
    old_strings: bool = False,
) -> list[Rewritten]:
    """The statements of a string, in order, or [] if nothing in it is ours or it does not parse: forward it as it is.

    `left_alone`: names that mean something of the user's own · `stubs`: names that mean stubs of ours, which stored
    definitions may use · `prepared`: statements of ours that the session has
    prepared in SQL, by name · `void_parameters`: numbers of parameters declared as void · `extended`: the string came
    in a Parse · `old_strings`: standard_conforming_strings is off.  Raises PgError for what is refused.
    """
    parsed = parse(sql)
    if parsed is None or (extended and len(parsed.trees) > 1):
        return []
    known = dict(prepared or {})
    context = Context(parsed.tokens, known, left_alone, stubs, void_parameters, extended)
    result = []
    for tree, start, end in parsed.statements():
        result.append(Statement(tree, start, end, context).rewritten())
        _remember(result[-1], known)
    if all(each.kind == "plain" for each in result):
        return []
    if old_strings and "\\" in sql:
        raise refusals.old_strings()
    return result


def deallocations(sql: str) -> list[str | None]:
    """The names of prepared statements that a string gives back, in order, None for all; [] if it does not parse."""
    parsed = parse(sql)
    return [name for tree, _, _ in parsed.statements() for name in deallocated(tree)] if parsed else []


def _remember(rewritten: Rewritten, known: dict[str, Rewritten]) -> None:
    """Later statements of the string see what this one prepares and deallocates."""
    if rewritten.prepares is not None and rewritten.prepare_name is not None:
        known[rewritten.prepare_name] = rewritten
    for name in rewritten.deallocates:
        for each in [name] if name is not None else list(known):
            known.pop(each, None)
