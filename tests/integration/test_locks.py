"""Locks that a clone meets: of the transaction that calls for it, and of those who read what it replaces."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from proxy.launch import ProxyProcess
from tests.harness import proxies
from tests.harness.servers import Database
from tests.harness.waiting import under_way, wait_until

NEWEST = "SELECT status FROM pgclone_jobs_view ORDER BY job_id DESC LIMIT 1"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT generate_series(1, 10) AS id")
    return source_database


def transaction(proxy: ProxyProcess, database: Database) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection through the proxy that is in a transaction from its first statement on."""
    caller = proxies.connect(proxy, database.name)
    caller.autocommit = False
    return caller


REPLACE, RENAME = """'{"conflict": "replace"}'""", """'{"conflict": "rename"}'"""


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(
    ("before", "call"),
    [
        ("CREATE TABLE s.t (id int)", "pgclone_table(%s, 's', 't')"),
        ("CREATE SCHEMA made", "pgclone_table(%s, 's', 't', true, 'b')"),
        ("LOCK TABLE s.old IN SHARE MODE", f"pgclone_table(%s, 's', 't', true, 'old', {REPLACE})"),
        (
            "SAVEPOINT a; TABLE s.old; SAVEPOINT b",
            f"pgclone.table(%s, 's', 't', true, 'old', {RENAME})",
        ),
    ],
    ids=["what the clone makes", "nothing that matters", "what it replaces", "what it renames"],
)
def test_a_lock_of_the_calling_transaction(
    proxy: ProxyProcess, target_database: Database, source: Database, before: str, call: str, prepared: bool
) -> None:
    target_database.execute("CREATE SCHEMA s; CREATE TABLE s.old AS SELECT 7 AS id")
    values: tuple[str, ...] = (source.conninfo(),)
    sql = f"SELECT {call}"
    with transaction(proxy, target_database) as caller:
        caller.execute(before.encode())
        if before == "CREATE SCHEMA made":
            assert caller.execute(sql.encode(), values, prepare=prepared).fetchall() == [("OK",)]
            return
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            caller.execute(sql.encode(), values, prepare=prepared)
        assert (
            caught.value.diag.message_primary
            == "pgclone: the clone waits for a lock that the calling transaction holds"
        )
        assert "s." in str(caught.value.diag.message_detail)
        assert "Commit" in str(caught.value.diag.message_hint)
        caller.rollback()
    assert target_database.rows("SELECT id FROM s.old") == [(7,)]


@pytest.mark.parametrize("more", ["", " application_name=mine"])
def test_a_lock_of_the_calling_transaction_on_the_source(
    proxy: ProxyProcess, target_database: Database, more: str
) -> None:
    """Another database of the same server would do as well; here it is the same one, under another schema's name."""
    target_database.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS id")
    with transaction(proxy, target_database) as caller:
        caller.execute("LOCK TABLE s.t IN ACCESS EXCLUSIVE MODE")
        conninfo = f"dbname={target_database.name}{more}"
        with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
            caller.execute("SELECT pgclone_table(%s, 's', 't', true, 'copy')", (conninfo,))
        assert "s.t" in str(caught.value.diag.message_detail)


def test_a_lock_that_waits_for_the_calling_transaction(
    proxy: ProxyProcess, target_database: Database, source: Database
) -> None:
    """Somebody else stands between: he waits for the caller, and the clone for him."""
    target_database.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS id")
    with transaction(proxy, target_database) as caller, target_database.connect() as other:
        caller.execute("SELECT * FROM s.t")
        with under_way(lambda: other.execute("ALTER TABLE s.t ADD COLUMN v int")):
            wait_until(lambda: target_database.value(WAITING) == 1, 20, "the other to wait")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                caller.execute(
                    "SELECT pgclone_schema(%s, 's', true, '{\"conflict\": \"replace\"}')", (source.conninfo(),)
                )
            caller.rollback()


def test_readers_go_on_while_a_swap_waits_for_one_of_them(
    proxy: ProxyProcess, target_database: Database, source: Database
) -> None:
    """One who reads for long holds the swap up, and the swap nobody else."""
    target_database.execute("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS id")
    with proxies.connect(proxy, target_database.name) as caller, target_database.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM s.t")
        sql = "SELECT pgclone_table_async(%s, 's', 't', true, NULL, '{\"conflict\": \"replace\"}')"
        caller.execute(sql, (source.conninfo(),))
        wait_until(lambda: target_database.value(WAITING) == 1, 30, "the swap to wait")
        with target_database.connect(options="-c lock_timeout=10s") as others:
            for _ in range(3):  # each may have to wait for the moment that the swap does
                assert others.execute("SELECT id FROM s.t").fetchall() == [(7,)]
        assert caller.execute(NEWEST).fetchall() == [("running",)]
        reader.execute("ROLLBACK")
        wait_until(lambda: caller.execute(NEWEST).fetchall() == [("completed",)], 30, "the job")
    assert target_database.value("SELECT count(*) FROM s.t") == 10
