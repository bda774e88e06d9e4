"""psycopg 3: what it makes of our statements is what it makes of PostgreSQL's own: prepared, text and binary, in other
encodings and transactions, async.

Pipelines, cursors and COPY are test_psycopg_streams.py; what every client is asked is test_every_client.py.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row, dict_row, namedtuple_row

from proxy.calls.signatures import VIEW_COLUMNS
from tests.clients.peers import Peers, Place
from tests.clients.with_psycopg import (
    BY_JOB,
    COPIED,
    MANY,
    PREPARED,
    START,
    STATEMENTS,
    UNKNOWN,
    Told,
    connected,
    refused,
    told,
    value,
)
from tests.harness.waiting import wait_until_asleep


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("prepare", [None, True], ids=["unprepared", "prepared"])
def test_results(peers: Peers, binary: bool, prepare: bool | None) -> None:
    def work(place: Place) -> list[Told]:
        with connected(place) as connection:
            return [told(connection.execute(s.encode(), v, binary=binary, prepare=prepare)) for s, v in STATEMENTS]

    assert [len(found["rows"]) for found in peers.same(work)] == [2, 1, 1, 2, 1, 1, 1, 2, 1]


def test_client_cursors(peers: Peers) -> None:
    def work(place: Place) -> list[Told]:
        with connected(place, cursor_factory=psycopg.ClientCursor) as connection:
            return [told(connection.execute(sql.encode(), values)) for sql, values in STATEMENTS]

    assert len(peers.same(work)) == len(STATEMENTS)


@pytest.mark.parametrize(("threshold", "prepared"), [(0, 8), (5, 3), (None, 0)])
def test_it_prepares_by_itself(peers: Peers, threshold: int | None, prepared: int) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, prepare_threshold=threshold) as connection:
            found = []
            for use in range(8):
                found.append(value(connection.execute(BY_JOB, (7 + use % 2,))))
                found.append(value(connection.execute(PREPARED, prepare=False)))
            return found

    found = peers.same(work)
    assert found[::2] == ["running", "completed"] * 4
    assert sum(found[1::2]) == prepared


def test_prepared_statements_make_room_for_others(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, prepare_threshold=0) as connection:
            connection.prepared_max = 2
            names = ("status", "op_type", "schema_name", "table_name")
            asked = [f"SELECT {name} FROM pgclone_jobs_view WHERE job_id = %s" for name in names]
            return [connection.execute(sql.encode(), (8,)).fetchone() for sql in asked * 3]

    assert peers.same(work)[:4] == [("completed",), ("table",), ("hr",), ("emp",)]


def test_deallocated_behind_its_back(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, prepare_threshold=0) as connection:
            found = [connection.execute(BY_JOB, (7,)).fetchone()]
            connection.execute("DEALLOCATE ALL")
            return [*found, connection.execute(BY_JOB, (8,)).fetchone()]

    assert peers.same(work) == [("running",), ("completed",)]


@pytest.mark.parametrize("encoding", ["LATIN1", "SJIS", "EUC_JP", "WIN1252", "UTF8"])
def test_client_encodings(peers: Peers, encoding: str) -> None:
    word = {"SJIS": "表示ソ", "EUC_JP": "表示"}.get(
        encoding, "Zürich"
    )  # the second byte of 表 and ソ is a backslash in SJIS

    def work(place: Place) -> list[Any]:
        with connected(place, client_encoding=encoding) as connection:
            ours = (
                f"SELECT '{word}' AS \"{word}\", status, %s FROM pgclone_jobs_view WHERE op_type <> '{word}' ORDER BY 2"
            )
            return [
                told(connection.execute(ours, (word,))),
                told(connection.execute(ours, (word,), prepare=True)),
                told(psycopg.ClientCursor(connection).execute(ours, (word,))),
                refused(connection, f"SELECT '{word}', pgclone_version(), nosuch"),
            ]

    assert peers.same(work)[0]["rows"] == [(word, "completed", word), (word, "running", word)]


@pytest.mark.parametrize("encoding", ["LATIN1", "SJIS"])
def test_the_bar_in_an_encoding_that_cannot_draw_it(peers: Peers, encoding: str) -> None:
    with connected(peers.through, client_encoding=encoding) as connection:
        for prepare in (None, True):
            bar = value(connection.execute(BY_JOB.replace("status", "progress_bar"), (7,), prepare=prepare))
            assert bar.startswith(f"[{'.' * 20}] 0.0% | 0 rows")


@pytest.mark.parametrize("factory", [dict_row, namedtuple_row], ids=["dict", "namedtuple"])
def test_row_factories(peers: Peers, factory: Any) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, row_factory=factory) as connection:
            return [connection.execute(sql.encode(), values).fetchall() for sql, values in STATEMENTS[:3]]

    found = peers.same(work)
    names = list(found[0][0]) if factory is dict_row else list(found[0][0]._fields)
    assert (names[0], names[-1], len(names)) == ("job_id", "eta", len(VIEW_COLUMNS))


def test_rows_as_objects(peers: Peers) -> None:
    class Job:
        def __init__(self, job_id: int, status: str) -> None:
            self.job_id, self.status = job_id, status

    with connected(peers.through, row_factory=class_row(Job)) as connection:
        found = connection.execute("SELECT job_id, status FROM pgclone.jobs_view ORDER BY 1").fetchall()
    assert [(job.job_id, job.status) for job in found] == [(7, "running"), (8, "completed")]


def test_notices_come_once(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        heard: list[Any] = []
        with connected(place) as connection:
            connection.add_notice_handler(lambda said: heard.append((said.severity, said.message_primary)))
            connection.execute("SELECT noisy(status) FROM pgclone_jobs_view WHERE job_id = 7")
            connection.execute("SELECT noisy('a start'), pgclone_schema_async(%s, 's')", ("c",))
            connection.execute(
                "SELECT noisy('many'), pgclone_schema_async(%s, t) FROM unnest(ARRAY['a', 'b']) t", ("c",)
            )
        return heard

    assert [message for _, message in peers.same(work)] == [
        "about running",
        "about a start",
        "about many",
        "about many",
    ]


def test_transactions(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        found: list[Any] = []
        with connected(place, autocommit=False) as connection:
            found.append(connection.execute(BY_JOB, (7,)).fetchone())
            with pytest.raises(psycopg.errors.NoDataFound), connection.transaction():
                connection.execute(UNKNOWN, (99,))
            found.append(connection.info.transaction_status.name)
            found.append(connection.execute(START, ("c", "s", "t")).fetchone())
            found.append(refused(connection, UNKNOWN, 99))
            found.append(refused(connection, START, "c", "s", "t"))
            connection.rollback()
            connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            found.append(connection.execute(START, ("c", "s", "t")).fetchone())
            connection.commit()
            connection.read_only = True
            found.append(connection.execute(BY_JOB, (7,)).fetchone())
            found.append(refused(connection, START, "c", "s", "t"))
        return found

    found = peers.same(work)
    assert found[1:3] == ["INTRANS", (101,)]
    assert [error[0] for error in (found[3], found[4], found[7])] == [
        "NoDataFound", "InFailedSqlTransaction", "ReadOnlySqlTransaction",
    ]  # fmt: skip


ERRORS = (
    UNKNOWN + ", 1",
    "SELECT 'ü', pgclone_progress(%s) + nosuch",
    "SELECT %s, pgclone_progress(1, 2)",
    "SELECT %s::int / 0 FROM pgclone_jobs_view",
    "DELETE FROM nosuch USING pgclone_jobs_view v WHERE v.job_id = %s",
    "SELECT status FROM pgclone_jobs_view WHERE %s",
)


@pytest.mark.parametrize("prepare", [None, True], ids=["unprepared", "prepared"])
@pytest.mark.parametrize("sql", ERRORS)
def test_errors(peers: Peers, sql: str, prepare: bool | None) -> None:
    def work(place: Place) -> Any:
        with connected(place, prepare_threshold=0 if prepare else 5) as connection:
            return refused(connection, sql, 99), connection.execute("SELECT 1").fetchone()

    assert peers.same(work)[1] == (1,)


def test_async_connections_at_once(peers: Peers) -> None:
    async def one(place: Place, number: int) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(place.conninfo(), autocommit=True) as connection:
            found: list[Any] = []
            for sql, values in STATEMENTS[: -3 if number else None]:
                found.append(await (await connection.execute(sql.encode(), values)).fetchall())
            async with connection.transaction(), connection.cursor("ours") as cursor:
                await cursor.execute(MANY, (5,))
                found.append([row async for row in cursor])
            async with connection.cursor().copy(COPIED.encode()) as copy:
                found.append(b"".join([bytes(block) async for block in copy]))
            return found

    async def all_of_them(place: Place) -> list[Any]:
        return list(await asyncio.gather(*(one(place, number) for number in range(6))))

    assert len(peers.same(lambda place: asyncio.run(all_of_them(place)))) == 6


def test_a_cancelled_read(peers: Peers) -> None:
    async def cancelled(place: Place) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(place.conninfo(), autocommit=True) as connection:
            asked = asyncio.create_task(connection.execute("SELECT count(*), pg_sleep(60) FROM pgclone_jobs_view"))
            await asyncio.to_thread(wait_until_asleep, place.conninfo(), connection.info.backend_pid)
            await connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await asked
            return await (await connection.execute(BY_JOB, (8,))).fetchall()

    assert peers.same(lambda place: asyncio.run(cancelled(place))) == [("completed",)]
