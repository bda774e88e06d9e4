"""The widest table, the longest names, roles whose names look like conninfos, and options that would take for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clone_engine.records.names import quote_ident
from clone_engine.records.request import CloneRequest, Options
from proxy.launch import ProxyProcess
from tests.clone.serial import clone, contents, schema_definitions, schema_request, table_request
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import cloning

EVIL = "x host=evil port='1' \"\u200f"


def test_the_widest_table_with_dropped_columns(source_database: Database, target_database: Database) -> None:
    columns = ", ".join(f"c{number} int DEFAULT {number}" for number in range(1, 1601))
    dropped = ", ".join(f"DROP c{number}" for number in range(1, 1600, 200))
    source_database.execute(f"CREATE SCHEMA app; CREATE TABLE app.wide ({columns})")
    source_database.execute(f"ALTER TABLE app.wide {dropped}; INSERT INTO app.wide DEFAULT VALUES")
    clone(source_database, target_database, schema_request("app"))
    assert schema_definitions(target_database, "app") == schema_definitions(source_database, "app")
    assert contents(target_database, "app") == contents(source_database, "app")


def test_the_longest_name_moves_out_of_the_way_again_and_again(
    source_database: Database, target_database: Database
) -> None:
    name = "ж" * 31 + "x"  # 63 bytes
    source_database.execute(
        f"CREATE SCHEMA app; CREATE TABLE app.{name} (id int PRIMARY KEY); CREATE INDEX ON app.{name} (id)"
    )
    for number in range(4):
        source_database.execute(f"INSERT INTO app.{name} VALUES ({number})")
        clone(source_database, target_database, table_request("app", name, conflict="rename"))
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'"
    tables = [table for (table,) in target_database.rows(query)]
    counts = [target_database.value(f"SELECT count(*) FROM app.{quote_ident(table)}") for table in tables]
    assert sorted(counts) == [1, 2, 3, 4]
    assert all(len(table.encode()) <= 63 for table in tables)


def test_a_role_whose_name_looks_like_a_conninfo(
    proxy: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    """As the caller, as the user of the source, and as the owner of what is cloned."""
    role = quote_ident(EVIL)
    databases = (source_database, target_database)
    try:
        for database in databases:
            database.execute(f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {database.name} TO {role}")
        source_database.execute(f"CREATE SCHEMA app AUTHORIZATION {role}; CREATE TABLE app.t AS SELECT 1 AS id")
        source_database.execute(f"ALTER TABLE app.t OWNER TO {role}")
        with connect(proxy, target_database.name, user=EVIL) as caller:
            source = source_database.conninfo(user=EVIL)
            assert caller.execute("SELECT pgclone_schema(%s, 'app')", (source,)).fetchall() == [("OK",)]
        assert target_database.rows("SELECT tableowner, id FROM pg_tables, app.t WHERE tablename = 't'") == [(EVIL, 1)]
    finally:
        for database in databases:
            database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


ENDLESS: dict[str, dict[str, Any]] = {
    "a condition that sleeps": {"conditions": {"t": "pg_sleep(1e9) IS NULL"}},
    "a condition that counts for ever": {"conditions": {"t": "(SELECT count(*) FROM generate_series(1, 1e15)) > id"}},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_take_for_ever_is_cancelled_at_once(
    name: str, source_database: Database, target_database: Database, tmp_path: Path
) -> None:
    source_database.execute("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT 1 AS id")
    with cloning(source_database, target_database, tmp_path) as jobs:
        job = jobs.request(CloneRequest("schema", "app", options=Options(**ENDLESS[name])))
        copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database()"
        wait_until(lambda: source_database.value(copying), 20, "the copy")
        job.cancel()
        assert job.wait(10).status == "cancelled"
        jobs.assert_gone()
