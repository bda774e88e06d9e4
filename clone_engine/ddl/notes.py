"""What servers note in the options of columns for themselves, and a pg_dump of an older release takes for the user's.

Since PostgreSQL 15.20 each column has `pg_attver`, which the server sets and nobody else can.  Other servers refuse it
as an option that they do not know.  Pure.
"""

from __future__ import annotations

from typing import Any

from pglast import ast, enums

from clone_engine.ddl.printing import printed

NOTES = frozenset({"pg_attver"})


def without_notes(sql: str, node: Any) -> tuple[str, Any] | None:
    """A statement of a dump and its tree without them; None if there is nothing else in it.

    What has none comes back as it is.
    """
    commands = node.cmds or () if isinstance(node, ast.AlterTableStmt) else ()
    if not any(map(_has_notes, commands)):
        return sql, node
    for command in filter(_has_notes, commands):
        command.def_ = tuple(option for option in command.def_ if option.defname not in NOTES)
    node.cmds = tuple(command for command in commands if command.def_ != ())
    return (printed(node), node) if node.cmds else None


def _has_notes(command: Any) -> bool:
    if command.subtype != enums.AlterTableType.AT_SetOptions:
        return False
    return any(option.defname in NOTES for option in command.def_)
