"""With which credential a job logs in to the target: none, the passfile's, or a refusal that says what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, fresh_database
from tests.harness.waiting import wait_until
from tests.harness.wire import query

CANARY = "canary-7f3a"
RELAY = {"auth": {"mode": "relay"}}  # in which the proxy does not learn the session's own credential
SOURCE = "CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t SELECT generate_series(1, 10)"


def submit(proxy: ProxyProcess, source: Database, dbname: str, user: str, password: str) -> tuple[str, str | None]:
    """Clones public.t as `user`; status and error of the job."""
    with connect(proxy, dbname, user=user, password=password) as connection:
        row = connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", [source.conninfo()]).fetchone()
        assert row is not None

        def ended() -> tuple[str, str | None] | None:
            found = connection.execute(
                "SELECT status, error_message FROM pgclone_jobs_view WHERE job_id = %s", row
            ).fetchone()
            assert found is not None
            return found if found[0] not in ("pending", "running") else None

        return wait_until(ended, 30)


@pytest.fixture
def role(scram_server: Server) -> str:
    """An ordinary role that has to give a password."""
    postgres = Database(scram_server, "postgres")
    postgres.execute(f"DROP ROLE IF EXISTS cloner; CREATE ROLE cloner LOGIN PASSWORD '{CANARY}'; ")
    return "cloner"


def passfile(directory: Path, line: str) -> str:
    path = directory / "passfile"
    path.write_text(line + "\n")
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("line", [None, "*:*:*:somebody_else:secret"], ids=["no passfile", "no line in it"])
def test_a_role_without_a_line_in_the_passfile_is_refused(
    proxies: Proxies, short_tmp: Path, scram_server: Server, role: str, source_database: Database, line: str | None
) -> None:
    source_database.execute(SOURCE)
    file = passfile(short_tmp, line) if line else ""
    proxy = proxies.start(scram_server.conninfo(), {**RELAY, "jobs": {"passfile": file}})
    with connect(proxy, user=role, password=CANARY) as connection:
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as refused:
            connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", [source_database.conninfo()])
        assert "passfile" in (refused.value.diag.message_hint or "")
        assert connection.execute("SELECT count(*) FROM pgclone_jobs_view").fetchone() == (0,)
    assert CANARY not in proxy.log()


def test_the_passfile_s_password_is_used(
    proxies: Proxies, short_tmp: Path, scram_server: Server, role: str, source_database: Database
) -> None:
    source_database.execute(SOURCE)
    file = passfile(short_tmp, f"*:*:*:{role}:{CANARY}")
    proxy = proxies.start(scram_server.conninfo(), {**RELAY, "jobs": {"passfile": file}})
    with fresh_database(scram_server) as target:
        target.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        assert submit(proxy, source_database, target.name, role, CANARY) == ("completed", None)
        assert target.rows(
            "SELECT count(*), min(relowner::regrole::text) FROM public.t, pg_class WHERE relname = 't'"
        ) == [(10, role)]
    stored = b"".join(path.read_bytes() for path in proxy.directory.glob("jobs.sqlite*") if path.is_file())
    assert CANARY.encode() not in stored
    assert CANARY not in proxy.log()


def test_a_wrong_password_in_the_passfile_is_said(
    proxies: Proxies, short_tmp: Path, scram_server: Server, role: str, source_database: Database
) -> None:
    file = passfile(short_tmp, f"*:*:*:{role}:wrong-{CANARY}")
    proxy = proxies.start(scram_server.conninfo(), {**RELAY, "jobs": {"passfile": file}})
    with connect(proxy, user=role, password=CANARY) as connection:
        with pytest.raises(psycopg.Error, match="password authentication failed") as refused:
            connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", [source_database.conninfo()])
        assert refused.value.sqlstate == "28P01"
        assert f"wrong-{CANARY}" not in str(refused.value)
        assert file not in str(refused.value)


def test_a_job_has_the_caller_s_rights_and_no_more(proxies: Proxies, server: Server, source_database: Database) -> None:
    source_database.execute(SOURCE)
    proxy = proxies.start(server.conninfo())
    with fresh_database(server) as target:
        target.execute(
            "DROP ROLE IF EXISTS plain, another; CREATE ROLE plain LOGIN; CREATE ROLE another LOGIN;"
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        )
        status, error = submit(proxy, source_database, target.name, "plain", "")
        assert status == "failed"
        assert "the role may create nothing" in (error or "")
        with connect(proxy, target.name, user="another") as other:
            # Another role's job does not exist for this one.
            assert other.execute("SELECT count(*) FROM pgclone_jobs_view").fetchone() == (0,)
            with pytest.raises(psycopg.Error) as refused:
                other.execute("SELECT pgclone_cancel(1)")
            assert refused.value.sqlstate == "P0002"


def test_role_names_are_bytes_that_stay_apart(proxies: Proxies, server: Server) -> None:
    # Two names that differ only in bytes which are not UTF-8 must not become one principal.
    proxy = proxies.start(server.conninfo())
    postgres = Database(server, "postgres")
    postgres.execute("CREATE DATABASE bytes ENCODING SQL_ASCII TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with psycopg.connect(Database(server, "bytes").conninfo(), autocommit=True) as admin:
        admin.execute(b'CREATE ROLE "r\xe9" LOGIN')
        with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
            client.sendall(startup_of(b"r\xe9", b"bytes"))
            client.sendall(query("SELECT pgclone_schema_async('host=127.0.0.1 port=1', 's')"))
            said = b""
            while b"C28000\0" not in said and (more := client.recv(4096)):
                said += more
        assert b"not valid UTF-8" in said
        admin.execute(b'DROP ROLE "r\xe9"')
    postgres.execute("DROP DATABASE bytes WITH (FORCE)")


def startup_of(user: bytes, database: bytes) -> bytes:
    """A StartupMessage whose names may be any bytes."""
    body = (196608).to_bytes(4, "big") + b"user\0" + user + b"\0database\0" + database + b"\0\0"
    return (len(body) + 4).to_bytes(4, "big") + body
