"""The lists of roles."""

from __future__ import annotations

import pytest

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from proxy.calls.membership import NONE, Rights
from proxy.calls.roles import Roles

A = Caller("a", "d")


def names(*roles: str) -> frozenset[str]:
    return frozenset(roles)


def member_of(*roles: str) -> Rights:
    return Rights(False, names(*roles))


@pytest.mark.parametrize("roles", [Roles(), Roles(allow=names("a")), Roles(deny=names("b")), Roles(admin=names("b"))])
def test_a_role_that_may(roles: Roles) -> None:
    roles.check(A)


def test_who_has_the_rights_of_a_role_that_is_allowed_may_and_of_one_that_is_denied_may_too() -> None:
    caller = Roles().with_rights(A, member_of("b"))
    Roles(allow=names("b")).check(caller)
    Roles(deny=names("b")).check(caller)


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (Roles(deny=names("a")), "deny_roles names it"),
        (Roles(allow=names("b")), "allow_roles names neither it nor a role whose rights it has"),
        (Roles(allow=names("a"), deny=names("a")), "deny_roles names it"),
        (Roles(admin=names("a"), deny=names("a")), "deny_roles names it"),
    ],
)
def test_a_role_that_may_not(roles: Roles, why: str) -> None:
    with pytest.raises(PgError) as caught:
        roles.check(A)
    assert (caught.value.sqlstate, caught.value.message) == ("42501", 'pgclone: permission denied for role "a"')
    assert why in caught.value.detail and caught.value.hint


def test_whose_jobs_a_caller_controls() -> None:
    roles = Roles(admin=names("dba"))
    assert roles.with_rights(A, NONE).whose == {"a"}
    assert roles.with_rights(A, member_of("b", "c")).whose == {"a", "b", "c"}
    assert roles.with_rights(A, member_of("dba")).whose is None
    assert roles.with_rights(A, Rights(superuser=True)).whose is None
    assert roles.with_rights(Caller("dba", "d"), NONE).whose is None


@pytest.mark.parametrize(
    ("roles", "owners", "asked"),
    [
        (Roles(), names(), ()),
        (Roles(), names("a"), ()),
        (Roles(), names("a", "c", "b"), ("b", "c")),
        (Roles(admin=names("dba")), names("a"), ()),
        (Roles(admin=names("dba")), names("b"), ("b", "dba")),
        (Roles(admin=names("a")), names("b"), ()),
        (Roles(deny=names("b")), names(), ()),
        (Roles(allow=names("b")), names(), ("b",)),
        (Roles(allow=names("a", "b")), names(), ()),
        (Roles(admin=names("a"), allow=names("b")), names("c"), ("b",)),
    ],
)
def test_the_server_is_asked_only_what_makes_a_difference(
    roles: Roles, owners: frozenset[str], asked: tuple[str, ...]
) -> None:
    assert roles.to_ask("a", owners) == asked
