"""A source's password, however it is given and whatever becomes of the job, is where it is used and nowhere else.

Both servers log every statement and connection, the proxy logs at level debug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.traces import of_processes, of_store
from tests.harness.waiting import wait_until

READER = "canary_reader"
TALKATIVE = {"log_statement": "all", "log_connections": "on", "log_min_duration_statement": "0"}
ROWS = 100
READ_BY_PG_DUMP = "pg_transform"
"""A catalogue that nothing else of a clone reads: who locks it can look at pg_dump for as long as he wants."""


class Given:
    """A way to give a password: what the call says, what the configuration says, and the proxy's environment."""

    def __init__(self, source: Database, password: str, file: Path) -> None:
        self.reached = {"host": "127.0.0.1", "port": str(source.server.port), "dbname": source.name, "user": READER}
        self.password = password
        self.file = file
        self.sections: dict[str, Any] = {}
        self.environment: dict[str, str] = {}
        self.conninfo = "prod"

    def keywords(self) -> None:
        self.conninfo = make_conninfo(**self.reached, password=self.password)

    def uri(self) -> None:
        place = "{host}:{port}/{dbname}".format(**self.reached)
        self.conninfo = f"postgresql://{READER}:{quote(self.password, safe='')}@{place}"

    def named(self) -> None:
        self._name(conninfo=make_conninfo(**self.reached, password=self.password))

    def named_with_file(self) -> None:
        self.file.touch(mode=0o600)
        self.file.write_text(self.password)
        self._name(conninfo=make_conninfo(**self.reached), password_file=str(self.file))

    def named_with_environment(self) -> None:
        self._name(conninfo=make_conninfo(**self.reached))
        self.environment["PGCLONE_PROXY_SOURCE_PROD_PASSWORD"] = self.password

    def _name(self, **settings: str) -> None:
        self.sections["source.prod"] = settings


WAYS: dict[str, Callable[[Given], None]] = {
    "keywords": Given.keywords,
    "uri": Given.uri,
    "named": Given.named,
    "named, in a file": Given.named_with_file,
    "named, in the environment": Given.named_with_environment,
}


@pytest.fixture(scope="module")
def source_of_canaries(servers: Servers) -> Server:
    return servers.get(auth="scram-sha-256", settings=TALKATIVE)


@pytest.fixture(scope="module")
def target_of_canaries(servers: Servers) -> Server:
    return servers.get(name="canary target", settings=TALKATIVE)


@pytest.fixture
def canary() -> str:
    """In the middle of each password, where no way of writing it down changes it."""
    return f"canary-{uuid4().hex}"


@pytest.fixture
def password(canary: str, source_of_canaries: Server) -> str:
    """READER's."""
    password = f"p@ss/' {canary} \\ :%"
    with Database(source_of_canaries, "postgres").connect() as connection:
        connection.execute("SET log_statement = 'none'; SET log_min_duration_statement = -1")
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone():
            connection.execute(f"CREATE ROLE {READER} LOGIN".encode())
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(READER), password))
    return password


@pytest.fixture
def source(source_of_canaries: Server, password: str) -> Iterator[Database]:
    """READER, whose password it is, can read there."""
    with fresh_database(source_of_canaries, "source") as database:
        database.execute(f"CREATE TABLE public.t AS SELECT generate_series(1, {ROWS}) AS id")
        database.execute(f"GRANT SELECT ON public.t TO {READER}")
        yield database


@pytest.fixture
def target(target_of_canaries: Server) -> Iterator[Database]:
    with fresh_database(target_of_canaries, "target") as database:
        yield database


