"""The job process as the manager starts it, with its own planner: whole clones, and cancels while pg_dump runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from clone_engine.records.channel import Advanced, Reported
from clone_engine.records.request import CloneRequest, Options
from proxy.embedded import Server
from tests.harness.compare import assert_same_schema
from tests.harness.processes import descendants
from tests.harness.servers import PASSWORD, Database, fresh_database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, JobRun, as_conninfo, cloning
from tests.integration.shop import BIG_ROWS, CONTENTS, SHOP

MORE = """
CREATE TYPE shop.state AS ENUM ('new', 'paid');
CREATE TABLE shop.items (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int REFERENCES shop.customers,
    state shop.state DEFAULT 'new',
    price numeric(10, 2) CHECK (price >= 0),
    double numeric GENERATED ALWAYS AS (price * 2) STORED
);
INSERT INTO shop.items (customer, price) SELECT 1 + i % 1000, i / 7.0 FROM generate_series(1, 5000) i;
CREATE INDEX orders_customer ON shop.orders (customer);
CREATE VIEW shop.sums AS SELECT customer, sum(price) FROM shop.items GROUP BY customer;
CREATE MATERIALIZED VIEW shop.totals AS SELECT * FROM shop.sums;
CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''stamped''; RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();
ANALYZE;
"""
SCHEMA = CloneRequest("schema", "shop")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(SHOP + MORE)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_schema_arrives(clone: Clone, parallel: int) -> None:
    job = clone.request(SCHEMA, parallel)
    ended = job.wait()
    assert (ended.status, ended.error) == ("completed", "")
    assert_same_schema(clone.source, clone.target, "shop")
    progress = job.all(Advanced)[-1].progress
    assert (progress.tables_total, progress.tables_completed, progress.pct_complete) == (4, 4, 100.0)
    assert progress.rows_copied == BIG_ROWS + 1000 + 5000
    assert job.errors() == ""
    clone.assert_gone()


def test_a_structure_arrives_without_rows(clone: Clone) -> None:
    job = clone.request(CloneRequest("schema", "shop", include_data=False), 2)
    assert job.wait().error == ""
    assert clone.target.value("SELECT count(*) FROM shop.orders") == 0
    progress = job.all(Advanced)[-1].progress
    assert (progress.tables_total, progress.tables_completed) == (4, 4)


def test_a_failed_replace_leaves_the_old_table_and_is_resumed_from_the_start(clone: Clone) -> None:
    """A resumed job must not take what was built in the dropped staging schema for done, nor empty the old table."""
    clone.target.execute("CREATE SCHEMA shop; CREATE TABLE shop.nothing AS SELECT 7 AS a")
    clone.source.execute("INSERT INTO shop.nothing VALUES (1), (2)")
    request = CloneRequest("table", "shop", "nothing", options=Options(conflict="replace"))
    with clone.target.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM shop.nothing")
        first = clone.request(request)
        wait_until(lambda: waits_for_a_lock(clone.target), 20, "the swap to wait")
        first.cancel()
        assert first.wait().status == "cancelled"
    assert clone.target.rows("SELECT * FROM shop.nothing") == [(7,)]
    assert clone.target.value("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pgclone%'") == 0
    second = clone.request(request, after=first)
    assert second.wait().error == ""
    assert clone.target.rows("SELECT a FROM shop.nothing ORDER BY a") == [(1,), (2,)]


@pytest.mark.parametrize("conflict", ["error", "skip"])
def test_a_resumed_job_empties_no_table_that_its_forerunner_did_not_make(
    clone: Clone, conflict: Literal["error", "skip"]
) -> None:
    """The first job's definitions are rolled back; what somebody else makes then is not taken for the job's own."""
    clone.target.execute(
        "CREATE FUNCTION public.no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';"
        " CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('CREATE TYPE') EXECUTE FUNCTION public.no()"
    )
    request = CloneRequest("schema", "shop", options=Options(conflict=conflict))
    first = clone.request(request)
    assert first.wait().sqlstate == "P0001"
    clone.target.execute("DROP EVENT TRIGGER no; CREATE SCHEMA shop; CREATE TABLE shop.nothing AS SELECT 7 AS a")
    second = clone.request(request, after=first)
    assert second.wait().sqlstate == {"error": "42P07", "skip": ""}[conflict]
    assert clone.target.rows("SELECT * FROM shop.nothing") == [(7,)]


def test_a_resumed_replace_drops_what_the_killed_job_left(clone: Clone) -> None:
    clone.target.execute("CREATE SCHEMA shop; CREATE TABLE shop.nothing AS SELECT 7 AS a")
    request = CloneRequest("table", "shop", "nothing", options=Options(conflict="replace"))
    staging = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%' ORDER BY nspname"
    with clone.target.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM shop.nothing")
        first = clone.request(request)
        wait_until(lambda: waits_for_a_lock(clone.target), 20, "the swap to wait")
        first.process.kill()
        clone.assert_gone()
    assert clone.target.rows(staging) == [(first.name,), (f"{first.name}_new",)]
    assert clone.request(request, after=first).wait().error == ""
    assert clone.target.rows(staging) == []


def test_a_replace_that_fails_leaves_the_old_tables(clone: Clone) -> None:
    """Guards against foreign keys that were made only when the old tables were gone."""
    clone.source.execute("ALTER TABLE shop.items ADD above int, ADD FOREIGN KEY (above) REFERENCES shop.items")
    clone.source.execute("SET session_replication_role = replica; UPDATE shop.items SET above = -1")
    clone.target.execute("CREATE SCHEMA shop; CREATE TABLE shop.nothing AS SELECT 7 AS a")
    job = clone.request(CloneRequest("schema", "shop", options=Options(conflict="replace")))
    ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "23503")
    assert "foreign key items_above_fkey on shop.items: " in ended.error
    assert clone.target.rows("SELECT * FROM shop.nothing") == [(7,)]
    assert clone.target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'") == []
    assert clone.target.rows("SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace") == [("nothing",)]


def test_two_replaces_of_one_schema_define_things_in_turn(clone: Clone) -> None:
    """Guards against "tuple concurrently updated", when two jobs replace a routine at once."""
    clone.source.execute("CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    clone.request(SCHEMA, 2).wait()
    request = CloneRequest("schema", "shop", options=Options(conflict="replace"))
    with clone.target.connect() as other:
        other.execute("BEGIN")
        other.execute("CREATE OR REPLACE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'SELECT 2'")
        jobs = [clone.request(request, 1), clone.request(request, 1)]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: clone.target.value(waiting) == 1, 30, "one of the jobs to wait for the other")
        other.execute("ROLLBACK")
    assert [job.wait().error for job in jobs] == ["", ""]
    assert_same_schema(clone.source, clone.target, "shop")


@pytest.fixture
def limited(clone: Clone) -> Iterator[str]:
    """A role of both servers that may open four connections."""
    role = "limited"
    for database in (clone.source, clone.target):
        database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 4; GRANT pg_read_all_data TO {role}")
        database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    yield role
    for database in (clone.source, clone.target):
        database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.mark.parametrize("side", ["source", "target"])
def test_more_copiers_than_a_server_has_connections_for(clone: Clone, limited: str, side: str) -> None:
    """Those that find a connection do it all, and the report says once that they are fewer."""
    job = clone.request(SCHEMA, 8, **{side: as_conninfo(getattr(clone, side), user=limited)})
    assert job.wait().error == ""
    for table in ("orders", "customers", "items", "totals"):
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))
    (said,) = [m.outcome for m in job.all(Reported) if m.outcome.object == "option parallel"]
    assert (said.result, said.sqlstate) == ("skipped", "53300")
    assert "fewer than 8 copiers" in said.message


def waits_for_a_lock(database: Database) -> bool:
    return bool(database.value(WAITING))


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_pg_dump_ends_with_the_job(clone: Clone, how: str) -> None:
    """pg_dump waits for a lock on what only it reads: its server process goes too, before the lock is free.

    The catalog is one that servers keep no cache of, else new connections could wait for the lock as well.
    """
    with clone.source.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE pg_catalog.pg_init_privs")
        job = clone.request(SCHEMA, 2)
        wait_until(lambda: waits_for_a_lock(clone.source), 20, "pg_dump to wait")
        assert len(descendants(job.process.pid)) == 3  # two copiers and pg_dump
        if how == "cancel":
            job.cancel()
            assert job.wait(10).status == "cancelled"
        else:
            job.process.kill()
        wait_until(lambda: not waits_for_a_lock(clone.source), 10, "the end of pg_dump's server process")
        clone.assert_gone()


def test_a_pg_dump_that_began_with_too_little_gives_way(clone: Clone) -> None:
    """It begins before it is known what the schema needs elsewhere."""
    clone.source.execute("CREATE SCHEMA elsewhere; CREATE TYPE elsewhere.size AS ENUM ('S', 'M')")
    clone.source.execute("ALTER TABLE shop.items ADD size elsewhere.size DEFAULT 'M'")
    with clone.source.connect() as blocker:
        blocker.execute("BEGIN")
        blocker.execute("LOCK TABLE pg_catalog.pg_init_privs")
        job = clone.request(SCHEMA, 2)
        wait_until(lambda: any("elsewhere" in words for words in dumping(job)), 20, "the second pg_dump")
        wait_until(lambda: len(dumping(job)) == 1, 20, "the end of the first")
        wait_until(lambda: clone.source.value(WAITING) == 1, 20, "the second one to wait, and no other")
        blocker.execute("ROLLBACK")
        assert job.wait().error == ""
    assert_same_schema(clone.source, clone.target, "shop")
    clone.assert_gone()


def dumping(job: JobRun) -> list[str]:
    """The arguments of the job's pg_dumps that run."""
    files = [Path(f"/proc/{pid}/cmdline") for pid in descendants(job.process.pid)]
    texts = [file.read_bytes().replace(b"\0", b" ").decode() for file in files if file.exists()]
    return [text for text in texts if "--schema-only" in text]


