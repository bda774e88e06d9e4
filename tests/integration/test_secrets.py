"""A password in a call's conninfo does not reach the target server: not its log, not pg_stat_activity."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.clients import SqlClient
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

CANARY = "canary-51c0"
CONNINFO = f"host=127.0.0.1 port=1 user=reader password={CANARY}"

CALLS = {
    "constant": (f"SELECT pgclone_schema_async('{CONNINFO}', 'marker')", ()),
    "constant with a cast": (f"SELECT pgclone.schema_async('{CONNINFO}'::text, 'marker')", ()),
    "constant of a type": (f"SELECT pgclone_schema_async((varchar '{CONNINFO}')::text COLLATE \"C\", 'marker')", ()),
    "constant with escapes": (f"SELECT pgclone_schema_async(U&'{CONNINFO}!0020' UESCAPE '!', 'marker')", ()),
    "named": (f"SELECT pgclone_schema_async(schema_name => 'marker', source_conninfo => '{CONNINFO}')", ()),
    "in FROM": (f"SELECT * FROM pgclone_schema_async('{CONNINFO}', 'marker') AS j", ()),
    "parameter": ("SELECT pgclone_schema_async($1, $2)", (CONNINFO, "marker")),
    "parameter with a cast": ("SELECT pgclone_table_async($1::text, 'marker', $2)", (CONNINFO, "t")),
    "explained": (f"EXPLAIN SELECT pgclone_schema_async('{CONNINFO}', 'marker')", ()),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_target_s_log_has_the_call_and_not_the_password(
    client: SqlClient, server: Server, proxy: ProxyProcess, name: str
) -> None:
    sql, values = CALLS[name]
    marker = f"m{uuid4().hex}"
    client.rows(sql.replace("marker", marker), *(value.replace("marker", marker) for value in values))
    log = wait_until(lambda: text if marker in (text := server.log()) else "", 10, "the server's log")
    assert CANARY not in log
    assert CANARY not in proxy.log()


def test_the_password_arrives_where_it_is_needed(
    client: SqlClient, scram_server: Server, target_database: Database
) -> None:
    source = Database(scram_server, "postgres")
    source.execute("DROP TABLE IF EXISTS public.secret_t; CREATE TABLE public.secret_t AS SELECT 1 AS a")
    for sql, values in (
        (f"SELECT pgclone_table_async('{quoted(source.conninfo())}', 'public', 'secret_t', true, 'one')", ()),
        ("SELECT pgclone_table_async($1, 'public', 'secret_t', true, 'two')", (source.conninfo(),)),
    ):
        ((job,),) = client.rows(sql, *values)
        statement = f"SELECT status, error_message FROM pgclone_jobs_view WHERE job_id = {job}"
        wait_until(lambda s=statement: client.rows(s)[0][0] not in ("pending", "running"), 30)
        assert client.rows(statement) == [("completed", None)]
    assert target_database.rows("SELECT * FROM one UNION ALL SELECT * FROM two") == [(1,), (1,)]


def quoted(text: str) -> str:
    return text.replace("'", "''")


def test_statements_prepared_in_sql(proxy: ProxyProcess, server: Server) -> None:
    with connect(proxy) as connection:
        connection.execute("PREPARE p AS SELECT pgclone_schema_async($1, $2)")
        connection.execute(f"EXECUTE p('{CONNINFO}', 'in_execute')".encode())
        connection.execute(f"PREPARE q AS SELECT pgclone_schema_async('{CONNINFO}', $1)".encode())
        connection.execute("EXECUTE q('in_prepare')")
        found = connection.execute(
            "SELECT count(*) FROM pgclone_jobs_view WHERE schema_name IN ('in_execute', 'in_prepare')"
        ).fetchone()
    assert found == (2,)
    log = wait_until(lambda: text if "in_prepare" in (text := server.log()) else "", 10, "the server's log")
    assert CANARY not in log


def test_a_parameter_that_is_shown_as_well_stays_what_it_is(proxy: ProxyProcess) -> None:
    with psycopg.connect(
        proxy.conninfo(user=SUPERUSER), autocommit=True, cursor_factory=psycopg.RawCursor
    ) as connection:
        row = connection.execute("SELECT $1::text, pgclone_schema_async($1, 's')", ["host=127.0.0.1 port=1"]).fetchone()
    assert row is not None
    assert row[0] == "host=127.0.0.1 port=1"
