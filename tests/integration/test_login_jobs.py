"""Jobs log in to the target with what their caller's session has logged in with, in each mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.traces import of_processes, of_store
from tests.harness.waiting import wait_until
from tests.integration.login_roles import PASSWORD, verifier, with_roles
from tests.integration.test_canaries import READ_BY_PG_DUMP, pg_dump_waits
from tests.integration.with_stubs import database_with_stubs

SOURCE = "CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t SELECT generate_series(1, 10)"
CANARY = PASSWORD.split()[0]
CASES = {
    # auth.mode, what the auth file has for the role, the role
    "a password, scram": ("password", "", "lg_scram"),
    "a password, md5": ("password", "", "lg_md5"),
    "a password, in clear": ("password", "", "lg_clear"),
    "no password where none is asked": ("password", "", "lg_trusted"),
    "the file's password": ("terminate", PASSWORD, "lg_scram"),
    "the file's password, md5": ("terminate", PASSWORD, "lg_md5"),
    "SCRAM keys": ("terminate", "verifier", "lg_scram"),
}


@pytest.fixture(scope="module")
def logins(servers: Servers) -> Server:
    return with_roles(servers)


@pytest.fixture
def target(logins: Server) -> Iterator[Database]:
    with fresh_database(logins) as fresh:
        fresh.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        yield fresh


def started(proxies: Proxies, logins: Server, mode: str, secret: str, role: str) -> ProxyProcess:
    if not secret:
        return proxies.start(logins.conninfo(), {"auth": {"mode": mode}})
    path: Path = proxies.directory / "auth"
    path.touch(mode=0o600)
    path.write_text(f'"{role}" "{verifier(logins, role) if secret == "verifier" else secret}"\n')
    return proxies.start(logins.conninfo(), {"auth": {"mode": mode, "file": str(path)}})


@pytest.mark.parametrize("case", CASES)
def test_a_job_has_the_session_s_credential(
    proxies: Proxies, logins: Server, target: Database, source_database: Database, case: str
) -> None:
    mode, secret, role = CASES[case]
    proxy = started(proxies, logins, mode, secret, role)
    source_database.execute(SOURCE)
    with connect(proxy, target.name, user=role, password=PASSWORD) as connection:
        done = connection.execute("SELECT pgclone_table(%s, 'public', 't')", [source_database.conninfo()]).fetchone()
        assert done == ("OK",)
        said = str(connection.execute("SELECT v, pgclone_progress(job_id) FROM pgclone_jobs_view v").fetchall())
    assert target.rows("SELECT count(*), min(relowner::regrole::text) FROM public.t, pg_class WHERE relname = 't'") == [
        (10, role)
    ]
    stored = of_store(proxy)
    for secret in (CANARY, "scram_client_key"):
        assert secret not in said + proxy.log()
        assert secret.encode() not in stored


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][2] != "lg_trusted"])
def test_no_trace_of_what_a_job_logs_in_with(
    proxies: Proxies, logins: Server, target: Database, source_database: Database, case: str
) -> None:
    """While it runs, beside what the test above looks at."""
    proxy = started(proxies, logins, *CASES[case])
    source_database.execute(SOURCE)
    before = len(logins.log())  # when the roles were made
    with connect(proxy, target.name, user=CASES[case][2], password=PASSWORD) as connection:
        with source_database.connect() as holder:
            holder.execute(f"BEGIN; LOCK TABLE {READ_BY_PG_DUMP} IN ACCESS EXCLUSIVE MODE".encode())
            connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", [source_database.conninfo()])
            wait_until(lambda: pg_dump_waits(source_database), 30, "pg_dump to wait for the lock")
            processes, stored = of_processes(proxy.pid), of_store(proxy)
            seen = [database.rows("SELECT * FROM pg_stat_activity") for database in (source_database, target)]
        ended = "SELECT status FROM pgclone_jobs_view WHERE status = 'completed'"
        wait_until(lambda: connection.execute(ended).fetchall(), 30, "the job to complete")
    logged = logins.log()[before:] + source_database.server.log()
    assert target.name in logged and b"pg_dump" in processes
    for secret in (CANARY, "scram_client_key"):
        assert secret.encode() not in processes + stored
        assert secret not in logged + str(seen)


@pytest.mark.parametrize("mode", ["password", "relay", "terminate"])
def test_who_goes_on_after_a_restart_uses_the_caller_s_credential(
    proxies: Proxies, logins: Server, target: Database, source_database: Database, mode: str
) -> None:
    proxy = started(proxies, logins, mode, PASSWORD if mode == "terminate" else "", "lg_scram")
    source_database.execute(SOURCE)
    proxy.stop()
    proxy.start()
    with connect(proxy, target.name, user="lg_scram", password=PASSWORD) as connection:
        call = "SELECT pgclone_table(%s, 'public', 't')"
        if mode != "relay":
            assert connection.execute(call, [source_database.conninfo()]).fetchone() == ("OK",)
            return
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
            connection.execute(call, [source_database.conninfo()])
    hint = refused.value.diag.message_hint or ""
    assert "passfile" in hint
    assert '"terminate"' in hint


def test_keys_are_of_no_use_where_jobs_are_asked_for_a_password(
    proxies: Proxies, logins: Server, target: Database, source_database: Database
) -> None:
    # The session is asked for nothing, so that it gets in.
    hba = logins.data / "pg_hba.conf"
    before = hba.read_text()
    proxy = started(proxies, logins, "terminate", "verifier", "lg_scram")
    try:
        hba.write_text(f"host all lg_scram 127.0.0.1/32 trust\n{before}")
        Database(logins, "postgres").execute("SELECT pg_reload_conf()")
        with connect(proxy, target.name, user="lg_scram", password=PASSWORD) as connection:
            hba.write_text(f"host all lg_scram 127.0.0.1/32 password\n{before}")
            Database(logins, "postgres").execute("SELECT pg_reload_conf()")
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
                connection.execute("SELECT pgclone_table(%s, 'public', 't')", [source_database.conninfo()])
        assert "auth.file" in (refused.value.diag.message_hint or "")
    finally:
        hba.write_text(before)
        Database(logins, "postgres").execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("case", ["a password, scram", "SCRAM keys"])
def test_a_login_that_the_target_refuses_is_told_in_its_words(
    proxies: Proxies, logins: Server, target: Database, source_database: Database, case: str
) -> None:
    proxy = started(proxies, logins, *CASES[case])
    with connect(proxy, target.name, user="lg_scram", password=PASSWORD) as connection:
        target.execute("ALTER ROLE lg_scram NOLOGIN")
        try:
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification, match="is not permitted to log in"):
                connection.execute("SELECT pgclone_table(%s, 'public', 't')", [source_database.conninfo()])
        finally:
            target.execute("ALTER ROLE lg_scram LOGIN")


def test_calls_from_the_server_are_answered_with_the_newest_session_s_credential(
    proxies: Proxies, logins: Server
) -> None:
    with database_with_stubs(logins) as database:
        proxy = proxies.start(logins.conninfo())
        call = "DO $$ BEGIN PERFORM pgclone_version(); END $$"
        postgres = Database(logins, "postgres")
        with connect(proxy, database.name, user="lg_scram", password=PASSWORD) as old:
            postgres.execute(f"ALTER ROLE lg_scram PASSWORD '{PASSWORD} 2'")
            try:
                with connect(proxy, database.name, user="lg_scram", password=f"{PASSWORD} 2") as new:
                    new.execute(call)
                    old.execute(call)
            finally:
                postgres.execute(f"ALTER ROLE lg_scram PASSWORD '{PASSWORD}'")
