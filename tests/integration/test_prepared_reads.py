"""Reads that were prepared once: each use shows the jobs as they are at that moment, whatever was sent before.

Over libpq's own functions, which leave types and formats of parameters to the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from struct import pack

import pytest
from psycopg import pq
from psycopg.pq import abc

from proxy.launch import ProxyProcess
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

NOBODY_LISTENS = b"SELECT pgclone_schema_async('host=127.0.0.1 port=1 user=me dbname=none', 'sales')"
INT2, INT4, INT8, TEXT = 21, 23, 20, 25
BIG = 2**31


@pytest.fixture
def connection(proxy: ProxyProcess, database: Database) -> Iterator[abc.PGconn]:
    connected = pq.PGconn.connect(proxy.conninfo(database.name).encode())
    assert connected.status == pq.ConnStatus.OK, connected.error_message
    yield connected
    connected.finish()


@pytest.fixture
def job(connection: abc.PGconn) -> int:
    """A job that has failed, since nobody listens at its source."""
    return failed(connection)


def failed(connection: abc.PGconn) -> int:
    number = int(value(connection.exec_(NOBODY_LISTENS)) or 0)
    status = f"SELECT status FROM pgclone_jobs_view WHERE job_id = {number}".encode()
    wait_until(lambda: value(connection.exec_(status)) == b"failed", 30, "the job to fail")
    return number


def value(result: abc.PGresult) -> bytes | None:
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    return result.get_value(0, 0) if result.ntuples else None


def sqlstate(result: abc.PGresult) -> bytes | None:
    return result.error_field(pq.DiagnosticField.SQLSTATE)


def prepare(connection: abc.PGconn, sql: str, *types: int) -> None:
    result = connection.prepare(b"", sql.encode(), types)
    assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message


@pytest.mark.parametrize(
    ("type_", "format_"), [(None, ""), (None, "!i"), (INT2, "!h"), (INT4, "!i"), (INT8, "!q"), (INT8, ""), (TEXT, "")]
)
def test_progress_by_a_parameter_of_any_type_and_format(
    connection: abc.PGconn, job: int, type_: int | None, format_: str
) -> None:
    types = () if type_ is None else (type_,)

    def progress(number: int | None) -> abc.PGresult:
        given = None if number is None else pack(format_, number) if format_ else str(number).encode()
        return connection.exec_prepared(b"", [given], [int(bool(format_))])

    prepare(connection, "SELECT pgclone_progress($1)", *types)
    assert json.loads(value(progress(job)) or b"")["job_id"] == job
    assert value(progress(None)) is None
    for unknown in (-1, 0, job + 1):
        result = progress(unknown)
        assert sqlstate(result) == b"P0002"
        assert f"job {unknown} not found".encode() in result.error_message
    if format_ in ("", "!q"):
        assert sqlstate(progress(BIG)) == b"22003"


@pytest.mark.parametrize("spelled", [b" %d", b"%d ", b"+%d"])
def test_a_number_in_an_unusual_spelling(connection: abc.PGconn, job: int, spelled: bytes) -> None:
    prepare(connection, "SELECT pgclone_progress($1)")
    assert json.loads(value(connection.exec_prepared(b"", [spelled % job])) or b"")["job_id"] == job


def test_a_parameter_whose_bytes_are_text(connection: abc.PGconn, job: int) -> None:
    """Four characters in binary format are no four-byte integer."""
    prepare(connection, "SELECT $1::text, pgclone_progress($1)")
    result = connection.exec_prepared(b"", [b"%4d" % job], [1])
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    assert json.loads(result.get_value(0, 1) or b"")["job_id"] == job


def test_several_numbers_of_which_not_all_are_known(connection: abc.PGconn, job: int) -> None:
    other = failed(connection)
    prepare(connection, f"SELECT pgclone_progress($1), pgclone_progress({other}), (SELECT pgclone_progress(max(job_id))"
                        " FROM pgclone_jobs_view)")  # fmt: skip
    result = connection.exec_prepared(b"", [b"%d" % job])
    assert [json.loads(result.get_value(0, column) or b"")["job_id"] for column in range(3)] == [job, other, other]


def test_every_change_is_seen_at_the_next_use(connection: abc.PGconn, job: int) -> None:
    statements = {
        b"view": "SELECT count(*) FROM pgclone_jobs_view WHERE job_id >= $1",
        b"progress": "SELECT pgclone_progress($1)",
        b"jobs": "SELECT count(*) FROM jsonb_array_elements(pgclone_jobs()::jsonb) e WHERE (e->>'job_id')::int >= $1",
    }
    for name, sql in statements.items():
        connection.prepare(name, sql.encode())

    def counts() -> list[bytes | None]:
        return [value(connection.exec_prepared(name, [b"%d" % job])) for name in (b"view", b"jobs")]

    def status(number: int) -> str:
        progress = value(connection.exec_prepared(b"progress", [b"%d" % number])) or b""
        return str(json.loads(progress)["status"])

    assert (counts(), status(job)) == ([b"1", b"1"], "failed")
    new = int(value(connection.exec_(NOBODY_LISTENS)) or 0)
    assert counts() == [b"2", b"2"]
    assert status(new) in ("pending", "running", "failed")
    wait_until(lambda: status(new) == "failed", 30, "the job to fail")
    assert int(value(connection.exec_(b"SELECT pgclone_clear_jobs()")) or 0) >= 2
    assert counts() == [b"0", b"0"]
    assert sqlstate(connection.exec_prepared(b"progress", [b"%d" % new])) == b"P0002"


@pytest.mark.parametrize("extended", [False, True])
def test_the_same_text_means_what_it_means_at_that_moment(connection: abc.PGconn, extended: bool) -> None:
    """A session's statements are remembered as they were rewritten; whose the names are may change meanwhile."""
    version = b"SELECT pgclone_version()"

    def answer(sql: bytes) -> bytes:
        return value(connection.exec_params(sql, []) if extended else connection.exec_(sql)) or b""

    ours = [answer(version), answer(version)]
    assert ours[0].startswith(b"pgclone ")
    connection.exec_(b"CREATE FUNCTION pgclone_version() RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$")
    assert [answer(version), answer(version)] == [b"mine", b"mine"]
    connection.exec_(b"DROP FUNCTION pgclone_version()")
    assert [answer(version), answer(version)] == ours
    # Once something of ours is prepared in SQL, its name counts as well.
    connection.exec_(b"PREPARE kept AS SELECT pgclone_version()")
    assert [answer(version), answer(b"EXECUTE kept")] == ours
    connection.exec_(b"DEALLOCATE kept; PREPARE kept AS SELECT 'mine'::text")
    assert answer(b"EXECUTE kept") == b"mine"
