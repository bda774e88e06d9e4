"""Who may use the functions and the view, and who sees everybody's jobs: the configuration's lists of roles.

Pure.  Roles are those that the target server has let in; the lists name them exactly, memberships do not count.
"""

from __future__ import annotations

import msgspec

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError


class Roles(msgspec.Struct, frozen=True):
    """The lists.  `deny` goes before `allow`; no `allow` is everybody."""

    admin: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()

    def caller(self, role: str, database: str, backend: int) -> Caller:
        """The caller that a session of `role` is."""
        return Caller(role, database, role in self.admin, backend)

    def check(self, role: str) -> None:
        """PgError 42501 if `role` may not use pgclone."""
        if role in self.deny:
            why, way = "jobs.deny_roles names it", "take it off"
        elif self.allow and role not in self.allow:
            why, way = "jobs.allow_roles does not name it", "add it to"
        else:
            return
        raise PgError(
            "42501",
            f'pgclone: permission denied for role "{role}"',
            detail=f"In the proxy's configuration {why}.",
            hint=f"Ask whoever runs the proxy to {way} that list, or connect as another role.",
        )
