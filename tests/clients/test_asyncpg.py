"""asyncpg: prepared always, binary always, pipelined executemany, portals, pools; and its questions about types.

What it makes of our statements is what it makes of PostgreSQL's own.  What all clients are asked: test_every_client.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import asyncpg
import pytest

from tests.clients.peers import Peers, Place

BY_JOB = "SELECT status FROM pgclone_jobs_view WHERE job_id = $1"
MANY = "SELECT job_id, g FROM pgclone_jobs_view, generate_series(1, $1::int) g ORDER BY 1, 2"
START = "SELECT pgclone_table_async($1, $2, $3)"
PER_ROW = "SELECT tablename, pgclone_table_async($1, schemaname, tablename) FROM pg_tables WHERE schemaname = 'sales'"
UNKNOWN = "SELECT pgclone_progress($1)"
STARTED = "SELECT job_id FROM started"

Connection = Any
Work = Callable[[Connection], Awaitable[Any]]


@asynccontextmanager
async def connected(place: Place, **more: Any) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(host=place.host, port=place.port, user=place.user, database=place.dbname, **more)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def same(peers: Peers) -> Callable[..., Any]:
    """What work(connection) comes to, the same in both places; `more` goes to asyncpg.connect."""

    def compared(work: Work, **more: Any) -> Any:
        async def once(place: Place) -> Any:
            async with connected(place, **more) as connection:
                return await work(connection)

        return peers.same(lambda place: asyncio.run(once(place)))

    return compared


Same = Callable[..., Any]


async def refused(connection: Connection, sql: str, *values: Any) -> tuple[str, str, str | None, bool]:
    """The class of an error, its words, its position, and whether a transaction is open behind it."""
    with pytest.raises(asyncpg.PostgresError) as error:
        await connection.fetch(sql, *values)
    said: Any = error.value
    return type(said).__name__, said.message, said.position, connection.is_in_transaction()


STATEMENTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "view": ("SELECT * FROM pgclone_jobs_view ORDER BY job_id", ()),
    "call": ("SELECT pgclone_progress($1), pgclone_version() AS v, $2::text[]", (8, ["a", None])),
    "subquery's row": ("SELECT v FROM (SELECT job_id, status FROM pgclone_jobs_view ORDER BY 1) v", ()),
    "array of rows": ("SELECT array_agg((v.job_id, v.status) ORDER BY job_id) FROM pgclone_jobs_view v", ()),
    "action": (START, ("c", "s", "t")),
    "action per row": (PER_ROW, ("c",)),
    "insert": ("INSERT INTO started SELECT pgclone_schema_async($1, 's') RETURNING job_id > 0", ("c",)),
    "arguments from an array": ("SELECT pgclone_schema_async('c', n) FROM unnest($1::text[]) n", (["a", "b"],)),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_results(same: Same, name: str) -> None:
    sql, values = STATEMENTS[name]

    async def work(connection: Connection) -> list[Any]:
        return [[tuple(row.items()) for row in await connection.fetch(sql, *values)] for _ in range(3)]

    assert all(same(work))


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_a_prepared_statement_says_of_itself(same: Same, name: str) -> None:
    sql, values = STATEMENTS[name]

    async def work(connection: Connection) -> list[Any]:
        statement = await connection.prepare(sql)
        parameters = [tuple(parameter) for parameter in statement.get_parameters()]
        attributes = [(a.name, tuple(a.type)) for a in statement.get_attributes()]
        return [parameters, attributes, [tuple(r) for r in await statement.fetch(*values)], statement.get_statusmsg()]

    parameters, attributes, rows, _ = same(work)
    assert len(parameters) == len(values)
    assert len(attributes) == len(rows[0])


def test_a_whole_row_of_the_view(peers: Peers) -> None:
    # A row of a view has a type of its own, and one of ours is an anonymous record: the values are the same.
    async def work(place: Place) -> list[Any]:
        async with connected(place) as connection:
            row = await connection.fetchval("SELECT v FROM pgclone_jobs_view v WHERE job_id = $1", 8)
            return list(row)

    assert peers.same(lambda place: asyncio.run(work(place)))[:4] == [8, "completed", "table", "hr"]


@pytest.mark.parametrize("size", [0, 1, 100])
def test_statement_caches(same: Same, size: int) -> None:
    async def work(connection: Connection) -> list[Any]:
        names = ("status", "op_type", "status", "schema_name", "status")
        asked = [f"SELECT {name} FROM pgclone_jobs_view WHERE job_id = $1" for name in names]
        return [await connection.fetchval(sql, job) for sql in asked * 2 for job in (7, 8)]

    assert same(work, statement_cache_size=size)[:4] == ["running", "completed", "schema", "table"]


def test_statements_that_the_server_has_forgotten(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        found = [await connection.fetchval(BY_JOB, 7)]
        await connection.reload_schema_state()
        found.append(await connection.fetchval(BY_JOB, 8))
        await connection.reset()
        return [*found, await connection.fetchval(BY_JOB, 7)]

    assert same(work) == ["running", "completed", "running"]


def test_executemany(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        await connection.execute("DELETE FROM started")
        await connection.executemany(UNKNOWN, [(7,), (8,)])
        insert = "INSERT INTO started SELECT pgclone_table_async($1, 's', $2) RETURNING job_id"
        await connection.executemany(insert, [("c", "a"), ("c", "b"), ("c", "d")])
        jobs = await connection.fetch(STARTED)
        return [*map(tuple, jobs), await connection.fetchmany(START, [("c", "s", "x"), ("c", "s", "y")])]

    assert same(work) == [(101,), (102,), (103,), [(104,), (105,)]]


def test_executemany_undoes_all_of_it_at_an_error(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        await connection.execute("DELETE FROM started")
        with pytest.raises(asyncpg.NoDataFoundError):
            await connection.executemany(
                "INSERT INTO started SELECT (pgclone_progress($1)::json ->> 'job_id')::int", [(7,), (99,), (8,)]
            )
        return [await connection.fetch(STARTED), await connection.fetchval(BY_JOB, 8)]

    assert same(work) == [[], "completed"]


@pytest.mark.parametrize("prefetch", [1, 4, 50])
def test_cursors(same: Same, prefetch: int) -> None:
    async def work(connection: Connection) -> list[Any]:
        async with connection.transaction():
            found = [tuple(row) async for row in connection.cursor(MANY, 5, prefetch=prefetch)]
            cursor = await connection.cursor(MANY, 5)
            found += [tuple(await cursor.fetchrow()), await cursor.forward(6), *await cursor.fetch(5)]
            statement = await connection.prepare(PER_ROW)
            return [*found, *[tuple(row) async for row in statement.cursor("c", prefetch=prefetch)]]

    assert same(work)[-2:] == [("customers", 101), ("orders", 102)]


def test_interleaved_cursors(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        async with connection.transaction():
            one, two = await connection.cursor(MANY, 3), await connection.cursor(PER_ROW, "c")
            found = [await one.fetch(2), await two.fetch(1), await one.fetch(2), await two.fetch(5)]
            return [tuple(row) for rows in found for row in rows]

    assert same(work) == [(7, 1), (7, 2), ("customers", 101), (7, 3), (8, 1), ("orders", 102)]


@pytest.mark.parametrize("how", [{}, {"isolation": "serializable", "deferrable": True}], ids=["", "deferrable"])
def test_read_only_transactions(same: Same, how: dict[str, Any]) -> None:
    async def work(connection: Connection) -> list[Any]:
        found: list[Any] = []
        transaction = connection.transaction(readonly=True, **how)
        await transaction.start()
        found.append(await connection.fetchval(BY_JOB, 7))
        found.append(await refused(connection, START, "c", "s", "t"))
        found.append(await refused(connection, BY_JOB, 7))
        await transaction.rollback()
        return [*found, await connection.fetchval(START, "c", "s", "t")]

    found = same(work)
    assert [found[1][0], found[2][0], found[3]] == ["ReadOnlySQLTransactionError", "InFailedSQLTransactionError", 101]


def test_savepoints(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        async with connection.transaction():
            await connection.execute("DELETE FROM started; INSERT INTO started VALUES (1)")
            with pytest.raises(asyncpg.NoDataFoundError):
                async with connection.transaction():
                    await connection.fetchval(UNKNOWN, 99)
            with pytest.raises(asyncpg.DivisionByZeroError):
                async with connection.transaction():
                    await connection.fetchval("INSERT INTO started SELECT pgclone_schema_async('c', $1)", "s")
                    await connection.fetchval("SELECT 1 / $1", 0)
            return [await connection.fetchval(START, "c", "s", "t"), await connection.fetch(STARTED)]

    job, rows = same(work)
    assert (job, [tuple(row) for row in rows]) == (102, [(1,)])


@pytest.mark.parametrize("format_", ["text", "csv", "binary"])
def test_copy(same: Same, format_: str) -> None:
    async def work(connection: Connection) -> list[Any]:
        await connection.execute("CREATE TEMP TABLE jobs (job int, status text)")
        out = BytesIO()
        query = "SELECT job_id, status FROM pgclone_jobs_view WHERE job_id >= $1 ORDER BY 1"
        said = await connection.copy_from_query(query, 7, output=out, format=format_)
        await connection.copy_to_table("jobs", source=BytesIO(out.getvalue()), format=format_)
        joined = "SELECT count(*) FROM jobs JOIN pgclone_jobs_view v ON v.job_id = jobs.job AND v.status = jobs.status"
        return [said, out.getvalue(), await connection.fetchval(joined)]

    assert same(work)[2] == 2


def test_codecs(same: Same) -> None:
    async def work(connection: Connection) -> list[Any]:
        await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        sql = "SELECT pgclone_progress(job_id)::json, row_to_json(v) FROM pgclone_jobs_view v WHERE job_id = $1"
        progress, row = await connection.fetchrow(sql, 8)
        return [progress, row]

    progress, row = same(work)
    assert progress["status"] == row["status"] == "completed"


def test_notices_come_once(same: Same) -> None:
    async def work(connection: Connection) -> list[str]:
        heard: list[str] = []
        connection.add_log_listener(lambda _, said: heard.append(said.message))
        await connection.fetch("SELECT noisy(n), pgclone_schema_async('c', n) FROM unnest($1::text[]) n", ["a", "b"])
        await connection.fetch("SELECT noisy(status) FROM pgclone_jobs_view WHERE job_id = $1", 7)
        return heard

    assert same(work) == ["about a", "about b", "about running"]


def test_a_query_that_takes_too_long(same: Same) -> None:
    async def work(connection: Connection) -> Any:
        with pytest.raises(TimeoutError):
            await connection.fetch("SELECT count(*), pg_sleep(60) FROM pgclone_jobs_view", timeout=0.2)
        return await connection.fetchval(BY_JOB, 8)

    assert same(work) == "completed"


ERRORS = ("SELECT 'ü', pgclone_progress($1) + nosuch", "SELECT $1::int, pgclone_progress(1, 2)", UNKNOWN + ", 1 / 0")


@pytest.mark.parametrize("sql", ERRORS)
def test_errors(same: Same, sql: str) -> None:
    async def work(connection: Connection) -> list[Any]:
        return [await refused(connection, sql, 99), await connection.fetchval(BY_JOB, 7)]

    assert same(work)[1] == "running"


def test_a_pool_at_work(peers: Peers) -> None:
    async def one(pool: Any, number: int) -> list[Any]:
        async with pool.acquire() as connection, connection.transaction(readonly=bool(number % 2)):
            return [
                await connection.fetchval(BY_JOB, 7 + number % 2),
                await connection.fetchval("SELECT count(*) + $1 FROM pgclone_jobs_view v, pg_am", number),
            ]

    async def all_of_them(place: Place) -> list[Any]:
        where = {"host": place.host, "port": place.port, "user": place.user, "database": place.dbname}
        async with asyncpg.create_pool(**where, min_size=2, max_size=10) as pool:
            found = await asyncio.gather(*(one(pool, number) for number in range(40)))
            jobs = await asyncio.gather(*(pool.fetchval(START, "c", "s", f"t{number}") for number in range(10)))
        return [*found, sorted(jobs)]

    assert peers.same(lambda place: asyncio.run(all_of_them(place)))[-1] == list(range(101, 111))
