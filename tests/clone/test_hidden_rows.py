"""Rows that the source's user may not see, and what the target has waiting for new ones: never a short table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clone_engine.records.request import CloneRequest
from tests.harness.servers import Database
from tests.integration.job_runs import Clone, as_conninfo, cloning

SCHEMA = CloneRequest("schema", "app")


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    source_database.execute("CREATE SCHEMA app; CREATE TABLE app.t AS SELECT g AS id FROM generate_series(1, 10) g")
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


@pytest.fixture
def reader(source_database: Database) -> Iterator[str]:
    """A role of the source to which a policy hides rows."""
    source_database.execute(
        "CREATE ROLE half_blind LOGIN; GRANT USAGE ON SCHEMA app TO half_blind; GRANT SELECT ON app.t TO half_blind;"
        "ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.t USING (id < 5)"
    )
    yield "half_blind"
    source_database.execute("DROP OWNED BY half_blind; DROP ROLE half_blind")


def test_a_policy_that_hides_rows_fails_the_clone(clone: Clone, reader: str) -> None:
    ended = clone.request(SCHEMA, source=as_conninfo(clone.source, user=reader)).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "42501")
    assert "row-level security" in ended.error and "app.t" in ended.error


def test_whom_policies_do_not_bind_clones_all_rows(clone: Clone, reader: str) -> None:
    clone.source.execute(f"ALTER ROLE {reader} BYPASSRLS")
    assert clone.request(SCHEMA, source=as_conninfo(clone.source, user=reader)).wait().error == ""
    assert clone.target.value("SELECT count(*) FROM app.t") == 10


def test_triggers_and_rules_of_the_source_do_not_touch_the_rows(clone: Clone) -> None:
    clone.source.execute(
        "CREATE FUNCTION app.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER none BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.nothing();"
        "ALTER TABLE app.t ENABLE ALWAYS TRIGGER none; CREATE RULE away AS ON INSERT TO app.t DO INSTEAD NOTHING;"
        "ALTER TABLE app.t ENABLE ALWAYS RULE away"
    )
    assert clone.request(SCHEMA).wait().error == ""
    assert clone.target.value("SELECT count(*) FROM app.t") == 10
    assert clone.target.value("SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'none'") == "A"


def test_an_event_trigger_of_the_target_that_objects_is_quoted(clone: Clone) -> None:
    clone.target.execute(
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE 'no tables today' USING ERRCODE = '0A000'; END$$;"
        "CREATE EVENT TRIGGER frozen ON ddl_command_end WHEN tag IN ('CREATE TABLE') EXECUTE FUNCTION no()"
    )
    ended = clone.request(SCHEMA).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "0A000")
    assert "no tables today" in ended.error
    assert clone.target.rows("SELECT FROM pg_tables WHERE schemaname = 'app'") == []
