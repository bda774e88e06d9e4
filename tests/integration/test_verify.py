"""pgclone_verify: counts on both sides, with each client; rights, errors and cancelling, on real servers."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.clients import SqlClient, SqlError
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import under_way, wait_until

BOTH = """
CREATE SCHEMA s; CREATE SCHEMA "pgb-oss";
CREATE TABLE s.same AS SELECT generate_series(1, 1000);
CREATE TABLE s."less ""here" AS SELECT generate_series(1, 5) AS i;
CREATE TABLE s.parts (i int) PARTITION BY RANGE (i);
CREATE TABLE s.parts_1 PARTITION OF s.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE s.parts_2 PARTITION OF s.parts FOR VALUES FROM (10) TO (20);
INSERT INTO s.parts SELECT generate_series(1, 15);
CREATE TABLE s.parent (i int); CREATE TABLE s.child () INHERITS (s.parent); INSERT INTO s.child VALUES (1), (2);
CREATE TABLE "pgb-oss".jobs ();
"""
SOURCE = "CREATE TABLE s.absent AS SELECT 1; CREATE TABLE s.seen AS SELECT 1"
TARGET = """
DELETE FROM s."less ""here" WHERE i > 3; CREATE TABLE s.extra AS SELECT 1; CREATE VIEW s.seen AS SELECT 1;
"""
FOUND = [
    ("s", "absent", "1", "0", "✗ (missing)"),
    ("s", "child", "2", "2", "✓"),
    ("s", 'less "here', "5", "3", "✗"),
    ("s", "parent", "0", "0", "✓"),
    ("s", "parts", "15", "15", "✓"),
    ("s", "parts_1", "9", "9", "✓"),
    ("s", "parts_2", "6", "6", "✓"),
    ("s", "same", "1000", "1000", "✓"),
    ("s", "seen", "1", "0", "✗ (missing)"),
]
BACKENDS = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgclone: verify'"


@pytest.fixture
def conninfo(source_database: Database, target_database: Database) -> str:
    source_database.execute(BOTH + SOURCE)
    target_database.execute(BOTH + TARGET)
    return source_database.conninfo()


def test_a_schema(client: SqlClient, conninfo: str) -> None:
    assert client.rows("SELECT * FROM pgclone_verify($1, 's')", conninfo) == FOUND


def test_all_schemas_and_a_filter(client: SqlClient, conninfo: str) -> None:
    rows = client.rows("SELECT * FROM pgclone.verify($1)", conninfo)
    assert rows == [("pgb-oss", "jobs", "0", "0", "✓"), *FOUND]
    different = "SELECT table_name FROM pgclone_verify($1) WHERE match <> '✓' ORDER BY 1"
    assert client.rows(different, conninfo) == [("absent",), ('less "here',), ("seen",)]


def test_no_rows_for_null_and_for_an_empty_schema(client: SqlClient, conninfo: str, source_database: Database) -> None:
    source_database.execute("CREATE SCHEMA nothing")
    assert client.rows("SELECT * FROM pgclone_verify($1, NULL)", conninfo) == []
    assert client.rows("SELECT * FROM pgclone_verify($1, 'nothing')", conninfo) == []


def test_a_schema_that_is_not_there_is_an_error(client: SqlClient, conninfo: str) -> None:
    with pytest.raises(SqlError, match='schema "nosuch" does not exist on the source') as refused:
        client.rows("SELECT * FROM pgclone_verify($1, 'nosuch')", conninfo)
    assert refused.value.sqlstate == "3F000" and refused.value.hint


def test_an_unreachable_source(client: SqlClient) -> None:
    with pytest.raises(SqlError, match=r"could not connect to source.*Connection refused") as refused:
        client.rows("SELECT * FROM pgclone_verify('host=127.0.0.1 port=1 user=u password=canary')")
    assert refused.value.sqlstate == "08001" and refused.value.hint
    assert "canary" not in str(refused.value) + refused.value.detail + refused.value.hint


def test_it_may_be_asked_in_a_read_only_transaction(
    proxy: ProxyProcess, conninfo: str, target_database: Database
) -> None:
    with connect(proxy, target_database.name) as connection:
        connection.execute("BEGIN READ ONLY")
        query = "SELECT count(*) FROM pgclone_verify(%s, 's')"
        assert connection.execute(query, [conninfo]).fetchone() == (len(FOUND),)


@pytest.mark.parametrize("side", ["source", "target"])
def test_without_rights_on_a_table(
    proxy: ProxyProcess, conninfo: str, source_database: Database, target_database: Database, side: str
) -> None:
    other = {"source": target_database, "target": source_database}[side]
    for database in (source_database, target_database):
        database.execute("CREATE ROLE verifier LOGIN; GRANT USAGE ON SCHEMA s TO verifier")
    other.execute("GRANT SELECT ON ALL TABLES IN SCHEMA s TO verifier")
    with connect(proxy, target_database.name, user="verifier") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied for table") as refused:
            connection.execute("SELECT * FROM pgclone_verify(%s, 's')", [as_verifier(conninfo)])
        assert f"being counted on the {side}" in (refused.value.diag.message_detail or "")
    for database in (source_database, target_database):
        database.execute("DROP OWNED BY verifier; DROP ROLE verifier")


def as_verifier(conninfo: str) -> str:
    changed = conninfo.replace(f"user={SUPERUSER}", "user=verifier")
    assert changed != conninfo
    return changed


def test_rows_that_a_policy_hides_are_an_error_and_no_difference(
    proxy: ProxyProcess, conninfo: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(
        "CREATE ROLE verifier LOGIN; GRANT USAGE ON SCHEMA s TO verifier;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA s TO verifier; ALTER TABLE s.same ENABLE ROW LEVEL SECURITY"
    )
    with connect(proxy, target_database.name) as connection, pytest.raises(psycopg.Error, match="row-level security"):
        connection.execute("SELECT * FROM pgclone_verify(%s, 's')", [as_verifier(conninfo)])
    source_database.execute("DROP OWNED BY verifier; DROP ROLE verifier")


@pytest.mark.parametrize("held", ["source", "target"])
def test_a_cancel_request_ends_what_both_servers_do(
    proxy: ProxyProcess, conninfo: str, source_database: Database, target_database: Database, held: str
) -> None:
    database = {"source": source_database, "target": target_database}[held]
    query = f"SELECT * FROM pgclone_verify('{conninfo}', 's')"
    with database.connect() as holder, connect(proxy, target_database.name) as connection:
        holder.execute("BEGIN; LOCK TABLE s.same IN ACCESS EXCLUSIVE MODE")
        with under_way(lambda: connection.execute(query.encode())) as answer:
            wait_until(lambda: database.rows(f"{BACKENDS} AND wait_event_type = 'Lock'"), 20, "the count to wait")
            connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                answer.result(20)
        for side in (source_database, target_database):
            wait_until(lambda side=side: not side.rows(BACKENDS), 20, "the connections to end")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_database_without_the_signs_of_the_match(proxies: Proxies, server: Server, source_database: Database) -> None:
    source_database.execute("CREATE SCHEMA s; CREATE TABLE s.t ()")
    proxy = proxies.start(server.conninfo())
    postgres = Database(server, "postgres")
    postgres.execute("CREATE DATABASE signs ENCODING LATIN1 TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with connect(proxy, "signs") as connection:
        query = "SELECT match FROM pgclone_verify(%s)"
        assert connection.execute(query, [source_database.conninfo()]).fetchall() == [("- (missing)",)]
    postgres.execute("DROP DATABASE signs WITH (FORCE)")
