"""What is refused, and where: the shapes of statements in which a name of ours cannot be answered.

How a refusal is worded is `refusals.py`.
"""

from __future__ import annotations

from pglast import ast

from proxy.calls import refusals
from proxy.calls.occurrences import Call, Occurrences
from proxy.calls.shapes import Shape


def check(statement: ast.Node, shape: Shape, found: Occurrences, *, extended: bool) -> None:
    """Raise the PgError for the first thing found in the statement that its shape does not allow.

    `extended`: the statement came in a Parse.
    """
    if shape.stored and found.references:
        raise refusals.stored_definition(found.first)
    for written in found.written:
        name, position = str(written.reference), written.node.location
        if isinstance(statement, ast.CopyStmt):
            copied = refusals.copy_to_view if statement.is_from else refusals.copy_from_view
            raise copied(written.reference.name)
        raise refusals.not_writable(name, position)
    for view in found.views:
        if view.sampled:
            raise refusals.not_sampled(view.node.location)
    for call in found.calls:
        _check_place(call)
        if call.role == "action":
            _check_action(call, shape, extended)


def _check_place(call: Call) -> None:
    spelled, position = str(call.reference), call.node.location
    if call.source and (call.source.ordinality or call.source.is_rowsfrom):
        raise refusals.only_alone_in_from(spelled, position)
    if call.returns_set and call.source and call.source.coldeflist:
        raise refusals.redundant_columns(call.source.coldeflist[0].location)
    if call.returns_set and not call.source:
        raise refusals.only_in_from(spelled, position)


def _check_action(call: Call, shape: Shape, extended: bool) -> None:
    position = call.node.location
    if call.inside_action:
        raise refusals.nested_actions(position)
    if shape.no_actions:
        raise refusals.action_not_supported(shape.no_actions, position)
    check_run(shape, extended=extended, position=position)


def check_run(shape: Shape, *, extended: bool, position: int = -1) -> None:
    """Raise the PgError for a statement in which no action can be run, or none by EXECUTE; `position` is the call's."""
    if shape.analyzed:
        raise refusals.explain_analyze(position)
    if shape.execute and extended and not shape.explained:
        raise refusals.execute_in_parse()
