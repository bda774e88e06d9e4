"""A job that goes on in the middle of a large table: parts that are the same on the source are not copied again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from clone_engine.records.channel import Advanced, Reported
from clone_engine.records.request import CloneRequest
from tests.harness.compare import assert_same_schema
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, JobRun, cloning
from tests.integration.shop import CONTENTS

ROWS = 36_000
# More than 32 MB make a part.  The column's values are computed on the target, where the last row waits for a sign.
LARGE = f"""
CREATE SCHEMA shop;
CREATE FUNCTION shop.halting(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1..600 LOOP
    EXIT WHEN i <> {ROWS} OR (SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'go on');
    PERFORM pg_sleep(0.1), pg_stat_clear_snapshot();
  END LOOP;
  RETURN i;
END $$;
CREATE TABLE shop.large (id int, pad text, n int GENERATED ALWAYS AS (shop.halting(id)) STORED);
CREATE TABLE shop.small AS SELECT i FROM generate_series(1, 50) i;
"""
FILL = f"INSERT INTO shop.large SELECT i, repeat('x', 1900) FROM generate_series(1, {ROWS}) i"
REQUEST = CloneRequest("schema", "shop")


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute(LARGE)
    with source_database.connect(application_name="go on") as conn:
        conn.execute(FILL.encode())
    source_database.execute("ANALYZE")
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


def end(job: JobRun, how: str) -> None:
    """Cancel a job, or kill it with its copiers."""
    if how == "cancel":
        job.cancel()
    else:
        for pid in (*job.copiers(), job.process.pid):
            os.kill(pid, signal.SIGKILL)
    job.process.wait()


def interrupted(clone: Clone, how: str) -> JobRun:
    """A job that was interrupted with all parts copied but the last."""
    job = clone.request(REQUEST, 2)
    at_end = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'PgSleep'"
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'"
    wait_until(lambda: clone.target.value(at_end) == clone.target.value(busy) == 1, 60, "all parts but the last")
    end(job, how)
    return job


def goes_on(clone: Clone, first: JobRun) -> int:
    """The rows that a second job copies; its result must be right, and its report must say so once."""
    with clone.target.connect(application_name="go on"), clone.source.connect(application_name="go on"):
        second = clone.request(REQUEST, 2, after=first)
        assert second.wait().error == ""
    assert clone.target.rows(CONTENTS.format("large")) == clone.source.rows(CONTENTS.format("large"))
    assert clone.target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone_job%'") == []
    said = [m.outcome.message for m in second.all(Reported) if m.outcome.object == "table shop.large"]
    assert said == [f"{clone.source.value('SELECT count(*) FROM shop.large')} rows"]
    return second.all(Advanced)[-1].progress.rows_copied


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_parts_that_are_the_same_are_not_copied_again(clone: Clone, how: str) -> None:
    first = interrupted(clone, how)
    there = clone.target.value("SELECT count(*) FROM shop.large")
    assert 0 < there < ROWS
    if how == "cancel":
        assert first.outcomes()["table shop.large"] == ("failed", "")
    clone.source.execute("VACUUM FREEZE shop.large")
    assert goes_on(clone, first) == ROWS - there
    assert_same_schema(clone.source, clone.target, "shop")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE shop.large SET pad = 'y' WHERE id = 3",
        "DELETE FROM shop.large WHERE id = 3",
        "VACUUM FULL shop.large",
        "ALTER TABLE shop.large ALTER pad SET STORAGE external, ALTER pad TYPE varchar(1950)",
    ],
)
def test_a_change_has_the_table_copied_again(clone: Clone, change: str) -> None:
    first = interrupted(clone, "kill")
    with clone.source.connect(application_name="go on") as conn:
        conn.execute(change.encode())
    rows = clone.source.value("SELECT count(*) FROM shop.large")
    assert goes_on(clone, first) == rows


def test_a_transaction_that_was_open_then_is_no_part_of_what_was_copied(clone: Clone) -> None:
    """Its row has an older xmin than the snapshot's end, in a subtransaction, and makes up for one that is deleted."""
    with clone.source.connect(application_name="go on") as conn:
        conn.execute("DELETE FROM shop.large WHERE id = 2")
        conn.execute("VACUUM shop.large")
        conn.execute("BEGIN")
        conn.execute("SAVEPOINT s")
        conn.execute("INSERT INTO shop.large VALUES (-1, 'in the place of a deleted row')")
        first = interrupted(clone, "kill")
        conn.execute("COMMIT")
        conn.execute("DELETE FROM shop.large WHERE id = 3")
    assert goes_on(clone, first) == ROWS - 1


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_parts_of_a_table_that_was_emptied_since_are_not_there(clone: Clone, how: str) -> None:
    """Though they are the same again on the source: the second of three jobs found them changed, and got no further."""
    with clone.source.connect(application_name="go on") as conn:
        conn.execute("DELETE FROM shop.large WHERE id = 2")
        conn.execute("VACUUM shop.large")
        first = interrupted(clone, "cancel")
        conn.execute("INSERT INTO shop.large VALUES (-1, 'in the place of a deleted row')")
        second = clone.request(REQUEST, 2, after=first)
        wait_until(lambda: clone.target.value("SELECT count(*) FROM shop.large") == 0, 60, "an empty table")
        end(second, how)
        assert clone.target.value("SELECT count(*) FROM shop.large") == 0
        conn.execute("DELETE FROM shop.large WHERE id = -1")
    assert goes_on(clone, second) == ROWS - 1


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_parts_that_the_target_has_lost_are_copied_again(clone: Clone, how: str) -> None:
    first = interrupted(clone, how)
    # A killed copier's backend sleeps on, with its lock.
    with clone.target.connect(application_name="go on") as conn:
        conn.execute("TRUNCATE shop.large")
    assert goes_on(clone, first) == ROWS


@pytest.mark.parametrize(
    ("how", "change", "now"),
    [
        ("cancel", "TRUNCATE shop.small", "has 0 rows now"),
        ("kill", "INSERT INTO shop.small VALUES (51)", "has 51 rows now"),
        ("kill", "DROP TABLE shop.small", "is not there any more"),
    ],
)
def test_a_complete_table_that_has_not_its_rows_any_more_fails_the_job(
    clone: Clone, how: str, change: str, now: str
) -> None:
    """It was completed with rows missing.  When they are back, a third job goes on."""
    first = interrupted(clone, how)
    clone.target.execute(change)
    second = clone.request(REQUEST, 2, after=first)
    ended = second.wait()
    said = f"pgclone: table shop.small {now}; the job that this one goes on from copied 50 into it"
    assert (ended.sqlstate, ended.error.partition("\n")[0]) == ("55000", said)
    clone.target.execute("DROP TABLE IF EXISTS shop.small; CREATE TABLE shop.small AS SELECT generate_series(1, 50) i")
    goes_on(clone, second)
