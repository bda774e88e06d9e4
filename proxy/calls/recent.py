"""Statements of ours that a session has sent lately, as they were rewritten: what polls sends the same text again.

Rewriting depends on the text and on what the session knew of its names, so that is kept and compared; whose the names
are is asked anew each time.  Only what reads is kept: the text of an action may hold a password.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy.calls.names import Reference
from proxy.calls.rewritten import Rewritten

MOST = 16
"""Statements that are kept for a session; a client that polls more of them would be better served by preparing them."""
LONGEST = 4096
"""Characters of a statement that is kept."""


class Seen(NamedTuple):
    """What rewriting depends on beside the text, as `rewrite.rewrite` has it."""

    left_alone: frozenset[Reference]
    stubs: frozenset[Reference]
    void_parameters: frozenset[int]
    extended: bool
    old_strings: bool


class Known(NamedTuple):
    """A string that was rewritten: the names of ours in it, what was seen, and what came of it."""

    names: frozenset[Reference]
    seen: Seen
    statements: list[Rewritten]


class Recent:
    """The strings that were rewritten last, by their text."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def __repr__(self) -> str:
        return f"<Recent {len(self._known)} statements>"

    def get(self, sql: str) -> Known | None:
        """What is known of the string."""
        return self._known.get(sql)

    def keep(self, sql: str, known: Known) -> None:
        """Keep it, in the place of the one that was kept first, unless it is long, an action or an EXECUTE."""
        # What EXECUTE is depends on what is prepared at that moment.
        if len(sql) > LONGEST or "execute" in sql.lower() or not all(map(_only_reads, known.statements)):
            return
        self._known.pop(sql, None)
        self._known[sql] = known
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]


def _only_reads(statement: Rewritten) -> bool:
    return statement.kind != "action" and statement.prepares is None
