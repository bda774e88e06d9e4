"""A clone of functions brings the routines of a schema, what they need, and nothing else."""

from __future__ import annotations

from clone_engine.records.request import CloneRequest, Options
from tests.clone.serial import case, clone, definitions
from tests.harness.servers import Database

REQUEST = CloneRequest("functions", "app", options=Options(conflict="replace"))

SMALL = """
CREATE SCHEMA app;
CREATE TYPE app.part AS (a int);
CREATE TYPE app.whole AS (p app.part[], q text);
CREATE TYPE app.unused AS ENUM ('x');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
COMMENT ON DOMAIN app.positive IS 'more than nothing';
CREATE TABLE app.t (id int PRIMARY KEY);
CREATE FUNCTION app.f(w app.whole, p app.positive DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE app.p() LANGUAGE sql AS '';
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION app.tr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.row_of(app.t) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.atomic() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM app.t; END;
COMMENT ON FUNCTION app.tr() IS 'a trigger''s';
COMMENT ON FUNCTION app.row_of(app.t) IS 'of a table';
REVOKE EXECUTE ON FUNCTION app.tr() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.row_of(app.t) TO postgres;
COMMENT ON AGGREGATE app.total(int) IS 'a sum';
"""
ROUTINES = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'app'::regnamespace ORDER BY 1"


def test_routines_and_the_types_they_need(source_database: Database, target_database: Database) -> None:
    source_database.execute(SMALL)
    plan = clone(source_database, target_database, REQUEST)
    assert dict(plan.notes) == {
        "function app.atomic()": "needs app.t, which does not exist on the target",
        "function app.row_of(app.t)": "needs app.t, which does not exist on the target",
    }
    source_database.execute("DROP FUNCTION app.atomic, app.row_of; DROP TABLE app.t; DROP TYPE app.unused")
    assert definitions(target_database) == definitions(source_database)


def test_those_of_tables_come_where_the_tables_are_and_all_can_be_made_again(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(SMALL)
    target_database.execute("CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY)")
    for _ in range(2):
        plan = clone(source_database, target_database, REQUEST)
        assert target_database.rows(ROUTINES) == source_database.rows(ROUTINES)
    assert {object_ for object_, _ in plan.notes} == {"type app.part", "type app.whole", "type app.positive"}
    target_database.execute("CREATE TYPE app.unused AS ENUM ('x')")
    assert definitions(target_database) == definitions(source_database)


def test_of_a_schema_that_holds_much_else(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("everyday")[0])
    plan = clone(source_database, target_database, REQUEST)
    assert {object_ for object_, _ in plan.notes} == {"function app.of_orders(app.orders)"}
    assert [name for (name,) in target_database.rows(ROUTINES)] == [
        "app.code(integer)", "app.refresh_all()", "app.total(numeric)", "app.touch()"
    ]  # fmt: skip
    assert target_database.rows("SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace") == []
