"""Connections of a job that are being prepared: nothing is left of those that come to nothing."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.servers.connect import closed_on_error, open_async
from tests.harness.servers import Database
from tests.harness.waiting import wait_until_async
from tests.integration.job_runs import as_conninfo

SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"


async def prepare(connection: psycopg.AsyncConnection, query: bytes) -> None:
    async with closed_on_error(connection):
        await connection.execute(query)


async def test_a_connection_is_closed_where_what_prepares_it_fails(database: Database) -> None:
    connection = await open_async(as_conninfo(database), "target", 1)
    with pytest.raises(PgError, match="division by zero"):
        await prepare(connection, b"SELECT 1 / 0")
    assert connection.closed


async def test_a_connection_is_closed_where_what_prepares_it_is_cancelled(database: Database) -> None:
    async def asleep() -> bool:
        return bool(database.value(SLEEPS))

    connection = await open_async(as_conninfo(database), "target", 1)
    preparing = asyncio.create_task(prepare(connection, b"SELECT pg_sleep(60)"))
    await wait_until_async(asleep, 10)
    preparing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await preparing
    assert connection.closed
