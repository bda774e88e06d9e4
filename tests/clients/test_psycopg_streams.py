"""psycopg 3 with much on the way at once: pipelines, executemany, server-side cursors, streamed rows, COPY."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.clients.peers import Peers, Place
from tests.clients.with_psycopg import BY_JOB, COPIED, MANY, PER_ROW, START, STATEMENTS, UNKNOWN, Told, connected, told


def test_a_pipeline(peers: Peers) -> None:
    def work(place: Place) -> list[Told]:
        with connected(place) as connection, connection.pipeline() as pipeline:
            asked = [connection.execute(sql.encode(), values) for sql, values in STATEMENTS * 2]
            pipeline.sync()
            return [told(cursor) for cursor in asked]

    assert len(peers.same(work)) == 2 * len(STATEMENTS)


def test_a_pipeline_with_an_error(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        found: list[Any] = []
        with connected(place) as connection:
            with pytest.raises(psycopg.errors.NoDataFound) as error, connection.pipeline():
                before = connection.execute(BY_JOB, (7,))
                connection.execute(UNKNOWN, (99,))
                connection.execute(START, ("c", "s", "never"))
            found += [str(error.value).splitlines()[0], before.fetchall(), connection.info.transaction_status.name]
            with connection.pipeline() as pipeline:
                connection.execute(START, ("c", "s", "t"))
                pipeline.sync()
                with pytest.raises(psycopg.errors.DivisionByZero):
                    connection.execute("SELECT 1 / %s", (0,)).fetchone()
                pipeline.sync()
                found += [connection.execute(BY_JOB, (8,)).fetchone()]
            return found

    assert peers.same(work) == ["pgclone: job 99 not found", [("running",)], "IDLE", ("completed",)]


def test_a_pipeline_in_a_transaction(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, autocommit=False) as connection, connection.pipeline():
            connection.execute("CREATE TEMP TABLE mine (job int) ON COMMIT DROP")
            with connection.transaction():
                connection.execute("INSERT INTO mine SELECT pgclone_table_async(%s, %s, 't')", ("c", "s"))
            started = connection.execute("SELECT * FROM mine").fetchall()
            connection.rollback()
            return [started, connection.execute("SELECT to_regclass('mine')").fetchone()]

    assert peers.same(work) == [[(101,)], (None,)]


@pytest.mark.parametrize("returning", [False, True])
def test_executemany(peers: Peers, returning: bool) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place) as connection, connection.cursor() as cursor:
            cursor.executemany(BY_JOB, [(7,), (8,), (7,)], returning=returning)
            counts = [cursor.rowcount]
            cursor.executemany(START, [("c", "s", "one"), ("c", "s", "two")], returning=returning)
            jobs = [result.fetchall() for result in cursor.results()] if returning else []
            return [*counts, cursor.rowcount, *jobs]

    assert peers.same(work) == ([1, 1, [(101,)], [(102,)]] if returning else [3, 2])


def test_executemany_stops_at_an_error(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place) as connection, connection.cursor() as cursor:
            with pytest.raises(psycopg.errors.NoDataFound):
                cursor.executemany(UNKNOWN, [(7,), (99,), (8,)])
            return [connection.info.transaction_status.name, connection.execute(BY_JOB, (8,)).fetchone()]

    assert peers.same(work) == ["IDLE", ("completed",)]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("hold", [False, True], ids=["", "hold"])
def test_server_side_cursors(peers: Peers, binary: bool, hold: bool) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place, autocommit=False) as connection:
            with connection.cursor("ours", binary=binary, scrollable=True, withhold=hold) as cursor:
                cursor.itersize = 3
                cursor.execute(MANY, (5,))
                if hold:
                    connection.commit()
                found: list[Any] = [cursor.fetchone(), cursor.fetchmany(4), list(cursor)]
                cursor.scroll(-2)
                found += [cursor.fetchall(), [(c.name, c.type_code) for c in cursor.description or ()]]
            return found

    first, some, rest, last, _ = peers.same(work)
    assert [first, *some, *rest] == [(job, g) for job in (7, 8) for g in range(1, 6)]
    assert last == [(8, 5)]


def test_a_cursor_over_an_action_is_refused_with_what_to_do(peers: Peers) -> None:
    with connected(peers.through, autocommit=False) as connection, connection.cursor("ours") as cursor:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as error:
            cursor.execute(START, ("c", "s", "t"))
        assert "without server-side cursors" in (error.value.diag.message_hint or "")


@pytest.mark.parametrize("size", [1, 4])
def test_streamed_rows(peers: Peers, size: int) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place) as connection:
            return [*connection.cursor().stream(MANY, (5,), size=size), *connection.cursor().stream(PER_ROW, ("c",))]

    assert peers.same(work)[10:] == [("customers", 101), ("orders", 102)]


@pytest.mark.parametrize("format_", ["text", "binary", "csv"])
def test_copy(peers: Peers, format_: str) -> None:
    def work(place: Place) -> list[Any]:
        with connected(place) as connection:
            with connection.cursor().copy(f"{COPIED} (FORMAT {format_})".encode()) as copy:
                blocks = b"".join(map(bytes, copy))
            return [blocks, connection.execute(BY_JOB, (8,)).fetchone()]

    assert b"completed" in peers.same(work)[0]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_rows_of_a_copy_go_into_another(peers: Peers, binary: bool) -> None:
    format_ = b" (FORMAT binary)" if binary else b""

    def work(place: Place) -> list[Any]:
        types = ("int4", "text", "float8")
        with connected(place) as reader, connected(place) as writer:
            writer.execute("CREATE TEMP TABLE jobs (job int, status text, done float8)")
            with reader.cursor().copy(COPIED.encode() + format_) as source:
                source.set_types(types)
                rows = list(source.rows())
            with writer.cursor().copy(b"COPY jobs FROM STDIN" + format_) as target:
                target.set_types(types)
                for row in rows:
                    target.write_row(row)
            joined = "SELECT status = v.status FROM jobs JOIN pgclone_jobs_view v ON v.job_id = job"
            return writer.execute(joined.replace("SELECT status", "SELECT jobs.status").encode()).fetchall()

    assert peers.same(work) == [(True,), (True,)]
