"""What kind of statement a tree is, as far as it matters to calls in it: who runs them, and when.

A table of rules by node; queries may stand inside EXPLAIN, PREPARE, DECLARE, COPY and CREATE TABLE AS.
What is refused where is `rewrite.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pglast import ast, enums

from proxy.calls.tokens import SEMICOLON, Tokens


@dataclass(frozen=True)
class Shape:
    """What a statement does with the queries in it."""

    stored: bool = False
    """It keeps them for later, where the proxy cannot rewrite them."""
    explained: bool = False
    """It only plans them, or else is refused."""
    analyzed: bool = False
    """EXPLAIN ANALYZE: it runs them and throws the result away."""
    no_actions: str = ""
    """Where actions are not supported, in words: "in a cursor"."""
    parameter_ok: bool = True
    """It takes parameters in the extended protocol."""
    prepare: Any = None
    """The PrepareStmt, if it is one; `execute` the ExecuteStmt, also inside others."""
    execute: Any = None


QUERIES = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)


def shape(statement: Any) -> Shape:
    """The shape of a statement.  What is neither a query nor around one keeps what it names: DDL."""
    if isinstance(statement, ast.CreateTableAsStmt) and statement.objtype == enums.ObjectType.OBJECT_TABLE:
        return shape(statement.query)
    if isinstance(statement, ast.ExplainStmt):
        analyzed = _analyzes(statement)
        return replace(shape(statement.query), explained=not analyzed, analyzed=analyzed)
    if isinstance(statement, ast.PrepareStmt):
        return replace(shape(statement.query), prepare=statement)
    if isinstance(statement, ast.ExecuteStmt):
        return Shape(parameter_ok=False, execute=statement)
    if isinstance(statement, QUERIES):
        return Shape()
    return _SHAPES.get(type(statement), Shape(stored=True))


_SHAPES: dict[type, Shape] = {
    ast.DeclareCursorStmt: Shape(no_actions="in a cursor"),
    ast.CopyStmt: Shape(no_actions="in COPY", parameter_ok=False),
    ast.CreateExtensionStmt: Shape(parameter_ok=False),
    ast.CallStmt: Shape(no_actions="in the arguments of CALL"),
}


def _analyzes(statement: ast.ExplainStmt) -> bool:
    """As the server reads the options: the last one counts, and alone it means true."""
    analyzes = False
    for option in statement.options or ():
        if option.defname == "analyze":
            value = option.arg
            text = str(getattr(value, "sval", getattr(value, "ival", getattr(value, "boolval", "true")))).lower()
            analyzes = text not in ("false", "off", "0")
    return analyzes


_CONTROLS = {
    "TRANS_STMT_BEGIN": "BEGIN",
    "TRANS_STMT_START": "BEGIN",
    "TRANS_STMT_COMMIT": "COMMIT",
    "TRANS_STMT_ROLLBACK": "ROLLBACK",
    "TRANS_STMT_SAVEPOINT": "SAVEPOINT",
    "TRANS_STMT_RELEASE": "RELEASE",
    "TRANS_STMT_ROLLBACK_TO": "ROLLBACK TO",
    "TRANS_STMT_PREPARE": "PREPARE TRANSACTION",
    "TRANS_STMT_COMMIT_PREPARED": "COMMIT PREPARED",
    "TRANS_STMT_ROLLBACK_PREPARED": "ROLLBACK PREPARED",
}


def control(statement: Any) -> str:
    """The command of a statement that controls transactions, else an empty string."""
    if not isinstance(statement, ast.TransactionStmt):
        return ""
    kind: Any = statement.kind
    return _CONTROLS[kind.name] + (" AND CHAIN" if statement.chain else "")


def deallocated(statement: Any) -> tuple[str | None, ...]:
    """The name of the prepared statement that a statement gives back, None for all; empty for others."""
    if isinstance(statement, ast.DeallocateStmt):
        return (statement.name,)
    if isinstance(statement, ast.DiscardStmt) and statement.target == enums.DiscardMode.DISCARD_ALL:
        return (None,)
    return ()


def modes(statement: Any, tokens: Tokens, end: int) -> str:
    """The options of a BEGIN as they are written: SET TRANSACTION takes the same."""
    if not isinstance(statement, ast.TransactionStmt) or not statement.options:
        return ""
    first = tokens.at(statement.options[0].location)
    last = tokens.at(end) - 1
    while tokens.name(last) == SEMICOLON:
        last -= 1
    return tokens.sql[tokens.start(first) : tokens.end(last)]