@pytest.mark.parametrize("way", WAYS)
def test_no_trace_of_the_password(
    proxies: Proxies, source: Database, target: Database, canary: str, password: str, short_tmp: Path, way: str
) -> None:
    given = Given(source, password, short_tmp / "password")
    WAYS[way](given)
    proxy = proxies.start(target.server.conninfo(), given.sections, **given.environment)
    traces: dict[str, Any] = {}

    with source.connect() as holder:
        holder.execute(f"BEGIN; LOCK TABLE {READ_BY_PG_DUMP} IN ACCESS EXCLUSIVE MODE".encode())
        start(proxy, target, given.conninfo)
        wait_until(lambda: pg_dump_waits(source), 30, "pg_dump to wait for the lock")
        traces["activity"] = [server.rows("SELECT * FROM pg_stat_activity") for server in (source, target)]
        traces["processes"] = of_processes(proxy.pid, and_itself=not given.environment)
        assert b"pg_dump" in traces["processes"]
        traces["store while it runs"] = of_store(proxy)
        proxy.kill()
    proxy.start()
    wait_until(lambda: states(proxy, target) == ["failed", "completed"], 30, "the job to go on")
    assert target.value("SELECT count(*) FROM public.t") == ROWS

    traces["error of a call"] = failing(proxy, target, given.conninfo)  # the table is there
    target.execute("DROP TABLE public.t")
    with connect(proxy, target.name) as connection:
        assert connection.execute("SELECT pgclone_resume(3)").fetchone() == (4,)
        wait_until(lambda: states(proxy, target)[3:] == ["completed"], 30, "the resumed job")
        assert connection.execute("SELECT * FROM pgclone_verify(%s)", (given.conninfo,)).fetchall()
    forget(source)
    traces["error of a login"] = failing(proxy, target, given.conninfo)
    traces["error of a verification"] = failing(proxy, target, given.conninfo, "SELECT * FROM pgclone_verify(%s)")

    traces["what clients see"] = seen(proxy, target)
    traces["store"] = of_store(proxy)
    proxy.stop()
    traces["store of a proxy that has stopped"] = of_store(proxy)
    traces["log of the proxy"] = proxy.log()
    traces["log of the source"] = source.server.log()
    traces["log of the target"] = target.server.log()
    assert source.name in traces["log of the source"] and target.name in traces["log of the target"]
    assert [where for where, trace in traces.items() if canary in said(trace)] == []


def test_where_it_is_looked_for_other_words_of_the_conninfo_are(
    proxies: Proxies, source: Database, target: Database, password: str, short_tmp: Path
) -> None:
    given = Given(source, password, short_tmp / "password")
    given.reached["application_name"] = word = f"word-{uuid4().hex}"
    given.keywords()
    proxy = proxies.start(target.server.conninfo())
    with connect(proxy, target.name) as connection:
        connection.execute("SELECT pgclone_table(%s, 'public', 't')", (given.conninfo,))
    for where in (of_store(proxy), proxy.log(), source.server.log()):
        assert word in said(where)


def start(proxy: ProxyProcess, target: Database, conninfo: str) -> None:
    call = "SELECT pgclone_table_async({}, 'public', 't')"
    with connect(proxy, target.name) as connection:
        connection.execute(sql.SQL(call).format(sql.Literal(conninfo)))


def pg_dump_waits(source: Database) -> bool:
    waits = f"wait_event_type = 'Lock' AND query LIKE '%{READ_BY_PG_DUMP}%'"
    return bool(source.rows(f"SELECT FROM pg_stat_activity WHERE {waits}"))


def failing(proxy: ProxyProcess, target: Database, conninfo: str, statement: str = "") -> str:
    with connect(proxy, target.name) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute((statement or "SELECT pgclone_table(%s, 'public', 't')").encode(), (conninfo,))
    diag = refused.value.diag
    return f"{diag.message_primary} {diag.message_detail} {diag.message_hint} {diag.context}"


def forget(source: Database) -> None:
    """The password is another one now."""
    source.execute(f"ALTER ROLE {READER} PASSWORD 'another'")


def states(proxy: ProxyProcess, target: Database) -> list[str]:
    with connect(proxy, target.name) as connection:
        return [row[0] for row in connection.execute("SELECT status FROM pgclone_jobs_view ORDER BY job_id")]


def seen(proxy: ProxyProcess, target: Database) -> list[Any]:
    with connect(proxy, target.name) as connection:
        rows = connection.execute("SELECT v, pgclone_progress(job_id) FROM pgclone_jobs_view v").fetchall()
        for number in range(1, len(rows) + 1):
            rows += connection.execute(f"SELECT o FROM pgclone_job_objects({number}) o".encode()).fetchall()
    return rows


def said(trace: Any) -> str:
    return trace.decode(errors="replace") if isinstance(trace, bytes) else str(trace)
