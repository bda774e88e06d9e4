"""The lists of roles."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.roles import Roles


def names(*roles: str) -> frozenset[str]:
    return frozenset(roles)


@pytest.mark.parametrize("roles", [Roles(), Roles(allow=names("a")), Roles(deny=names("b")), Roles(admin=names("b"))])
def test_a_role_that_may(roles: Roles) -> None:
    roles.check("a")


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (Roles(deny=names("a")), "deny_roles names it"),
        (Roles(allow=names("b")), "allow_roles does not name it"),
        (Roles(allow=names("a"), deny=names("a")), "deny_roles names it"),
        (Roles(admin=names("a"), deny=names("a")), "deny_roles names it"),
    ],
)
def test_a_role_that_may_not(roles: Roles, why: str) -> None:
    with pytest.raises(PgError) as caught:
        roles.check("a")
    assert (caught.value.sqlstate, caught.value.message) == ("42501", 'pgclone: permission denied for role "a"')
    assert why in caught.value.detail and caught.value.hint


def test_an_administrator_is_known() -> None:
    roles = Roles(admin=names("dba"))
    assert roles.caller("dba", "d", 0).whose is None
    assert roles.caller("alice", "d", 0).whose == "alice"
