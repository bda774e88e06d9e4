"""SQLAlchemy 2 over psycopg, pg8000 and asyncpg: the view as a table and a class, reflected, streamed; calls by func.

What comes of it is what comes of PostgreSQL's own functions and view.  For reflection there are stubs in the target.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from proxy.embedded import Server
from proxy.stubs.installing import install, transaction
from tests.clients.peers import Peers, Place, peers_on
from tests.harness.servers import Database
from tests.integration.with_stubs import login

DRIVERS = ("psycopg", "pg8000", "asyncpg")

Work = Callable[[sa.Connection], Any]
Same = Callable[[Work], Any]


@pytest.fixture(scope="module")
def peers(server: Server) -> Iterator[Peers]:
    """As for the other clients, and stubs behind the proxy."""
    with peers_on(server) as both:
        with transaction(login(Database(server, both.through.dbname))) as connection:
            install(connection)
        yield both


def url(place: Place, driver: str) -> sa.URL:
    return sa.URL.create(f"postgresql+{driver}", place.user, None, place.host, place.port, place.dbname)


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """One of them."""
    return str(request.param)


@pytest.fixture
def same(peers: Peers, driver: str) -> Same:
    """What work(connection) comes to in a transaction that is committed, the same in both places."""

    def compared(work: Work) -> Any:
        return peers.same(lambda place: _done(url(place, driver), work))

    return compared


def _done(where: sa.URL, work: Work) -> Any:
    if where.drivername.endswith("asyncpg"):
        return asyncio.run(_done_async(where, work))
    engine = sa.create_engine(where)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


async def _done_async(where: sa.URL, work: Work) -> Any:
    engine = create_async_engine(where)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


JOBS = sa.table(
    "pgclone_jobs_view",
    sa.column("job_id", sa.Integer),
    sa.column("status", sa.Text),
    sa.column("schema_name", sa.Text),
    sa.column("rows_copied", sa.BigInteger),
    sa.column("start_time", sa.DateTime(timezone=True)),
    sa.column("pct_complete", sa.Double),
)
QUALIFIED = sa.table("jobs_view", sa.column("job_id", sa.Integer), sa.column("status", sa.Text), schema="pgclone")
TABLES = sa.table("pg_tables", sa.column("schemaname"), sa.column("tablename"))
STARTED = sa.table("started", sa.column("job_id", sa.Integer), schema="public")
SALES = TABLES.c.schemaname == "sales"
RUNNING = sa.select(JOBS).where(JOBS.c.status == "running").subquery()

SELECTS: dict[str, tuple[sa.Executable, Any]] = {
    "table": (sa.select(JOBS.c.job_id, JOBS.c.status).order_by(JOBS.c.job_id), [(7, "running"), (8, "completed")]),
    "table in a schema": (sa.select(QUALIFIED.c.status).where(QUALIFIED.c.job_id == 8), [("completed",)]),
    "types": (sa.select(JOBS.c.pct_complete, sa.func.age(JOBS.c.start_time, JOBS.c.start_time)).limit(1), None),
    "subquery": (sa.select(RUNNING.c.schema_name, sa.func.count()).group_by(RUNNING.c.schema_name), [("sales", 1)]),
    "common table expression": (
        sa.select(sa.select(JOBS.c.job_id).where(JOBS.c.rows_copied >= 0).cte("some")).order_by("job_id").limit(1),
        [(7,)],
    ),
    "alias and exists": (
        sa.select(
            sa.exists().where(JOBS.alias("j").c.job_id == 7),
            sa.select(JOBS.c.status).where(JOBS.c.job_id == 99).scalar_subquery(),
        ),
        [(True, None)],
    ),
    "join": (
        sa.select(JOBS.c.job_id, TABLES.c.tablename)
        .join(TABLES, TABLES.c.schemaname == JOBS.c.schema_name)
        .order_by(TABLES.c.tablename),
        [(7, "customers"), (7, "orders")],
    ),
    "list": (sa.select(sa.func.count()).where(JOBS.c.job_id.in_([7, 8, 99])).select_from(JOBS), [(2,)]),
    "union": (
        sa.union_all(sa.select(JOBS.c.status), sa.select(QUALIFIED.c.status)).order_by("status").limit(2),
        [("completed",), ("completed",)],
    ),
    "call": (
        sa.select(sa.cast(sa.func.pgclone_progress(7), JSONB)["status"].astext, sa.func.pgclone.version() != ""),
        [("running", True)],
    ),
    "call per row": (
        sa.select(JOBS.c.job_id, sa.func.pgclone_progress(JOBS.c.job_id, type_=sa.Text).contains("running")).order_by(
            JOBS.c.job_id
        ),
        [(7, True), (8, False)],
    ),
    "function as a table": (
        sa.select(sa.func.pgclone_progress_detail().table_valued("job_id", "status").c.status).order_by("status"),
        [("completed",), ("running",)],
    ),
    "action": (sa.select(sa.func.pgclone.schema_async("c", "s", True)), [(101,)]),
    "action with a keyword": (sa.select(sa.func.pgclone_table_async("c", "s", "t").label("job")), [(101,)]),
    "action per row": (
        sa.select(sa.func.pgclone_table_async("c", *TABLES.c, sa.true()), TABLES.c.tablename)
        .where(SALES)
        .order_by(TABLES.c.tablename),
        [(101, "customers"), (102, "orders")],
    ),
    "insert": (
        sa.insert(STARTED)
        .from_select(["job_id"], sa.select(sa.func.pgclone_schema_async("c", TABLES.c.tablename)).where(SALES))
        .returning(STARTED.c.job_id),
        [(101,), (102,)],
    ),
}


@pytest.mark.parametrize("name", SELECTS)
def test_statements(same: Same, name: str) -> None:
    statement, expected = SELECTS[name]

    def work(connection: sa.Connection) -> list[Any]:
        result = connection.execute(statement)
        return [tuple(result.keys()), [tuple(row) for row in result]]

    _, rows = same(work)
    assert rows == (expected or rows)
    assert rows


def test_reflection(same: Same) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        reflected = sa.Table("pgclone_jobs_view", sa.MetaData(), autoload_with=connection)
        found = connection.execute(sa.select(reflected).order_by(reflected.c.job_id)).mappings().all()
        metadata = sa.MetaData()
        metadata.reflect(connection, schema="pgclone", views=True)
        inspector = sa.inspect(connection)
        return [
            [(column.name, str(column.type), column.nullable) for column in reflected.columns],
            list(map(dict, found)),
            sorted(metadata.tables),
            inspector.get_view_names(),
            inspector.has_table("jobs_view", schema="pgclone"),
        ]

    columns, rows, tables, views, exists = same(work)
    assert [column[0] for column in columns] == list(rows[0])
    assert (columns[0][1], columns[12][1], columns[15][1]) == ("INTEGER", "TIMESTAMP", "DOUBLE PRECISION")
    assert (tables, views, exists) == (["pgclone.jobs_view"], ["pgclone_jobs_view"], True)


class Base(orm.DeclarativeBase):
    """Classes of this file."""


class Job(Base):
    """The view as a class."""

    __tablename__ = "pgclone_jobs_view"
    job_id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    status: orm.Mapped[str]
    schema_name: orm.Mapped[str]
    tables: orm.Mapped[list[Listed]] = orm.relationship(
        primaryjoin="foreign(Listed.schemaname) == Job.schema_name", viewonly=True, order_by="Listed.tablename"
    )


class Listed(Base):
    """A table of the database."""

    __tablename__ = "pg_tables"
    tablename: orm.Mapped[str] = orm.mapped_column(primary_key=True)
    schemaname: orm.Mapped[str] = orm.mapped_column(primary_key=True)


@pytest.mark.parametrize("load", [orm.lazyload, orm.joinedload, orm.selectinload, orm.subqueryload])
def test_classes(same: Same, load: Any) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        with orm.Session(connection) as session:
            one = session.get(Job, 8)
            jobs = session.scalars(sa.select(Job).options(load(Job.tables)).order_by(Job.job_id)).unique().all()
            count = session.query(Job).filter(Job.status.like("run%")).count()
            return [one and one.status, [(job.job_id, [t.tablename for t in job.tables]) for job in jobs], count]

    assert same(work) == ["completed", [(7, ["customers", "orders"]), (8, [])], 1]


def test_an_object_is_refreshed(same: Same) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        with orm.Session(connection) as session:
            job = session.get_one(Job, 7)
            session.refresh(job)
            return [job.status, session.get(Job, 99)]

    assert same(work) == ["running", None]


MANY = sa.select(JOBS.c.job_id, sa.func.generate_series(1, 50).label("g")).order_by("job_id", "g")


@pytest.mark.parametrize("options", [{"stream_results": True, "max_row_buffer": 7}, {"yield_per": 8}], ids=str)
def test_streamed_results(same: Same, options: dict[str, Any]) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        result = connection.execution_options(**options).execute(MANY)
        return [tuple(row) for row in result.fetchmany(3)] + [tuple(row) for row in result]

    assert same(work) == [(job, g) for job in (7, 8) for g in range(1, 51)]


def test_rows_and_objects_of_an_async_engine_as_they_come(peers: Peers) -> None:
    async def work(place: Place) -> list[Any]:
        engine = create_async_engine(url(place, "asyncpg"))
        async with engine.connect() as connection, AsyncSession(engine) as session:
            rows = [tuple(row) async for row in await connection.stream(MANY)]
            jobs = [job.status async for job in await session.stream_scalars(sa.select(Job).order_by(Job.job_id))]
            one = await _in_savepoint(connection)
        await engine.dispose()
        return [len(rows), jobs, one]

    assert peers.same(lambda place: asyncio.run(work(place))) == [100, ["running", "completed"], 101]


async def _in_savepoint(connection: AsyncConnection) -> Any:
    with pytest.raises(sa.exc.DBAPIError):
        async with connection.begin_nested():
            await connection.execute(sa.select(sa.func.pgclone_progress(99)))
    return await connection.scalar(sa.select(sa.func.pgclone_schema_async("c", "s")))


def test_many_sets_of_parameters(same: Same) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        connection.execute(sa.text("DELETE FROM started"))
        insert = sa.insert(STARTED).values(job_id=sa.func.pgclone_table_async("c", "s", sa.bindparam("name")))
        connection.execute(insert, [{"name": name} for name in ("a", "b", "d")])
        return [tuple(row) for row in connection.execute(sa.select(STARTED))]

    assert same(work) == [(101,), (102,), (103,)]


def test_errors(same: Same) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        found = []
        for statement in (
            sa.select(sa.func.pgclone_progress(99)),
            sa.select(sa.func.pgclone_progress(sa.literal_column("nosuch"))),
            sa.select(JOBS.c.job_id / sa.literal_column("0")),
        ):
            with pytest.raises(sa.exc.DBAPIError) as error, connection.begin_nested():
                connection.execute(statement)
            found.append(type(error.value).__name__)
        return [*found, connection.scalar(sa.select(sa.func.count()).select_from(JOBS))]

    assert same(work)[-1] == 2


def test_a_read_only_connection(same: Same) -> None:
    def work(connection: sa.Connection) -> list[Any]:
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        count = connection.scalar(sa.select(sa.func.count()).select_from(JOBS))
        with pytest.raises(sa.exc.DBAPIError, match="read-only transaction"), connection.begin_nested():
            connection.execute(sa.select(sa.func.pgclone_schema_async("c", "s")))
        return [count]

    assert same(work) == [2]
