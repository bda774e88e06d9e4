"""What the clone of a schema needs from others comes with it, but for their tables: what needs these is named."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Options
from proxy.embedded import Server
from tests.clone.serial import clone, contents, definitions, schema_request, wanted
from tests.harness.servers import Database, fresh_database

ENTWINED = """
CREATE SCHEMA app; CREATE SCHEMA lib;
CREATE TYPE app.status AS ENUM ('new', 'done');
CREATE TYPE lib.entry AS (s app.status);
CREATE SEQUENCE lib.numbers;
CREATE FUNCTION lib.shown(lib.entry) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ($1).s::text';
CREATE TABLE app.t (
    id int DEFAULT nextval('lib.numbers'), e lib.entry, s text GENERATED ALWAYS AS (lib.shown(e)) STORED);
CREATE VIEW app.v AS SELECT lib.shown(e) AS s FROM app.t;
CREATE FUNCTION app.f(lib.entry) RETURNS text LANGUAGE sql RETURN lib.shown($1);
INSERT INTO app.t (e) VALUES ('(new)');
"""


def test_a_schema_brings_types_and_functions_of_others(all_servers: list[Server]) -> None:
    for server in all_servers:
        with fresh_database(server, "source") as source, fresh_database(server, "target") as target:
            source.execute(ENTWINED + "CREATE TYPE lib.unused AS ENUM ('x'); CREATE TABLE lib.t (a int)")
            clone(source, target, schema_request("app"))
            assert definitions(target) == wanted(server, ENTWINED)
            assert contents(target, "app") == contents(source, "app")
            assert contents(target, "lib") == {"numbers": contents(source, "lib")["numbers"]}


def test_functions_bring_types_and_functions_of_others(source_database: Database, target_database: Database) -> None:
    source_database.execute(ENTWINED)
    target_database.execute("CREATE SCHEMA app; CREATE TYPE app.status AS ENUM ('new', 'done')")
    plan = clone(source_database, target_database, CloneRequest("functions", "app", options=Options(conflict="skip")))
    assert [what for what, _ in plan.notes] == ["type app.status"]
    assert target_database.value("SELECT app.f('(new)')") == "new"
    assert target_database.value("SELECT to_regclass('app.t')") is None


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("view", "CREATE VIEW app.x AS SELECT a FROM lib.t"),
        ("materialized view", "CREATE MATERIALIZED VIEW app.x AS SELECT 1 FROM lib.t"),
        ("table", "CREATE TABLE app.x (rows lib.t[])"),
        ("table", "CREATE TABLE app.x () INHERITS (lib.t)"),
        ("function", "CREATE FUNCTION app.x() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM lib.t; END"),
    ],
)
def test_what_needs_a_table_elsewhere_is_named(
    kind: str, made: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(f"CREATE SCHEMA app; CREATE SCHEMA lib; CREATE TABLE lib.t (a int); {made}")
    with pytest.raises(PgError, match=rf"{kind} app\.x.* needs lib\.t, which does not exist on the target") as caught:
        clone(source_database, target_database, schema_request("app"))
    assert caught.value.sqlstate == "42P01"
    assert "pgclone_database" in caught.value.hint
    assert target_database.value("SELECT to_regnamespace('app')") is None
