"""What of a source is not cloned because it is of pgclone-proxy itself: the stubs that list its functions there.

Whether the target has stubs is for the target to decide; those of another server would be in the way of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from clone_engine.ddl.definitions import Ddl

STUB_COMMENT = "pgclone-proxy stub"
"""Begins the comment on every stub."""


def without_stubs(ddls: Iterable[Ddl]) -> list[Ddl]:
    """The statements of a dump without those that make a stub or are about one."""
    ddls = list(ddls)
    marked = {ddl.identity for ddl in ddls if ddl.kind == "comment" and _marks(ddl)}
    return [ddl for ddl in ddls if ddl.identity not in marked]


def _marks(ddl: Ddl) -> bool:
    return (ddl.node.comment or "").startswith(STUB_COMMENT)
