"""One snapshot, whatever the source's timeouts are and whoever changes its tables: a right clone or a named failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clone_engine.records.request import CloneRequest, Options
from tests.harness.servers import Database
from tests.integration.job_runs import Clone, cloning

SOURCE = """
CREATE SCHEMA app;
CREATE TABLE app.t (id int PRIMARY KEY, a text DEFAULT 'x', b int);
CREATE TABLE app.log (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE app.log_1 PARTITION OF app.log FOR VALUES FROM (0) TO (10);
CREATE TABLE app.log_2 PARTITION OF app.log FOR VALUES FROM (10) TO (20);
INSERT INTO app.t SELECT i, 'a' || i, i FROM generate_series(1, 100) i;
INSERT INTO app.log SELECT i, i FROM generate_series(0, 19) i;
"""
SCHEMA = CloneRequest("schema", "app")
T = "SELECT count(*), sum(b), min(a), max(a) FROM app.t"
LOG = "SELECT count(*), sum(id) FROM app.log"


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(SOURCE)
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


WRITES = "INSERT INTO app.t VALUES (101, 'late', 1); DELETE FROM app.t WHERE id = 5; UPDATE app.log SET v = ''"
CHANGES = [
    ("plan", WRITES, ""),
    ("plan", "ALTER TABLE app.t ADD COLUMN c int DEFAULT 7", ""),
    ("plan", "ALTER TABLE app.t DROP COLUMN b", "42703"),
    ("plan", "TRUNCATE app.t", "55000"),
    ("plan", "DROP TABLE app.t", "38000"),
    ("plan", "ALTER TABLE app.log DETACH PARTITION app.log_1", ""),
    ("pin", WRITES, ""),
    ("pin", "ALTER TABLE app.t ADD COLUMN c double precision DEFAULT random()", "55000"),
    ("pin", "ALTER TABLE app.t RENAME COLUMN b TO c", "42703"),
    ("pin", "ALTER TABLE app.t ALTER COLUMN b TYPE bigint", "55000"),
    ("pin", "TRUNCATE app.log_1", "55000"),
    ("pin", "DROP TABLE app.t", "42P01"),
    ("pin", "DROP TABLE app.t; CREATE TABLE app.t (id int, a text, b int)", "55000"),
    ("pin", "ALTER TABLE app.t SET SCHEMA public", "42P01"),
    ("pin", "ALTER TABLE app.log DETACH PARTITION app.log_1", ""),
    ("pin", "VACUUM FULL app.t", "55000"),
]
"""When what is done to the source, and with which SQLSTATE the clone fails; '' is a clone of what the snapshot sees."""


@pytest.mark.parametrize(("before", "change", "sqlstate"), CHANGES)
def test_a_change_of_the_source_while_the_clone_begins(before: str, change: str, sqlstate: str, clone: Clone) -> None:
    expected = clone.source.rows(T), clone.source.rows(LOG)
    ended = clone.while_changing(SCHEMA, change, before, parallel=2).wait()
    assert ended.sqlstate == sqlstate, ended.error
    if sqlstate == "":
        assert (clone.target.rows(T), clone.target.rows(LOG)) == expected
    else:
        assert ended.status == "failed" and "app." in ended.error


def test_timeouts_of_the_source_end_nothing(clone: Clone) -> None:
    """The keeper is idle, and a COPY takes, longer than the source would let any session."""
    settings = ["idle_in_transaction_session_timeout", "statement_timeout"]
    settings += ["transaction_timeout"] * (clone.source.server.installation.major >= 17)
    for setting in settings:
        clone.source.execute(f"ALTER DATABASE {clone.source.name} SET {setting} = '200ms'")
    request = CloneRequest("table", "app", "t", options=Options(where="pg_sleep(0.006) IS NOT NULL"))
    assert clone.request(request).wait().error == ""
    assert clone.target.rows(T) == clone.source.rows(T)
