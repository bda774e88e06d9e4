"""What a connection is opened with, and what its failures are called."""

from __future__ import annotations

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from clone_engine.servers.connect import SETTINGS, Side, check_version, forget_environment, parameters, settings_sql
from clone_engine.servers.server_error import from_fields, from_login, state_of_words, tolerable, transient

GIVEN = {"host": "db.example.com", "dbname": "shop", "user": "ann", "password": "s3cret word"}


def test_nothing_ambient_is_used() -> None:
    made = parameters(Conninfo(GIVEN), 7, 180000)
    assert made.items() >= GIVEN.items()
    assert made["fallback_application_name"] == "pgclone: job 7"
    assert made["gssencmode"] == made["sslcertmode"] == "disable"
    assert made["require_auth"] == "!gss,!sspi"
    assert made["passfile"].startswith("/nonexistent")


@pytest.mark.parametrize(
    ("given", "libpq", "keyword", "value"),
    [
        ({"application_name": "mine"}, 180000, "application_name", "mine"),
        ({"connect_timeout": "3"}, 180000, "connect_timeout", "3"),
        ({}, 180000, "tcp_user_timeout", "60000"),
        ({"tcp_user_timeout": "0"}, 180000, "tcp_user_timeout", "0"),
        ({"passfile": "/etc/pgclone/pass"}, 180000, "passfile", "/etc/pgclone/pass"),
        ({"sslcert": "/etc/c", "sslkey": "/etc/k"}, 180000, "sslcertmode", None),
        ({}, 150000, "sslcertmode", None),
        ({}, 150000, "require_auth", None),
        ({"client_encoding": "LATIN1"}, 180000, "client_encoding", "UTF8"),
    ],
)
def test_what_the_conninfo_gives_holds(given: dict[str, str], libpq: int, keyword: str, value: str | None) -> None:
    assert parameters(Conninfo(GIVEN | given), 1, libpq).get(keyword) == value


def test_environment_is_forgotten() -> None:
    environ = {"PGPASSWORD": "x", "PGSERVICEFILE": "y", "PATH": "/bin", "XPG": "z"}
    forget_environment(environ)
    assert environ == {"PATH": "/bin", "XPG": "z"}


@pytest.mark.parametrize("side", SETTINGS)
def test_settings_follow_the_server_version(side: Side) -> None:
    assert b"transaction_timeout = " not in settings_sql(side, 160000).replace(b"idle_in_transaction", b"")
    assert b"SET transaction_timeout = '0'" in settings_sql(side, 170000)
    assert settings_sql(side, 150000).startswith(b"SET statement_timeout = 0; RESET ")


@pytest.mark.parametrize(
    ("words", "sqlstate"),
    [
        ('connection to server at "h", port 1 failed: FATAL:  password authentication failed for user "ann"', "28P01"),
        ("connection to server failed: fe_sendauth: no password supplied", "28P01"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "ann"', "28000"),
        ('FATAL:  role "ann" does not exist', "28000"),
        ('FATAL:  database "shop" does not exist', "3D000"),
        ("FATAL:  sorry, too many clients already", "53300"),
        ("FATAL:  the database system is starting up", "57P03"),
        ("connection failed: Connection refused\n\tIs the server running?", "08001"),
        ("timeout expired", "08001"),
    ],
)
def test_refused_logins(words: str, sqlstate: str) -> None:
    error = from_login(psycopg.OperationalError(words), Conninfo(GIVEN), "source")
    assert error.sqlstate == sqlstate
    assert error.message.startswith("pgclone: could not connect to source: ")
    assert "\n" not in error.message
    assert "host" in error.hint


def test_a_password_in_the_words_is_starred_out() -> None:
    error = from_login(psycopg.OperationalError("odd: s3cret word!"), Conninfo(GIVEN), "target")
    assert error.message == "pgclone: could not connect to target: odd: ***!"


@pytest.mark.parametrize(
    ("sqlstate", "may_fail"),
    [("42501", True), ("42704", True), ("57014", False), ("08006", False), ("25P02", False), ("53100", False)],
)
def test_what_is_tolerated(sqlstate: str, may_fail: bool) -> None:
    assert tolerable(sqlstate) is may_fail


@pytest.mark.parametrize(
    ("sqlstate", "passes"),
    [
        *[("08006", True), ("57P01", True), ("57P03", True), ("53300", True), ("57014", False), ("08P01", False)],
        *[("53200", False), ("53100", False), ("28P01", False), ("57P04", False), ("XX000", False)],
    ],
)
def test_what_is_worth_another_try(sqlstate: str, passes: bool) -> None:
    assert transient(sqlstate) is passes


@pytest.mark.parametrize(
    ("words", "sqlstate"),
    [
        ("pg_dump: error: query failed: server closed the connection unexpectedly", "08006"),
        ("query failed: FATAL:  terminating connection due to administrator command", "08006"),
        ('connection to server at "h" (::1), port 5432 failed: Connection refused', "08006"),
        ('connection to server at "h", port 5432 failed: FATAL:  the database system is starting up', "57P03"),
        ('connection to server at "h", port 5432 failed: FATAL:  sorry, too many clients already', "53300"),
        ("query failed: ERROR:  permission denied for table t", ""),
    ],
)
def test_what_programs_say_of_their_connections(words: str, sqlstate: str) -> None:
    assert state_of_words(words) == sqlstate


def test_an_error_without_fields_is_an_error() -> None:
    assert from_fields({}).sqlstate == "XX000"


@pytest.mark.parametrize("side", ["source", "target"])
def test_servers_before_14_are_refused(side: Side) -> None:
    check_version(side, 140000)
    with pytest.raises(PgError, match=f"the {side} is PostgreSQL 13, and clones need 14 or newer") as refused:
        check_version(side, 130021)
    assert refused.value.sqlstate == "0A000"
