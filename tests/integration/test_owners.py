"""Whose jobs a role sees and controls: its own, those of roles whose rights it has, and all if it administers.

For all others a job does not exist: what they are told of it is what they are told of a number that there never was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import pq

from proxy.embedded import SUPERUSER
from proxy.installations import installations
from proxy.launch import ProxyProcess
from tests.harness.proxies import connect, running_proxies
from tests.harness.servers import Database, Servers
from tests.harness.waiting import wait_until
from tests.integration.with_stubs import database_with_stubs

Connection = psycopg.Connection[tuple[Any, ...]]

NOBODY_LISTENS = "host=127.0.0.1 port=1"
"""A source of which jobs fail."""
OWNER, MEMBER, NESTED, NOT_INHERITING, ADMIN, OF_ADMINS, STRANGER = ROLES = (
    "owner's Ä",
    "o_member",
    "o_nested",
    "o_not_inheriting",
    "o_admin",
    "o_of_admins",
    "o_stranger",
)
ROLES_SCRIPT = f"""
CREATE ROLE "{OWNER}" LOGIN; CREATE ROLE {MEMBER} LOGIN; CREATE ROLE {NESTED} LOGIN;
CREATE ROLE {NOT_INHERITING} LOGIN NOINHERIT; CREATE ROLE {ADMIN} LOGIN; CREATE ROLE {OF_ADMINS} LOGIN;
CREATE ROLE {STRANGER} LOGIN;
GRANT "{OWNER}" TO {MEMBER}, {NOT_INHERITING}; GRANT {MEMBER} TO {NESTED}; GRANT {ADMIN} TO {OF_ADMINS};
GRANT CREATE ON SCHEMA public TO PUBLIC;
"""
ANSWER = """
CREATE FUNCTION answer(sql text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE answer text; BEGIN EXECUTE sql INTO answer; RETURN answer; END $$
"""
WAYS = ("simple", "extended", "stub")


class Place(NamedTuple):
    """Where a module's tests are at home."""

    proxy: ProxyProcess
    database: Database


@pytest.fixture(scope="module", params=installations(), ids=lambda each: str(each.major))
def place(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Place]:
    """A server of each version with these roles, a database with stubs, and a proxy with an administrator."""
    server = servers.get(request.param)
    with (
        database_with_stubs(server) as database,
        tempfile.TemporaryDirectory(prefix="pgclone-") as directory,
        running_proxies(Path(directory)) as proxies,
    ):
        database.execute(ROLES_SCRIPT)
        database.execute(ANSWER)
        yield Place(proxies.start(server.conninfo(), {"jobs": {"admin_roles": [ADMIN]}}), database)
    drop = "".join(f'DROP ROLE "{role}";' for role in ROLES)
    Database(server, "postgres").execute(drop)


@pytest.fixture
def job(place: Place) -> Iterator[int]:
    """A failed job of the owner; in the end no job is left."""
    with session(place, OWNER) as owner:
        yield failed(owner, int(value(owner, f"SELECT pgclone_schema_async('{NOBODY_LISTENS}', 's')")))
    with session(place, SUPERUSER) as everybody:
        everybody.execute("SELECT pgclone_clear_jobs()")


def session(place: Place, role: str) -> Connection:
    return connect(place.proxy, place.database.name, user=role)


def value(connection: Connection, sql: str, way: str = "simple") -> str:
    """The one value that a statement gives, as text, when it is sent in this way."""
    if way == "stub":
        row = connection.execute("SELECT answer(%s)", (sql,)).fetchone()
    else:
        row = connection.execute(sql.encode(), prepare=way == "extended").fetchone()
    assert row is not None
    return str(row[0])


def seen(connection: Connection, way: str = "simple") -> int:
    """How many jobs the view has."""
    return int(value(connection, "SELECT count(*) FROM pgclone_jobs_view", way))


def failed(connection: Connection, job: int) -> int:
    """The job, once it has failed, as all of them do."""
    progress = f"SELECT pgclone_progress({job})::json->>'status'"
    wait_until(lambda: value(connection, progress) == "failed", 30, "the job to fail")
    return job


CONTROLS = {OWNER: True, MEMBER: True, NESTED: True, ADMIN: True, OF_ADMINS: True, SUPERUSER: True,
            NOT_INHERITING: False, STRANGER: False}  # fmt: skip


@pytest.mark.parametrize(("role", "sees"), CONTROLS.items())
def test_who_sees_a_job(place: Place, job: int, role: str, sees: bool) -> None:
    with session(place, role) as connection:
        for way in WAYS:
            assert seen(connection, way) == sees
            for listing in ("json_array_elements(pgclone_jobs()::json)", "pgclone_progress_detail()"):
                assert value(connection, f"SELECT count(*) FROM {listing}", way) == str(int(sees))
            if sees:
                assert value(connection, f"SELECT pgclone_progress({job})::json->>'status'", way) == "failed"
                assert value(connection, f"SELECT pgclone_cancel({job})", way) == "cancelled"
                assert value(connection, f"SELECT object_kind FROM pgclone_job_objects({job})", way) == "job"


FOREIGN = {
    "progress": "SELECT pgclone_progress({})",
    "cancel": "SELECT pgclone_cancel({})",
    "resume": "SELECT pgclone_resume({})",
    "job_objects": "SELECT count(*) FROM pgclone_job_objects({})",
}


def refusal(connection: Connection, statement: str, number: int, way: str) -> list[str | None]:
    """What is said to the statement about job `number`, all but the number."""
    with pytest.raises(psycopg.Error) as refused:
        value(connection, statement.format(number), way)
    diag = refused.value.diag
    said = (diag.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
    return [text and text.replace(f"({number})", "(N)").replace(f"job {number} ", "job N ") for text in said]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_job_is_as_one_that_never_was(place: Place, job: int, name: str) -> None:
    with session(place, STRANGER) as connection:
        for way in WAYS:
            of_foreign = refusal(connection, FOREIGN[name], job, way)
            assert of_foreign[:2] == ["P0002", "pgclone: job N not found"]
            assert of_foreign == refusal(connection, FOREIGN[name], 424242, way)


def test_clearing_leaves_the_jobs_of_others(place: Place, job: int) -> None:
    with session(place, STRANGER) as stranger, session(place, OWNER) as owner:
        assert value(stranger, "SELECT pgclone_clear_jobs()") == "0"
        assert seen(owner) == 1


@pytest.mark.parametrize("way", ["simple", "extended", "stub", "prepared before"])
def test_grant_and_revoke_count_at_the_next_statement(place: Place, job: int, way: str) -> None:
    with session(place, STRANGER) as connection:
        statement = b"SELECT count(*) FROM pgclone_jobs_view"
        connection.pgconn.prepare(b"kept", statement)
        cancel = f"SELECT pgclone_cancel({job})".encode()
        connection.pgconn.prepare(b"cancel", cancel)

        def shown() -> int:
            if way == "prepared before":
                return int(connection.pgconn.exec_prepared(b"kept", None).get_value(0, 0) or b"")
            return seen(connection, way)

        def may_cancel() -> bool:
            return connection.pgconn.exec_prepared(b"cancel", None).status == pq.ExecStatus.TUPLES_OK

        for _ in range(2):
            assert (shown(), may_cancel()) == (0, False)
            place.database.execute(f'GRANT "{OWNER}" TO {STRANGER}')
            try:
                assert (shown(), may_cancel()) == (1, True)
            finally:
                place.database.execute(f'REVOKE "{OWNER}" FROM {STRANGER}')


def test_set_role_changes_nothing(place: Place, job: int) -> None:
    with session(place, NOT_INHERITING) as connection:
        connection.execute(f'SET ROLE "{OWNER}"'.encode())
        assert seen(connection) == 0
    with session(place, MEMBER) as connection:
        connection.execute(f"SET ROLE {MEMBER}".encode())
        assert seen(connection) == 1


def test_in_a_failed_transaction_nothing_is_told(place: Place, job: int) -> None:
    with session(place, MEMBER) as connection:
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            seen(connection)
        connection.execute("ROLLBACK")
        assert seen(connection) == 1


def test_a_member_resumes_and_the_new_job_is_the_member_s(place: Place, job: int) -> None:
    with session(place, MEMBER) as member, session(place, OWNER) as owner:
        new = failed(member, int(value(member, f"SELECT pgclone_resume({job})")))
        # The member is no owner of the owner's, so the owner is not told of a job that it does not see.
        assert seen(member) == 2 and seen(owner) == 1
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as refused:
            value(owner, f"SELECT pgclone_resume({job})")
        assert refused.value.diag.message_detail == "A job of another role already goes on from it."
        assert str(new) not in str(refused.value) and MEMBER not in str(refused.value)
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"Job {new} already goes on from it"):
            value(member, f"SELECT pgclone_resume({job})")


@pytest.mark.parametrize("role", [MEMBER, ADMIN, SUPERUSER])
def test_nobody_but_the_owner_resumes_with_the_owner_s_password(place: Place, job: int, role: str) -> None:
    with session(place, OWNER) as owner:
        secret = int(value(owner, f"SELECT pgclone_schema_async('{NOBODY_LISTENS} password=canary', 's')"))
        failed(owner, secret)
        with session(place, role) as other:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to resume") as refused:
                value(other, f"SELECT pgclone_resume({secret})")
            assert "conninfo of your own" in (refused.value.diag.message_hint or "")
            assert value(other, f"SELECT pgclone_cancel({secret})") == "cancelled"
        failed(owner, int(value(owner, f"SELECT pgclone_resume({secret})")))


@pytest.mark.parametrize(("encoding", "sees"), [("LATIN1", 1), ("SQL_ASCII", 1), ("EUC_JP", 0)])
def test_names_of_roles_in_databases_of_other_encodings(place: Place, job: int, encoding: str, sees: int) -> None:
    """Where the owner's name is not valid in the encoding, nobody can be told to have its rights."""
    name = f"o_{encoding.lower()}"
    postgres = Database(place.database.server, "postgres")
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with connect(place.proxy, name, user=MEMBER) as member:
        assert seen(member) == sees
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