def test_more_pg_dumps_than_the_source_has_connections_for(clone: Clone, limited: str) -> None:
    """One for the table, one for its type, one for its sequence; the limit is four, with the job's own two."""
    clone.source.execute("CREATE SCHEMA elsewhere; CREATE TYPE elsewhere.size AS ENUM ('S', 'M')")
    clone.source.execute("CREATE SEQUENCE elsewhere.numbers")
    clone.source.execute("ALTER TABLE shop.customers ADD size elsewhere.size")
    clone.source.execute("ALTER TABLE shop.customers ADD number int DEFAULT nextval('elsewhere.numbers')")
    clone.source.execute(f"GRANT USAGE ON SCHEMA elsewhere TO {limited}")
    clone.target.execute("CREATE SCHEMA shop")
    job = clone.request(CloneRequest("table", "shop", "customers"), 1, source=as_conninfo(clone.source, user=limited))
    assert job.wait().error == ""
    assert clone.target.rows(CONTENTS.format("customers")) == clone.source.rows(CONTENTS.format("customers"))


def test_a_resumed_job_goes_on(clone: Clone) -> None:
    """The first job is cancelled when some tables are complete."""
    clone.source.execute("CREATE TABLE shop.slow AS SELECT i FROM generate_series(1, 3) i; ANALYZE shop.slow")
    clone.source.execute(
        "CREATE FUNCTION shop.wait(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.5); RETURN 1; END'; CREATE INDEX slow_index ON shop.slow (shop.wait(i))"
    )
    first: JobRun = clone.request(SCHEMA, 1)
    wait_until(lambda: "table shop.orders" in first.done() and len(first.done()) > 3, 30, "some complete tables")
    first.cancel()
    assert first.wait().status in {"cancelled", "completed"}
    second = clone.request(SCHEMA, 2, after=first)
    assert second.wait().error == ""
    assert_same_schema(clone.source, clone.target, "shop")
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))


def test_the_password_does_not_leave_the_processes(scram_server: Server, tmp_path: Path) -> None:
    with fresh_database(scram_server) as source, fresh_database(scram_server) as target:
        source.execute(SHOP + MORE)
        with source.connect() as blocker, cloning(source, target, tmp_path) as clone:
            blocker.execute("BEGIN")
            blocker.execute("LOCK TABLE pg_catalog.pg_init_privs")
            job = clone.request(SCHEMA, 2)
            wait_until(lambda: waits_for_a_lock(source), 20, "pg_dump to wait")
            family = [job.process.pid, *descendants(job.process.pid)]
            assert len(family) == 4  # with two copiers and pg_dump
            for pid in family:
                for file in ("cmdline", "environ"):
                    shown = Path(f"/proc/{pid}/{file}").read_bytes().replace(b"\0", b" ")
                    assert PASSWORD.encode() not in shown
            blocker.execute("ROLLBACK")
            assert job.wait().error == ""
            assert PASSWORD not in job.errors() + repr(job.said)
