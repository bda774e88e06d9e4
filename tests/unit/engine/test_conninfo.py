"""The conninfo of a call as tables: what it becomes, and what is refused without ever showing it."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clone_engine.asking.conninfo import parse_conninfo
from clone_engine.records.errors import PgError

TAKEN: list[tuple[str, dict[str, str]]] = [
    ("host=h dbname=d user=u", {"host": "h", "dbname": "d", "user": "u"}),
    ("host=h", {"host": "h", "user": "caller"}),
    ("host=h user=''", {"host": "h", "user": "caller"}),
    ("hostaddr=10.1.1.1", {"hostaddr": "10.1.1.1", "user": "caller"}),
    ("host=a,b port=1,2", {"host": "a,b", "port": "1,2", "user": "caller"}),
    ("host=a,b port=,2", {"host": "a,b", "port": ",2", "user": "caller"}),
    ("host=/run/postgresql", {"host": "/run/postgresql", "user": "caller"}),
    ("dbname=d", {"dbname": "d", "user": "caller"}),
    ("dbname=d port=7000", {"port": "7000", "dbname": "d", "user": "caller"}),
    ("host='' dbname=d", {"dbname": "d", "user": "caller"}),
    (r"host=h password='a b\'c\\'", {"host": "h", "password": r"a b'c" + "\\", "user": "caller"}),
    ("postgresql://u:p%40w@h:5/d?sslmode=require",
     {"host": "h", "port": "5", "user": "u", "password": "p@w", "dbname": "d", "sslmode": "require"}),
    ("postgres:///d", {"dbname": "d", "user": "caller"}),
    ("postgresql://%2Ftmp/d", {"host": "/tmp", "dbname": "d", "user": "caller"}),
    ("host=h options='-c search_path=dep_test,public'",
     {"host": "h", "options": "-c search_path=dep_test,public", "user": "caller"}),
    (r"host=h options='-csearch_path=a\\ b --lock-timeout=5s'",
     {"host": "h", "options": r"-csearch_path=a\ b --lock-timeout=5s", "user": "caller"}),
    ("host=h sslrootcert=system sslmode=verify-full connect_timeout=5 application_name='a b' keepalives_idle=3",
     {"host": "h", "sslrootcert": "system", "sslmode": "verify-full", "connect_timeout": "5",
      "application_name": "a b", "keepalives_idle": "3", "user": "caller"}),
    ("host=h target_session_attrs=standby load_balance_hosts=random tcp_user_timeout=9 channel_binding=require",
     {"host": "h", "target_session_attrs": "standby", "load_balance_hosts": "random", "tcp_user_timeout": "9",
      "channel_binding": "require", "user": "caller"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parameters"), TAKEN)
def test_taken(text: str, parameters: dict[str, str]) -> None:
    assert parse_conninfo(text, "caller").parameters == parameters


FORBIDDEN = [
    "passfile",
    "service",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "requirepeer",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "gssencmode",
    "replication",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_scope",
    "scram_client_key",
    "scram_server_key",
    "client_encoding",
    "fallback_application_name",
]


@pytest.mark.parametrize("keyword", FORBIDDEN)
def test_forbidden_keyword_is_named(keyword: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_conninfo(f"host=h {keyword}=CANARY", "caller")
    assert caught.value.sqlstate == "22023"
    assert caught.value.message == f'pgclone: source_conninfo must not set "{keyword}"'
    assert "CANARY" not in vars(caught.value).__repr__() and "Allowed are: host, " in caught.value.hint


VALUES: list[tuple[str, str]] = [
    ("dbname", "'host=evil password=CANARY'"),
    ("dbname", "postgres://CANARY"),
    ("dbname", "PostgreSQL://CANARY"),
    ("sslrootcert", "/CANARY"),
    ("sslmode", "CANARY"),
    ("port", "CANARY"),
    ("port", "0"),
    ("port", "65536"),
    ("port", "1,-1"),
    ("connect_timeout", "CANARY"),
    ("keepalives", "9999999999"),
    ("target_session_attrs", "CANARY"),
    ("options", "'-c session_preload_libraries=CANARY'"),
    ("options", "'-c search_path=a -c log_statement=all'"),
    ("options", "'--CANARY'"),
    ("options", "CANARY"),
    ("options", "'-c search_path=a CANARY'"),
]


@pytest.mark.parametrize(("keyword", "value"), VALUES)
def test_unusable_value_is_refused_and_not_shown(keyword: str, value: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_conninfo(f"host=h {keyword}={value}", "caller")
    assert caught.value.sqlstate == "22023"
    assert caught.value.message == f'pgclone: source_conninfo has an unusable value for "{keyword}"'
    assert caught.value.hint and "CANARY" not in repr(vars(caught.value))


MALFORMED = [
    "CANARY",
    "host='h password=CANARY",
    "host=h password=CAN ARY",
    "host=h CANARY=1",
    "postgresql://u:CANARY CANARY@h",
    "postgresql://u:p@CANARY@h/db",  # libpq takes CANARY@h for the host
    "postgres://u:CAN@CANARY/d@h/db",
    "postgresql://u:5432/CANARY@h/db",  # and this for the database
    "postgresql://u:CANARY@h/%00",
    "postgresql://u:CANARY@h/%ff",
    "postgresql://u:%CANARY@h/",
    "postgresql://[CANARY/",
    "postgresql://u:p@h/d?CANARY=1",
    "host=h\0CANARY",
    "host=h password=CANARY\ud800",
    "host=h password=CANARY" + "x" * 20_000,
]


@pytest.mark.parametrize("text", MALFORMED, ids=[repr(text[:40]) for text in MALFORMED])
def test_malformed_text_is_not_shown_in_any_way(text: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_conninfo(text, "caller")
    assert caught.value.sqlstate == "22023" and caught.value.hint
    raised = "".join(traceback.format_exception(caught.value))
    assert "CANARY" not in repr(vars(caught.value)) and "CAN ARY" not in raised
    assert caught.value.__context__ is None and caught.value.__cause__ is None


def test_null_and_empty() -> None:
    with pytest.raises(PgError, match="must not be null") as caught:
        parse_conninfo(None, "caller")
    assert caught.value.sqlstate == "22004" and caught.value.hint
    for text in ("", "  ", "host=''"):
        with pytest.raises(PgError, match="is empty") as caught:
            parse_conninfo(text, "caller")
        assert caught.value.sqlstate == "22023" and caught.value.hint


def test_secrets_are_not_shown() -> None:
    conninfo = parse_conninfo("host=h password=CANARY", "caller")
    assert "CANARY" not in repr(conninfo) + str(conninfo) + repr(conninfo.without_secrets().parameters)


WORDS = st.sampled_from(["host", "=", " ", "'", "\\", "postgresql://", "%", "@", ":", "/", "options", "-c", "?", "&"])


@given(st.text() | st.lists(WORDS | st.text(max_size=5)).map("".join))
def test_any_text_gives_a_conninfo_or_an_error_of_ours(text: str) -> None:
    try:
        conninfo = parse_conninfo(text, "caller")
    except PgError as error:
        assert error.sqlstate == "22023" and error.message.startswith("pgclone: ") and error.hint
    else:
        assert conninfo.parameters["user"]  # a host it needs not have: the target is meant then
