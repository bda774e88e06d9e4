"""Who may use the functions and the view, and who sees which jobs: the configuration's lists of roles.

Pure.  Roles are those that the target server has let in, and whose rights they have is the target's to say
(`membership`).  That a list names a role holds for all that have its rights; but not of `deny`, which names roles
exactly: superusers have the rights of every role, and would be denied together with any.
"""

from __future__ import annotations

import msgspec

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from proxy.calls.membership import Rights


class Roles(msgspec.Struct, frozen=True):
    """The lists.  `deny` goes before `allow`; no `allow` is everybody."""

    admin: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()

    def to_ask(self, role: str, owners: frozenset[str]) -> tuple[str, ...]:
        """The roles about which the server has to be asked for `role`, where `owners` own jobs; mostly none."""
        asked = frozenset[str]()
        if role not in self.admin and (others := owners - {role}):
            asked |= others | self.admin
        if role not in self.allow:
            asked |= self.allow
        return tuple(sorted(asked))

    def with_rights(self, caller: Caller, rights: Rights) -> Caller:
        """The caller, with what the server says of it."""
        admin = rights.superuser or not self.admin.isdisjoint({caller.role, *rights.roles})
        return msgspec.structs.replace(caller, admin=admin, member_of=rights.roles)

    def check(self, caller: Caller) -> None:
        """PgError 42501 if the caller may not use pgclone."""
        if caller.role in self.deny:
            why, way = "jobs.deny_roles names it", "take it off"
        elif self.allow and self.allow.isdisjoint({caller.role, *caller.member_of}):
            why, way = "jobs.allow_roles names neither it nor a role whose rights it has", "add it to"
        else:
            return
        raise PgError(
            "42501",
            f'pgclone: permission denied for role "{caller.role}"',
            detail=f"In the proxy's configuration {why}.",
            hint=f"Ask whoever runs the proxy to {way} that list, or connect as another role.",
        )
