"""Who may use which source, and with what the proxy then connects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.calls.membership import Rights
from proxy.sources.access import Rules, SourceAccess
from proxy.sources.named import NamedSource
from proxy.sources.patterns import parse_pattern
from proxy.sources.policy import Inline, Policy

TARGET = Conninfo({"host": "db", "port": "5432", "user": "operator", "password": "operator's"})
OWN = {"host": "db", "port": "5432"}
LOGIN = Conninfo({**OWN, "user": "alice", "dbname": "app", "password": "alice's", "sslmode": "require"})
ALICE = Caller("alice", "app")
ELSEWHERE = {"host": "10.0.0.1", "user": "reader"}
NAMED = {
    "prod": NamedSource("host=prod.example user=reader sslmode=verify-full", "named-secret"),
    "fixed": NamedSource("postgresql://reader:in-conninfo@prod.example/shop"),
    "yours": NamedSource("host=prod.example", roles=frozenset({"alice", "team"})),
    "theirs": NamedSource("host=prod.example", roles=frozenset({"bob"})),
}


def reached(
    source: dict[str, str], caller: Caller = ALICE, superuser: bool = False, roles: str = "", inline: Inline = "remote"
) -> Conninfo:
    async def rights(login: Conninfo, asked: tuple[str, ...]) -> Rights:
        assert login == LOGIN
        return Rights(superuser, frozenset(roles.split()) & frozenset(asked))

    policy = Policy(inline, allow=(parse_pattern("127.0.0.2"),))
    rules = Rules(policy, NAMED, require_password=True, admins=frozenset({"dba"}))
    access = SourceAccess(TARGET, lambda: rules, rights)
    return asyncio.run(access.reached(caller, Conninfo(source), LOGIN))


def refusal(source: dict[str, str], caller: Caller = ALICE, **more: Inline) -> PgError:
    with pytest.raises(PgError) as refused:
        reached(source, caller, inline=more.get("inline", "remote"))
    assert refused.value.hint
    return refused.value


def test_elsewhere_the_caller_must_give_a_password_that_is_asked_for() -> None:
    assert refusal(ELSEWHERE).sqlstate == "2F003"
    found = reached({**ELSEWHERE, "password": "p"})
    assert found.password_demanded
    assert found.parameters == {**ELSEWHERE, "password": "p", "hostaddr": "10.0.0.1", "port": "5432"}


def test_a_local_address_is_refused_unless_it_is_allowed() -> None:
    assert refusal({"host": "127.0.0.1", "user": "u", "password": "p"}).sqlstate == "42501"
    assert reached({"host": "127.0.0.2", "user": "u", "password": "p"}).parameters["hostaddr"] == "127.0.0.2"


@pytest.mark.parametrize(
    ("caller", "superuser", "roles"),
    [
        (Caller("dba", "app"), False, ""),
        (ALICE, True, ""),
        (ALICE, False, "dba"),
        (Caller("x", "app", True), False, ""),
    ],
)
def test_administrators_need_none(caller: Caller, superuser: bool, roles: str) -> None:
    assert not reached(ELSEWHERE, caller, superuser, roles).password_demanded
    with pytest.raises(PgError):
        reached({"host": "127.0.0.1", "user": "u"}, caller, superuser, roles)


def test_the_target_server_is_read_as_the_session_does() -> None:
    found = reached({**OWN, "user": "alice", "dbname": "other"})
    assert found == Conninfo({**OWN, "user": "alice", "dbname": "other", "password": "alice's", "sslmode": "require"})
    assert "dbname" not in reached({**OWN, "user": "alice"}).parameters
    assert reached({**OWN, "user": "alice", "password": "mine"}).parameters["password"] == "mine"


def test_without_a_host_it_is_the_server_that_the_session_is_on() -> None:
    standby = {"host": "standby", "hostaddr": "10.0.0.2", "port": "5433"}
    caller = Caller("alice", "app", server=standby)
    for source in ({"user": "alice"}, {**standby, "user": "alice"}):
        assert reached(source, caller) == Conninfo(
            {**standby, "user": "alice", "password": "alice's", "sslmode": "require"}
        )
    assert reached({"user": "alice"}).parameters["host"] == "db"
    assert refusal({**standby, "hostaddr": "127.0.0.1", "user": "alice"}, caller).sqlstate == "42501"


def test_one_of_the_target_s_servers_is_the_one_that_is_named() -> None:
    """Not the one that the session is on, whose address its login has."""
    on_standby = {"host": "standby", "hostaddr": "10.0.0.2", "port": "5433"}
    login = LOGIN.with_parameters(on_standby)
    rules = Rules(Policy("none"), {}, require_password=True, admins=frozenset())
    access = SourceAccess(TARGET, lambda: rules, None)  # type: ignore[arg-type]
    named = Conninfo({**OWN, "user": "alice", "dbname": "other"})
    found = asyncio.run(access.reached(Caller("alice", "app", server=on_standby), named, login))
    assert {key: found.parameters.get(key) for key in ("host", "hostaddr", "port")} == {**OWN, "hostaddr": None}


def test_as_another_role_the_target_server_is_any_source() -> None:
    assert refusal({**OWN, "user": "bob", "dbname": "other"}).sqlstate == "2F003"
    found = reached({**OWN, "user": "bob", "password": "bob's"})
    assert found == Conninfo({**OWN, "user": "bob", "password": "bob's"}, password_demanded=True)


@pytest.mark.parametrize("other", [{"port": "22"}, {"hostaddr": "127.0.0.1"}, {"host": "127.0.0.1"}])
def test_another_port_or_address_is_not_the_target(other: dict[str, str]) -> None:
    with pytest.raises(PgError):  # "db" is not found, and the others are local
        reached({**OWN, "user": "alice", "password": "p", **other})


def test_only_named_sources_and_the_target() -> None:
    assert refusal({**ELSEWHERE, "password": "p"}, inline="none").sqlstate == "42501"
    assert reached({"source": "prod"}, inline="none").parameters["host"] == "prod.example"
    assert reached({**OWN, "user": "alice"}, inline="none").parameters["host"] == "db"


def test_a_named_source_is_what_the_configuration_says() -> None:
    assert reached({"source": "prod", "dbname": "shop"}) == Conninfo(
        {
            "user": "reader",
            "host": "prod.example",
            "sslmode": "verify-full",
            "dbname": "shop",
            "password": "named-secret",
        }
    )
    assert reached({"source": "fixed"}).parameters["password"] == "in-conninfo"
    assert refusal({"source": "fixed", "dbname": "hr"}).sqlstate == "22023"


def test_a_named_source_is_for_its_roles_and_who_has_their_rights() -> None:
    assert reached({"source": "yours"}).parameters["user"] == "alice"
    assert reached({"source": "yours"}, Caller("carol", "app"), roles="team").parameters["user"] == "carol"
    unknown, others = refusal({"source": "none"}), refusal({"source": "theirs"})
    assert unknown.sqlstate == others.sqlstate == "42501"
    assert [text.replace("none", "?") for text in (unknown.message, unknown.detail, unknown.hint)] == [
        text.replace("theirs", "?").replace("none", "?") for text in (others.message, others.detail, others.hint)
    ]


def test_a_password_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    source = NamedSource("host=h user=u", password_file=str(file))
    for password in ("first", "second one "):
        file.write_text(f"{password}\n")
        assert source.reached("s", {}, "alice").parameters["password"] == password
    file.unlink()
    with pytest.raises(PgError) as refused:
        source.reached("s", {}, "alice")
    assert refused.value.sqlstate == "58030"
    assert str(file) not in str(refused.value)


@pytest.mark.parametrize(
    ("conninfo", "problem"),
    [
        ("nonsense secret", "neither a conninfo"),
        ("user=u", "no host"),
        ("postgresql://u:s@secret@h/d", "write %40"),
        ("host=h service=s", "must not set service"),
        ("host=h sslkeylogfile=/tmp/x", "must not set sslkeylogfile"),
        ("host=h dbname='host=other'", "dbname"),
    ],
)
def test_what_cannot_be_a_named_source(conninfo: str, problem: str) -> None:
    (said,) = NamedSource(conninfo).problems()
    assert problem in said
    assert "secret" not in said


def test_files_are_the_operator_s_to_name() -> None:
    assert not list(
        NamedSource("host=h passfile=/p sslcert=/c sslkey=/k sslrootcert=/r sslmode=verify-full").problems()
    )


def test_nothing_secret_is_shown() -> None:
    assert "secret" not in repr(NAMED)
    rules = Rules(Policy(), NAMED, require_password=True, admins=frozenset())
    assert "operator's" not in repr(rules)
    assert "operator's" not in repr(SourceAccess(TARGET, lambda: rules, None))  # type: ignore[arg-type]
