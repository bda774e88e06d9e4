"""Checks that a text is exactly one SQL expression, by parsing it with PostgreSQL's own parser.

No list of forbidden words: `action = 'DELETE'` and sub-queries are expressions like any other.  What the expression
may do is limited by where it runs (a READ ONLY transaction with the rights of the source's role), not here.
"""

from __future__ import annotations

from pglast import ast
from pglast.parser import ParseError, parse_sql, scan

MAX_BYTES = 32_768
"""The C parser's result is walked recursively: at some 200 kB of `1+1+1…` the process would run out of stack."""
COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
SEMICOLON = "ASCII_59"


def one_expression(text: str) -> str:
    """`text` without its comments, so that it may be put between parentheses.

    ValueError, with a reason for the user, if it is anything but one expression.
    """
    if not text.strip():
        raise ValueError("it is empty")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, from a JSON escape
        length = 0
    if not length or "\0" in text:
        raise ValueError("it holds a character that SQL text cannot hold")
    if length > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES} bytes")
    try:
        bare = _without_comments(text)
        statements = parse_sql(f"SELECT WHERE {bare}")
    except ParseError as error:
        raise ValueError(error.args[0]) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if len(statements) != 1 or not _only_where(statements[0].stmt):
        raise ValueError("it holds more than a condition")
    return bare


def _only_where(statement: ast.Node | None) -> bool:
    """Whether this is a SELECT that has a WHERE clause and nothing else."""
    if not isinstance(statement, ast.SelectStmt) or statement.whereClause is None:
        return False
    statement.whereClause = None
    return bool(statement == parse_sql("SELECT")[0].stmt)


def _without_comments(text: str) -> str:
    """`text` with each comment replaced by a blank; a comment left in could swallow the closing parenthesis."""
    start, pieces = 0, []
    for token in scan(text):
        if token.name == SEMICOLON:
            # One at the very end is no part of the parsed statement, so the parser would not show it.
            raise ValueError("it holds a semicolon")
        if token.name in COMMENTS:
            pieces.append(text[start : token.start])
            start = token.end + 1
    return " ".join([*pieces, text[start:]]).strip()
