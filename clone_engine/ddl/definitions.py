"""pg_dump's text as typed statements: what each one makes, and which relation it belongs to.

Pure.  Every statement keeps its exact text.  What it is about is read off its parse tree by `subjects.py`; which
statements a clone uses is `selection.py`, in which order is `plan.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pglast import ast, enums
from pglast.parser import ParseError, parse_sql

from clone_engine.ddl.notes import without_notes
from clone_engine.ddl.subjects import Identity, subject
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name


class Ddl(NamedTuple):
    """One statement of the dump."""

    sql: str
    """Exactly as pg_dump wrote it, without the semicolon."""
    node: Any
    """Its parse tree.  Never changed in place: `parsed` makes a new one."""
    kind: str
    """What it makes or does, in PostgreSQL's words: table, index, key, check, foreign key, trigger, owner, acl, …"""
    identity: Identity
    """The object that it makes, or (for comment, owner, acl, label and alterations) the one it is about."""
    relation: Name | None
    """The table, view, index or sequence that it makes, changes or hangs on."""

    @property
    def label(self) -> str:
        """For reports: `index sales.orders_date_idx`, `trigger t on sales.orders`."""
        words = PROPERTIES.get(self.node.cmds[0].subtype, self.kind) if self.kind == "alteration" else self.kind
        return label_of(words, self.identity)


PROPERTIES = {
    enums.AlterTableType.AT_SetAccessMethod: "access method of",
    enums.AlterTableType.AT_SetCompression: "compression of",
}
"""Of alterations without which a table is whole."""
LINKS = {"cast": "AS", "transform": "LANGUAGE", "user mapping": "SERVER"}
"""Between the two names of what has two."""
OUTSIDE = frozenset({
    "language", "access method", "foreign data wrapper", "server", "user mapping", "cast", "transform", "publication",
    "event trigger", "operator class", "operator family",
})  # fmt: skip
"""What is in no schema, or shares its name with other kinds there: a comment on it says its kind too."""
WORDS = {
    "key": "constraint",
    "check": "constraint",
    "owner": "owner of",
    "acl": "privileges on",
    "label": "security label on",
    "comment": "comment on",
    "attach": "partitions of",
    "index attach": "partitions of index",
    "alteration": "table",
    "sequence alteration": "sequence",
    "publication alteration": "tables of",
    "event trigger state": "state of",
}


def label_of(kind: str, identity: Identity) -> str:
    """The words for an object: its kind, and its name as people write it."""
    kind = WORDS.get(kind, kind)
    if identity[0] == "on":
        _, _, schema, relation, name = identity
        return f"{kind} {name} on {schema}.{relation}"
    if identity[0] in {"routine", "operator"}:
        *names, types = identity[1:]
        return f"{kind} {'.'.join(names)}({types})"
    if identity[0] in OUTSIDE and kind.endswith((" of", " on")):
        kind = f"{kind} {identity[0]}"
    named = f" {LINKS[identity[0]]} " if identity[0] in LINKS else "."
    return " ".join([kind, named.join(identity[1:])]).strip()


def parse_dump(text: str) -> list[Ddl]:
    """The statements of a plain-format dump, in its order, but for what servers note for themselves.

    PgError XX000 if PostgreSQL's parser refuses it.
    """
    body = _without_restrict(text)
    try:
        statements = parse_sql(body)
    except ParseError as error:
        raise PgError(
            "XX000",
            f"pgclone: the output of pg_dump could not be parsed: {error.args[0]}",
            hint="A pg_dump much newer than PostgreSQL 18 may write what this version does not know.",
        ) from error
    kept = (without_notes(_text(body, raw), raw.stmt) for raw in statements)
    return [classify(*each) for each in kept if each]


def parse_statement(sql: str) -> Ddl:
    """One statement that did not come from pg_dump."""
    return classify(sql, parsed(sql))


def parsed(sql: str) -> Any:
    """A new parse tree of one statement, free to be changed."""
    return parse_sql(sql)[0].stmt


def classify(sql: str, node: Any) -> Ddl:
    """The statement with its kind, its object and its relation."""
    return Ddl(sql, node, *subject(node))


def _text(body: str, raw: ast.RawStmt) -> str:
    start, length = raw.stmt_location or 0, raw.stmt_len
    return body[start : start + length] if length else body[start:].rstrip().rstrip(";")


def _without_restrict(text: str) -> str:
    r"""The dump without the \restrict and \unrestrict lines for psql, which frame it.

    Only the frame is looked at: a line in between that looks alike belongs to a function's body.
    """
    lines = text.split("\n")
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        for i in order:
            if lines[i].startswith(("\\restrict ", "\\unrestrict ")):
                lines[i] = ""
            elif lines[i] and not lines[i].startswith("--"):
                break
    return "\n".join(lines)
