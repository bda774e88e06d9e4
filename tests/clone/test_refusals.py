"""What cannot be cloned is refused before anything is made, with SQLSTATE and hint."""

from __future__ import annotations

import pytest

from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Conninfo
from clone_engine.servers.dump import dump_error
from clone_engine.servers.programs import find_pg_dump
from tests.clone.serial import case, clone, planned, schema_definitions, schema_request, table_request
from tests.harness.servers import Database


@pytest.mark.parametrize(
    ("request_", "sqlstate", "words"),
    [
        (schema_request("missing"), "3F000", '"missing"'),
        (table_request("missing", "orders"), "3F000", '"missing"'),
        (table_request("app", "Orders"), "42P01", '"app"."Orders"'),
        (table_request("app", "%s\"'{}"), "42P01", "%s"),
        (table_request("app", "a_first"), "42809", "not a table"),
        (table_request("app", "moved"), "42809", "not a table"),
        (table_request("app", "orders_pkey"), "42809", "not a table"),
        (table_request("app", "orders", columns=("id", "nope")), "42703", '"nope"'),
    ],
)
def test_what_the_source_does_not_have(
    request_: CloneRequest, sqlstate: str, words: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(case("everyday")[0])
    with pytest.raises(PgError) as caught:
        clone(source_database, target_database, request_)
    assert caught.value.sqlstate == sqlstate
    assert words in caught.value.message
    assert caught.value.hint or sqlstate == "42809"
    assert target_database.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'app'") == []


def test_a_table_whose_lock_is_refused(source_database: Database, target_database: Database) -> None:
    source_database.execute("CREATE TABLE secret (id int); DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN")
    with (
        source_database.connect(user="weak") as weak,
        target_database.connect() as target,
        pytest.raises(PgError) as caught,
    ):
        from clone_engine.planning.plan import prepare  # noqa: PLC0415

        conninfo = Conninfo({**weak.info.get_parameters(), "password": "hunter2"})
        start = Start(1, table_request("public", "secret"), conninfo, Conninfo({}), 1, "pgclone_job_1_weak")
        prepare(weak, target, "", start, ())
    assert caught.value.sqlstate == "38000"
    assert "permission denied for table secret" in caught.value.message + caught.value.detail
    assert "hunter2" not in repr(vars(caught.value))


def test_pg_dump_older_than_the_source() -> None:
    with pytest.raises(PgError) as caught:
        find_pg_dump(990000)
    assert caught.value.sqlstate == "0A000"
    assert caught.value.hint


def test_what_pg_dump_says_holds_no_password() -> None:
    error = dump_error("pg_dump: error: no: s3cret\npg_dump: detail: s3cret!", Conninfo({"password": "s3cret"}))
    assert error.message == "pgclone: pg_dump failed: no: ***"
    assert "s3cret" not in error.detail


def test_planning_changes_nothing(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("everyday")[0])
    before = schema_definitions(source_database, "app")
    with planned(source_database, target_database, schema_request("app")):
        pass
    assert schema_definitions(source_database, "app") == before
    assert target_database.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'app'") == []


def test_the_snapshot_decides_not_the_present(source_database: Database, target_database: Database) -> None:
    source_database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    with planned(source_database, target_database, schema_request("public")) as (_, keeper):
        source_database.execute("CREATE TABLE later (id int)")
        assert keeper.execute("SELECT count(*) FROM pg_class WHERE relname = 'later'").fetchone() == (0,)
