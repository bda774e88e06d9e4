"""The connection that keeps the snapshot: what it guards against on a real source."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.servers.keeper import Keeper
from tests.harness.servers import Database
from tests.integration.job_runs import as_conninfo

TABLES = """
CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."c ""d" (i int); CREATE TABLE "a.b".other (i int);
INSERT INTO "a.b"."c ""d" VALUES (1);
"""
PINNED = ('a.b.c "d',)


@pytest.fixture
async def keeper(source_database: Database) -> AsyncIterator[Keeper]:
    source_database.execute(TABLES)
    keeper = await Keeper.open(as_conninfo(source_database), 1, consistent=True)
    yield keeper
    await keeper.connection.close()


async def test_the_snapshot_can_be_imported(keeper: Keeper, source_database: Database) -> None:
    source_database.execute('INSERT INTO "a.b"."c ""d" VALUES (2)')
    with source_database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute(f"SET TRANSACTION SNAPSHOT '{keeper.snapshot}'".encode())
        assert other.execute('SELECT i FROM "a.b"."c ""d"').fetchall() == [(1,)]


@pytest.mark.parametrize(
    "change", ["TRUNCATE {}", "DROP TABLE {}; CREATE TABLE {} (i int)", "ALTER TABLE {} ALTER i TYPE bigint"]
)
async def test_a_table_that_changed_since_is_noticed(keeper: Keeper, source_database: Database, change: str) -> None:
    source_database.execute(change.replace("{}", '"a.b"."c ""d"'))
    with pytest.raises(PgError) as failure:
        await keeper.pin(PINNED)
    assert failure.value.sqlstate == "55000"
    assert '"a.b"."c ""d"' in failure.value.message


async def test_pinned_tables_cannot_change(keeper: Keeper, source_database: Database) -> None:
    await keeper.pin(PINNED)
    with source_database.connect() as other:
        other.execute("SET lock_timeout = '50ms'")
        other.execute('TRUNCATE "a.b".other')
        other.execute('INSERT INTO "a.b"."c ""d" VALUES (2)')
        for change in ("TRUNCATE", "DROP TABLE"):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(f'{change} "a.b"."c ""d"'.encode())


async def test_without_consistency_nothing_is_kept(source_database: Database) -> None:
    keeper = await Keeper.open(as_conninfo(source_database), 1, consistent=False)
    await keeper.pin(("a.b.other",))
    assert keeper.snapshot == ""
    await keeper.connection.close()
