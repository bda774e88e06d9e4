"""Passwords of sources: jobs go on with them after the proxy has died, and they are in clear nowhere.

A lock on the source's table holds a job where it is looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, fresh_database
from tests.harness.traces import of_processes, of_store
from tests.harness.waiting import wait_until

CANARY = "canary-62e9"
"""In the middle of each password, where no way of writing it down changes it."""
SOURCE_PASSWORD = f"sö%s 'q\" {CANARY}-source \\ %%"
TARGET_PASSWORD = f"tä%d \"q' {CANARY}-target : \\"
ROWS = 1000
READER, CLONER = "kept_reader", "kept_cloner"


def role(server: Server, name: str, password: str) -> None:
    with Database(server, "postgres").connect() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password))


@pytest.fixture
def source(scram_server: Server) -> Iterator[Database]:
    role(scram_server, READER, SOURCE_PASSWORD)
    with fresh_database(scram_server, "source") as database:
        database.execute(f"CREATE TABLE public.t AS SELECT generate_series(1, {ROWS}) AS id")
        database.execute(f"GRANT SELECT ON public.t TO {READER}")
        yield database


@pytest.fixture
def target(scram_server: Server) -> Iterator[Database]:
    role(scram_server, CLONER, TARGET_PASSWORD)
    with fresh_database(scram_server, "target") as database:
        database.execute(f"GRANT CREATE ON SCHEMA public TO {CLONER}")
        yield database


@pytest.fixture
def passfile(short_tmp: Path) -> str:
    escaped = TARGET_PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    path = short_tmp / "passfile"
    path.write_text(f"*:*:*:{CLONER}:{escaped}\n")
    path.chmod(0o600)
    return str(path)


@contextmanager
def held(proxy: ProxyProcess, source: Database, target: Database) -> Iterator[None]:
    """While the block runs, job 1 is at work that cannot end."""
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        with cloner(proxy, target) as connection:
            conninfo = source.conninfo(user=READER, password=SOURCE_PASSWORD)
            connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", (conninfo,))
        wait_until(lambda: jobs(proxy, target) == [(1, "running")], 30, "the job to run")
        yield


def cloner(proxy: ProxyProcess, target: Database) -> psycopg.Connection[tuple[object, ...]]:
    return connect(proxy, target.name, user=CLONER, password=TARGET_PASSWORD)


def jobs(proxy: ProxyProcess, target: Database) -> list[tuple[object, ...]]:
    with cloner(proxy, target) as connection:
        return connection.execute("SELECT job_id, status FROM pgclone_jobs_view ORDER BY job_id").fetchall()


def sealed(proxy: ProxyProcess) -> list[bytes]:
    """What the store has of passwords."""
    with closing(sqlite3.connect(f"file:{proxy.directory}/jobs.sqlite?mode=ro", uri=True)) as store:
        return [row[0] for row in store.execute("SELECT sealed FROM secret")]


def told(proxy: ProxyProcess, target: Database) -> str:
    """What clients and administrators of the server can see of the jobs."""
    with cloner(proxy, target) as connection:
        rows = connection.execute("SELECT v, pgclone_progress(job_id) FROM pgclone_jobs_view v").fetchall()
        rows += [(connection.execute("SELECT pgclone_jobs()").fetchone(),)]
        rows += connection.execute("SELECT o FROM pgclone_job_objects(1) o").fetchall()
    return f"{rows} {target.rows('SELECT * FROM pg_stat_activity')}"


def test_a_job_with_a_password_goes_on_after_a_crash_and_no_password_is_anywhere(
    proxies: Proxies, scram_server: Server, source: Database, target: Database, passfile: str
) -> None:
    proxy = proxies.start(scram_server.conninfo(), {"jobs": {"passfile": passfile}})
    seen, before = [], len(scram_server.log())  # which has the roles being made
    with held(proxy, source, target):
        (kept,) = sealed(proxy)
        assert kept in of_store(proxy)
        assert b"clone_engine" in of_processes(proxy.pid)
        seen += [of_store(proxy), of_processes(proxy.pid), told(proxy, target).encode()]
        proxy.kill()
    seen.append(of_store(proxy))
    proxy.start()
    ended = [(1, "failed"), (2, "completed")]
    wait_until(lambda: jobs(proxy, target) == ended, 30, "the new job to complete")
    assert target.value("SELECT count(*) FROM public.t") == ROWS
    wait_until(lambda: kept not in of_store(proxy), 30, "the sealed password to be erased")
    assert sealed(proxy) == []
    key = (proxy.directory / "jobs.sqlite.key").read_bytes().strip()
    assert key not in of_store(proxy)
    seen += [of_store(proxy), told(proxy, target).encode(), proxy.log().encode(), scram_server.log()[before:].encode()]
    assert [where for where, text in enumerate(seen) if CANARY.encode() in text] == []


def test_a_failed_job_is_resumed_after_a_restart_and_a_cleared_one_is_forgotten(
    proxies: Proxies, scram_server: Server, source: Database, target: Database, passfile: str
) -> None:
    proxy = proxies.start(scram_server.conninfo(), {"jobs": {"passfile": passfile}})
    with held(proxy, source, target), cloner(proxy, target) as connection:
        connection.execute("SELECT pgclone_cancel(1)")
    proxy.stop()
    proxy.start()
    with cloner(proxy, target) as connection:
        assert connection.execute("SELECT pgclone_resume(1)").fetchone() == (2,)
    wait_until(lambda: jobs(proxy, target) == [(1, "cancelled"), (2, "completed")], 30, "the new job to complete")
    with source.connect() as holder, cloner(proxy, target) as connection:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        conninfo = source.conninfo(user=READER, password=SOURCE_PASSWORD)
        connection.execute("SELECT pgclone_table_async(%s, 'public', 't', true, 'u')", (conninfo,))
        connection.execute("SELECT pgclone_cancel(3)")
        (kept,) = sealed(proxy)
        assert connection.execute("SELECT pgclone_clear_jobs()").fetchone() == (3,)
    assert sealed(proxy) == [] and kept not in of_store(proxy)


@pytest.mark.parametrize("how", ["key deleted", "keep_credentials = false"])
def test_without_the_key_the_job_is_there_and_its_password_is_not(
    proxies: Proxies, scram_server: Server, source: Database, target: Database, passfile: str, how: str
) -> None:
    proxy = proxies.start(scram_server.conninfo(), {"jobs": {"passfile": passfile}})
    with held(proxy, source, target):
        proxy.kill()
    if how == "key deleted":
        (proxy.directory / "jobs.sqlite.key").unlink()
        proxy.start()
        assert "sealed password cannot be opened" in proxy.log()
    else:
        store = str(proxy.directory / "jobs.sqlite")
        other = proxies.start(
            scram_server.conninfo(), {"jobs": {"passfile": passfile, "store": store, "keep_credentials": False}}
        )
        assert sealed(proxy) == []
        proxy = other
    assert jobs(proxy, target) == [(1, "failed")]
    with cloner(proxy, target) as connection:
        error = connection.execute("SELECT error_message FROM pgclone_jobs_view").fetchone()
        assert "its source password is lost" in str(error)
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification, match="no longer known") as refused:
            connection.execute("SELECT pgclone_resume(1)")
    assert refused.value.diag.message_hint


def test_a_key_that_others_can_read_is_refused(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo())
    proxy.stop()
    (proxy.directory / "jobs.sqlite.key").chmod(0o640)
    with pytest.raises(Exception, match="did not start"):
        proxy.start()
    assert "key file" in proxy.log() and "chmod 600" in proxy.log()


def test_a_password_that_the_source_refuses_is_in_no_error(
    proxies: Proxies, scram_server: Server, source: Database, target: Database, passfile: str
) -> None:
    proxy = proxies.start(scram_server.conninfo(), {"jobs": {"passfile": passfile}})
    before = len(scram_server.log())
    with cloner(proxy, target) as connection:
        conninfo = source.conninfo(user=READER, password=f"wrong {SOURCE_PASSWORD}")
        with pytest.raises(psycopg.Error, match="password authentication failed") as refused:
            connection.execute("SELECT pgclone_table(%s, 'public', 't')", (conninfo,))
        diag = refused.value.diag
        said = f"{diag.message_primary} {diag.message_detail} {diag.message_hint} {diag.context}"
    assert CANARY not in said + told(proxy, target) + proxy.log() + scram_server.log()[before:]
    assert CANARY.encode() not in of_store(proxy)
