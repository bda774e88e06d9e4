"""What a job that runs says of itself: each column of the view has a value that is read here while rows flow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from proxy.calls.signatures import VIEW_COLUMNS
from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

Row = dict[str, Any]
HELD = "SELECT count(pg_advisory_lock_shared(4242)) AS n"
"""Of a materialized view: a clone that fills it waits for whoever holds the lock."""
SLOWLY = "pg_sleep(0.001) IS NOT NULL"
"""Of rows, as a condition."""
SOURCE = f"""
CREATE SCHEMA s;
CREATE TABLE s.big (id int PRIMARY KEY, note text);
INSERT INTO s.big SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i;
CREATE TABLE s.small AS SELECT i, repeat('y', 100) AS note FROM generate_series(1, 3000) i;
CREATE INDEX ON s.small (i);
CREATE MATERIALIZED VIEW s.held AS {HELD};
ANALYZE;
"""


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute(SOURCE)
    return source_database


class Watch:
    """The jobs as a session of the proxy sees them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.job = 0

    def start(self, call: str, *values: Any) -> None:
        ((self.job,),) = self.connection.execute(f"SELECT {call}".encode(), values).fetchall()

    def rows(self, condition: str = "true") -> list[Row]:
        """Of the job and its copiers."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            query = f"SELECT * FROM pgclone_jobs_view WHERE job_id BETWEEN %s AND %s AND {condition} ORDER BY job_id"
            return cursor.execute(query.encode(), (self.job, self.job + 2)).fetchall()

    def row(self) -> Row:
        return self.rows(f"job_id = {self.job}")[0]

    def until(self, what: str, **values: Any) -> Row:
        """The job, as soon as its row has these values."""

        def found() -> Row | None:
            row = self.row()
            return row if all(row[name] == value for name, value in values.items()) else None

        return wait_until(found, 60, what)


@pytest.fixture
def watch(proxy: ProxyProcess, target_database: Database) -> Iterator[Watch]:
    with connect(proxy, target_database.name) as connection:
        yield Watch(connection)


@contextmanager
def held(target: Database) -> Iterator[None]:
    """The clone does not come to its end within the block."""
    with target.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(4242)")
        yield


def test_each_column_of_a_job_whose_rows_are_copied(watch: Watch, source: Database, target_database: Database) -> None:
    with held(target_database):
        call = "pgclone_schema_async(%s, 's', true, '{\"parallel\": 2}')"
        watch.start(call, source.conninfo())
        row = watch.until("the view to be filled", current_phase="refreshing materialized views")
        started, bar = row.pop("start_time"), row.pop("progress_bar")
        elapsed, elapsed_time = row.pop("elapsed_ms"), row.pop("elapsed_time")
        pct, size, rate, eta = (row.pop(n) for n in ("pct_complete", "bytes_copied", "rows_per_second", "eta"))
        assert row == {
            "job_id": watch.job, "status": "running", "op_type": "schema", "schema_name": "s", "table_name": "",
            "current_phase": "refreshing materialized views", "current_table": row["current_table"],
            "tables_total": 2, "tables_completed": 2, "rows_copied": 23000, "end_time": None, "error_message": None,
            "owner": SUPERUSER, "database": target_database.name, "rows_total": 23000, "bytes_total": size,
        }  # fmt: skip
        assert row["current_table"] in ("big", "small")
        assert started <= datetime.now(UTC)
        assert 90 < pct < 100 and f"] {pct}% | 23000 rows | {elapsed_time} elapsed" in bar
        assert elapsed > 0 and size > 23000 * 100
        assert rate is None or rate >= 0
        assert eta is None or eta > started
        workers = watch.rows("op_type = 'table'")
        assert [(w["job_id"], w["status"]) for w in workers] == [(watch.job + n, "running") for n in (1, 2)]
        copied = {w["table_name"]: (w["rows_copied"], w["rows_total"], w["pct_complete"]) for w in workers}
        assert copied == {"big": (20000, 20000, 100.0), "small": (3000, 3000, 100.0)} or len(copied) == 1
        ((said,),) = watch.connection.execute("SELECT pgclone_progress(%s)", (watch.job + 1,))
        assert json.loads(said)["job_id"] == watch.job + 1
    row = watch.until("the end", status="completed")
    assert (row["rows_total"], row["bytes_total"], row["pct_complete"], row["eta"]) == (23000, size, 100.0, None)
    assert row["end_time"] > row["start_time"]
    assert row["rows_per_second"] == pytest.approx(23_000_000 / row["elapsed_ms"], abs=0.1)
    assert [w["status"] for w in watch.rows("op_type = 'table'")] == ["completed"] * 2


def test_rows_that_come_slowly_are_seen_to_come(watch: Watch, source: Database) -> None:
    options = json.dumps({"where": SLOWLY})
    watch.start("pgclone_table_async(%s, 's', 'small', true, 'small', %s)", source.conninfo(), options)
    seen: list[Row] = []
    while not seen or seen[-1]["status"] in ("pending", "running"):
        row = watch.row()
        if not seen or row != seen[-1]:
            seen.append(row)
    flowing = [row for row in seen if row["current_phase"] == "copying data" and 0 < row["rows_copied"] < 3000]
    counts = sorted({row["rows_copied"] for row in flowing})
    assert len(counts) >= 3, counts
    assert [row["rows_copied"] for row in seen] == sorted(row["rows_copied"] for row in seen)
    assert [row["pct_complete"] for row in seen] == sorted(row["pct_complete"] for row in seen)
    # Nobody knows how many rows a condition chooses.
    assert {(row["rows_total"], row["bytes_total"]) for row in flowing} == {(None, None)}
    assert any(row["rows_per_second"] for row in flowing)
    assert all(row["eta"] > row["start_time"] for row in flowing if row["eta"])
    assert any(row["eta"] for row in flowing)
    assert (seen[-1]["status"], seen[-1]["rows_total"]) == ("completed", 3000)


def test_an_index_that_takes_long_is_seen_to_grow(watch: Watch, source: Database) -> None:
    # The target tells how many blocks of the table it has read; they are many, and the function takes its time.
    source.execute(
        "CREATE FUNCTION s.slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN $1; END'; CREATE INDEX slow ON s.small (s.slow(i))"
    )
    watch.start("pgclone_table_async(%s, 's', 'small')", source.conninfo())
    watch.until("the index to be built", current_phase="creating indexes")
    seen = []
    while (row := watch.row())["current_phase"] == "creating indexes":
        seen.append(row["pct_complete"])
    assert len(set(seen)) >= 3, seen
    assert seen == sorted(seen) and seen[-1] < 100


def test_the_types_of_the_columns(watch: Watch) -> None:
    described = watch.connection.execute("SELECT * FROM pgclone_jobs_view LIMIT 0").description or []
    asked = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in VIEW_COLUMNS)
    wanted = watch.connection.execute(f"SELECT {asked}".encode()).description or []
    assert [(c.name, c.type_code) for c in described] == [(c.name, c.type_code) for c in wanted]
