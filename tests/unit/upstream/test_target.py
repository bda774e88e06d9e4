"""What a session's own server tells of itself, once it is known."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.upstream import Target, parse_target
from proxy.upstream.places import Place, Route

ROUTE = Route(Place("a", "", 5432), "10.0.0.1", encrypted=False)


def asking(attrs: str) -> Target:
    return parse_target(f"host=a user=u target_session_attrs={attrs}", 10)


@pytest.mark.parametrize(("attrs", "standby"), [("primary", "on"), ("read-write", "on"), ("standby", "off")])
def test_a_server_that_has_become_another_is_not_served(attrs: str, standby: str) -> None:
    with pytest.raises(PgError) as refused:
        asking(attrs).check(ROUTE, {"in_hot_standby": standby})
    assert (refused.value.sqlstate, refused.value.hint) == ("57P03", "Connect again.")


@pytest.mark.parametrize(
    ("attrs", "reported"),
    [
        ("any", {"in_hot_standby": "on"}),
        ("prefer-standby", {"in_hot_standby": "off"}),
        ("primary", {"in_hot_standby": "off"}),
        ("standby", {"in_hot_standby": "on"}),
        ("read-only", {"in_hot_standby": "on"}),
        ("read-only", {"in_hot_standby": "off", "default_transaction_read_only": "on"}),
        ("read-write", {}),  # by a server before 14
        # which the client may have asked for
        ("read-write", {"in_hot_standby": "off", "default_transaction_read_only": "on"}),
    ],
)
def test_one_that_is_still_what_is_asked_for_is(attrs: str, reported: dict[str, str]) -> None:
    asking(attrs).check(ROUTE, reported)


def test_jobs_take_nothing_from_the_home_directory() -> None:
    parameters = parse_target("host=a", 10).conninfo.parameters
    assert {parameters["sslrootcert"], parameters["sslcrl"]} == {"/nonexistent/pgclone"}
