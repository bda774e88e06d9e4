"""A job of one role that another role resumes: a member goes on with what is there, an administrator begins anew.

A condition that waits for a lock on the source holds a job while another table is complete.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

OWNER, MEMBER = "resumed_owner", "resuming_member"
ROWS = 500
LOCK = 7
OPTIONS = f'{{"where": {{"held": "pg_advisory_xact_lock_shared({LOCK})::text IS NOT NULL"}}}}'
Jobs = list[tuple[int, str]]


@pytest.fixture
def roles(server: Server) -> Iterator[None]:
    postgres = Database(server, "postgres")
    postgres.execute(f"CREATE ROLE {OWNER} LOGIN; CREATE ROLE {MEMBER} LOGIN IN ROLE {OWNER}")
    yield
    postgres.execute(f"DROP ROLE {MEMBER}; DROP ROLE {OWNER}")


@pytest.fixture
def proxy(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database, roles: None
) -> ProxyProcess:
    source_database.execute(
        "CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;"
        f"CREATE TABLE s.done AS SELECT generate_series(1, {ROWS}) AS id;"
        f"CREATE TABLE s.held AS SELECT generate_series(1, {ROWS}) AS id"
    )
    target_database.execute(f"GRANT CREATE ON DATABASE {target_database.name} TO {OWNER}")
    return proxies.start(server.conninfo(), {"jobs": {"resume_at_start": False}})


def jobs(proxy: ProxyProcess, target: Database) -> Jobs:
    with connect(proxy, target.name) as everybody:
        rows = everybody.execute("SELECT job_id, status FROM pgclone_jobs_view ORDER BY job_id").fetchall()
    return [(number, status) for number, status in rows]


def asked(source: Database) -> str:
    """The call for a clone of both tables."""
    return f"SELECT pgclone_schema_async('{source.conninfo()}', 's', true, '{OPTIONS}')"


def interrupted(proxy: ProxyProcess, source: Database, target: Database, role: str, sql: str) -> None:
    """A job that `sql` starts, and that the end of its proxy interrupts while the table s.done is complete."""
    with source.connect() as holder, connect(proxy, target.name, user=role) as connection:
        holder.execute(f"SELECT pg_advisory_lock({LOCK})")
        row = connection.execute(sql.encode()).fetchone()
        report = "SELECT object_name FROM pgclone_job_objects(%s) WHERE object_kind = 'table' AND state = 'done'"
        wait_until(lambda: ("done",) in connection.execute(report, row).fetchall(), 30, "the first table")
        proxy.kill()


def test_a_member_goes_on_with_what_is_there_and_so_does_the_proxy(
    proxies: Proxies, proxy: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    target = target_database
    interrupted(proxy, source_database, target, OWNER, asked(source_database))
    proxy.start()
    made = target.value("SELECT 's.done'::regclass::oid")
    interrupted(proxy, source_database, target, MEMBER, "SELECT pgclone_resume(1)")
    going_on = proxies.start(target.server.conninfo(), {"jobs": {"store": str(proxy.directory / "jobs.sqlite")}})
    ended = [(1, "failed"), (2, "failed"), (3, "completed")]
    wait_until(lambda: jobs(going_on, target) == ended, 30, "the third job to complete")
    assert target.rows("SELECT (SELECT count(*) FROM s.done), (SELECT count(*) FROM s.held)") == [(ROWS, ROWS)]
    assert target.value("SELECT 's.done'::regclass::oid") == made
    assert target.value("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^pgclone_job'") == 0
    target.execute(f"DROP OWNED BY {OWNER}, {MEMBER}")


def test_what_an_owner_has_put_on_a_table_never_acts_with_an_administrator_s_rights(
    proxy: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    target = target_database
    interrupted(proxy, source_database, target, OWNER, asked(source_database))
    with target.connect(user=OWNER) as owner:
        ((journal,),) = owner.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^pgclone_job'").fetchall()
        owner.execute(
            "CREATE FUNCTION s.acts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" EXECUTE 'ALTER ROLE {OWNER} CREATEDB'; RETURN NEW; END $$;"
            "CREATE TRIGGER t BEFORE INSERT ON s.held FOR EACH ROW EXECUTE FUNCTION s.acts();"
            f"CREATE TRIGGER t BEFORE INSERT ON {journal}.steps FOR EACH ROW EXECUTE FUNCTION s.acts()".encode()
        )
    proxy.start()
    with connect(proxy, target.name, user=SUPERUSER) as administrator:
        assert administrator.execute("SELECT pgclone_resume(1)").fetchone() == (2,)
    wait_until(lambda: jobs(proxy, target)[1][1] not in ("pending", "running"), 30, "the administrator's job to end")
    assert target.value(f"SELECT rolcreatedb FROM pg_roles WHERE rolname = '{OWNER}'") is False
    assert jobs(proxy, target)[1] == (2, "failed")
    with connect(proxy, target.name) as connection:
        (error,) = connection.execute("SELECT error_message FROM pgclone_jobs_view WHERE job_id = 2").fetchall()[0]
    assert "exist" in error
    target.execute(f"DROP OWNED BY {OWNER}, {MEMBER}")
