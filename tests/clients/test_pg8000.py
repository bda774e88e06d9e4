"""pg8000, by DB-API and by its native interface: what it makes of our statements is what it makes of PostgreSQL's own.

What every client is asked is test_every_client.py.
"""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
from typing import Any

import pg8000.dbapi
import pg8000.exceptions
import pg8000.native
import pytest

from tests.clients.peers import Peers, Place

BY_JOB = "SELECT status FROM pgclone_jobs_view WHERE job_id = %s"
START = "SELECT pgclone_table_async(%s, %s, %s)"
PER_ROW = "SELECT tablename, pgclone_table_async(%s, schemaname, tablename) FROM pg_tables WHERE schemaname = 'sales'"

STATEMENTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "view": ("SELECT * FROM pgclone_jobs_view ORDER BY job_id", ()),
    "view by parameter": ("SELECT * FROM pgclone_jobs_view WHERE job_id = %s", (7,)),
    "call": ("SELECT pgclone_progress(%s)::json, pgclone_version() AS v", (8,)),
    "row": ("SELECT v FROM (SELECT job_id, status FROM pgclone_jobs_view ORDER BY 1) v", ()),
    "action": (START, ("c", "s", "t")),
    "action per row": (PER_ROW, ("c",)),
    "action with NULL": ("SELECT pgclone_table_async(%s, 's', 't', %s, %s)", ("c", True, None)),
}


def dbapi(place: Place) -> closing[Any]:
    return closing(pg8000.dbapi.connect(place.user, host=place.host, port=place.port, database=place.dbname))


def native(place: Place) -> closing[Any]:
    return closing(pg8000.native.Connection(place.user, host=place.host, port=place.port, database=place.dbname))


def described(statement: Any) -> list[tuple[str, int]]:
    """Its columns, without the tables that they are of."""
    return [(column["name"], column["type_oid"]) for column in statement.columns]


@pytest.mark.parametrize("name", STATEMENTS)
def test_results(peers: Peers, name: str) -> None:
    sql, values = STATEMENTS[name]

    def work(place: Place) -> list[Any]:
        with dbapi(place) as connection:
            cursor = connection.cursor()
            cursor.execute(sql, values)
            return [cursor.description, cursor.rowcount, list(cursor.fetchall())]

    assert peers.same(work)[2]


def test_a_transaction_of_its_own(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with dbapi(place) as connection:
            cursor = connection.cursor()
            cursor.execute("CREATE TABLE mine (job int)")
            cursor.execute("INSERT INTO mine SELECT pgclone_schema_async(%s, 's') RETURNING job", ("c",))
            found = list(cursor.fetchall())
            connection.rollback()
            cursor.execute("SELECT to_regclass('mine'), count(*) FROM pgclone_jobs_view")
            return [*found, *cursor.fetchall()]

    assert peers.same(work) == [[101], [None, 2]]


def test_executemany(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with dbapi(place) as connection:
            cursor = connection.cursor()
            cursor.execute("DELETE FROM started")
            cursor.executemany("INSERT INTO started SELECT pgclone_table_async('c', 's', %s)", [("a",), ("b",)])
            count = cursor.rowcount
            cursor.execute("SELECT job_id FROM started")
            return [count, *cursor.fetchall()]

    assert peers.same(work) == [2, [101], [102]]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT pgclone_progress(%s)", "P0002"),
        ("SELECT 'ü', pgclone_progress(%s) + nosuch", "42703"),
        ("SELECT 1 / %s::int - 99 / 0 FROM pgclone_jobs_view", "22012"),
    ],
)
def test_errors(peers: Peers, sql: str, sqlstate: str) -> None:
    def work(place: Place) -> list[Any]:
        with dbapi(place) as connection:
            cursor = connection.cursor()
            with pytest.raises(pg8000.exceptions.DatabaseError) as error:
                cursor.execute(sql, (99,))
            with pytest.raises(pg8000.exceptions.DatabaseError) as again:
                cursor.execute(START, ("c", "s", "t"))
            connection.rollback()
            cursor.execute(BY_JOB, (8,))
            fields = [{letter: said.value.args[0].get(letter) for letter in "SCMP"} for said in (error, again)]
            return [*fields, *cursor.fetchall()]

    first, second, row = peers.same(work)
    assert (first["C"], second["C"], row) == (sqlstate, "25P02", ["completed"])


def test_a_statement_prepared_by_the_native_interface(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with native(place) as connection:
            status = connection.prepare("SELECT status, :what FROM pgclone_jobs_view WHERE job_id = :job")
            start = connection.prepare("SELECT pgclone_table_async(:conninfo, 's', :name)")
            found = [status.run(job=job, what="w") for job in (7, 8, 99)] + [described(status)]
            found += [start.run(conninfo="c", name=name) for name in ("a", "b")] + [described(start)]
            status.close()
            start.close()
            return [*found, connection.run("SELECT count(*) FROM pg_prepared_statements")]

    found = peers.same(work)
    assert found[:3] == [[["running", "w"]], [["completed", "w"]], []]
    assert found[4:6] == [[[101]], [[102]]]


def test_statements_in_one_string(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with native(place) as connection:
            read = "SELECT job_id FROM pgclone_jobs_view ORDER BY 1"
            string = f"BEGIN; SELECT pgclone_schema_async('c', 's'); {read}; COMMIT"
            return [connection.run(string), connection.row_count]

    assert peers.same(work)[0][-2:] == [[7], [8]]


def test_copy_and_notices(peers: Peers) -> None:
    def work(place: Place) -> list[Any]:
        with native(place) as connection:
            out = BytesIO()
            read = "SELECT job_id, noisy(status) FROM pgclone_jobs_view ORDER BY 1"
            connection.run(f"COPY ({read}) TO STDOUT", stream=out)
            heard = [said[b"M"] for said in connection.notices]
            return [out.getvalue(), heard]

    assert peers.same(work) == [b"7\trunning\n8\tcompleted\n", [b"about running", b"about completed"]]
