"""What the clone of a table needs from outside of itself comes with it if the target lacks it."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.embedded import Server
from tests.clone.serial import carry_out, clone, contents, definitions, planned, skipped, table_request, wanted
from tests.harness.servers import Database, fresh_database

LIBRARY = """
CREATE SCHEMA app; CREATE SCHEMA lib; CREATE SCHEMA "odd ""name";
CREATE TYPE lib.color AS ENUM ('red', 'it''s green');
COMMENT ON TYPE lib.color IS 'of things';
CREATE TYPE lib.paint AS (c lib.color, layers int[]);
CREATE FUNCTION lib.is_painted(lib.paint) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT ($1).c IS NOT NULL';
CREATE DOMAIN lib.coat AS lib.paint CONSTRAINT painted CHECK (lib.is_painted(VALUE));
ALTER DOMAIN lib.coat ADD CONSTRAINT layered CHECK (VALUE IS NOT NULL) NOT VALID;
COMMENT ON CONSTRAINT layered ON DOMAIN lib.coat IS 'of rows to come';
CREATE COLLATION lib.plain FROM "C";
CREATE TYPE lib.span AS RANGE (subtype = text, collation = lib.plain);
CREATE SEQUENCE "odd ""name".numbers START 5;
SELECT nextval('"odd ""name".numbers'), nextval('"odd ""name".numbers');
CREATE DOMAIN lib.number AS bigint DEFAULT nextval('"odd ""name".numbers');
CREATE FUNCTION lib.half(i int) RETURNS int IMMUTABLE LANGUAGE sql RETURN i / 2;
CREATE FUNCTION lib.quarter(i int) RETURNS int IMMUTABLE LANGUAGE sql RETURN lib.half(lib.half(i));
REVOKE EXECUTE ON FUNCTION lib.quarter FROM public;
CREATE FUNCTION lib.same(lib.paint, lib.paint) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1::text = $2::text';
CREATE FUNCTION lib.hash(lib.paint) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT hashtext($1::text)';
CREATE OPERATOR lib.=== (LEFTARG = lib.paint, RIGHTARG = lib.paint, FUNCTION = lib.same);
CREATE OPERATOR CLASS lib.paint_ops FOR TYPE lib.paint USING hash AS OPERATOR 1 lib.===, FUNCTION 1 lib.hash(lib.paint);
CREATE TEXT SEARCH DICTIONARY lib.words (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION lib.plain_text (PARSER = default);
ALTER TEXT SEARCH CONFIGURATION lib.plain_text ADD MAPPING FOR asciiword WITH lib.words;
CREATE FUNCTION lib.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION lib.allowed(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT true';
"""
MORE = """
CREATE TYPE lib.unused AS ENUM ('x');
CREATE FUNCTION lib.half(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE lib.total(int) (SFUNC = int4pl, STYPE = int);
CREATE TABLE lib.other (id int); CREATE VIEW lib.seen AS SELECT 1 AS id; CREATE SEQUENCE lib.idle;
ALTER DEFAULT PRIVILEGES IN SCHEMA lib GRANT SELECT ON TABLES TO public;
"""
"""What the table does not need."""
TABLE = """
CREATE TABLE app.things (
    id lib.number PRIMARY KEY,
    coat lib.coat, colors lib.color[] DEFAULT '{red}', name text COLLATE lib.plain, span lib.span,
    i int CHECK (lib.half(i) < 1000), q int GENERATED ALWAYS AS (lib.quarter(i)) STORED, paint lib.paint,
    other bigint DEFAULT nextval('"odd ""name".numbers'));
CREATE INDEX ON app.things (lib.quarter(i));
CREATE INDEX ON app.things USING hash (paint lib.paint_ops);
CREATE INDEX ON app.things USING gin (to_tsvector('lib.plain_text', name));
CREATE TRIGGER touch BEFORE UPDATE ON app.things FOR EACH ROW EXECUTE FUNCTION lib.touch();
ALTER TABLE app.things ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON app.things USING (lib.allowed(i));
CREATE RULE never AS ON DELETE TO app.things WHERE lib.half(old.i) = 0 DO INSTEAD NOTHING;
INSERT INTO app.things (coat, span, i, paint)
SELECT '(red,"{1,2}")', '[a,b)', n, '(red,)' FROM generate_series(1, 20) n;
"""
NUMBERS = 'odd "name'
MADE = """
SELECT oid::regtype::text
FROM pg_type t
WHERE typnamespace = 'lib'::regnamespace AND typtype <> 'm'
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'lib'::regnamespace ORDER BY 1"""


@pytest.fixture
def library(source_database: Database) -> Database:
    """A table that needs all kinds of things of other schemas, which hold more than that."""
    source_database.execute(LIBRARY + MORE + TABLE)
    return source_database


def test_a_table_brings_all_that_it_needs_and_nothing_else(all_servers: list[Server]) -> None:
    for server in all_servers:
        with fresh_database(server, "source") as source, fresh_database(server, "target") as target:
            source.execute(LIBRARY + MORE + TABLE)
            plan = clone(source, target, table_request("app", "things"))
            assert plan.notes == ()
            assert definitions(target) == wanted(server, LIBRARY + TABLE)
            assert contents(target, "app") == contents(source, "app")
            assert contents(target, NUMBERS) == contents(source, NUMBERS)


def test_from_the_oldest_server_to_the_newest(all_servers: list[Server]) -> None:
    oldest, newest = all_servers[0], all_servers[-1]
    with fresh_database(oldest, "source") as source, fresh_database(newest, "target") as target:
        source.execute(LIBRARY + MORE + TABLE)
        clone(source, target, table_request("app", "things"))
        assert definitions(target) == wanted(newest, LIBRARY + TABLE)
        assert contents(target, "app") == contents(source, "app")


@pytest.mark.parametrize("conflict", ["replace", "rename"])
def test_where_the_table_is_there_and_what_it_needs_is_not(
    conflict: str, library: Database, target_database: Database
) -> None:
    target_database.execute("CREATE SCHEMA app; CREATE TABLE app.things (id int); INSERT INTO app.things VALUES (1)")
    library.execute("ALTER DOMAIN lib.coat DROP CONSTRAINT layered")  # which would come with the swap
    request = table_request("app", "things", conflict=conflict)
    with planned(library, target_database, request) as (plan, keeper):
        carry_out(plan, keeper, target_database, stop_before="swap")
        assert target_database.rows("SELECT id FROM app.things") == [(1,)]
    # That job ends here.  The next one finds what it has brought.
    for statement in plan.on_failure:
        target_database.execute(statement.sql)
    clone(library, target_database, request)
    proven = LIBRARY + "ALTER DOMAIN lib.coat DROP CONSTRAINT layered"
    assert definitions(target_database, "-n", "lib") == wanted(target_database.server, proven, "-n", "lib")
    assert definitions(target_database, "-t", "app.things") == definitions(library, "-t", "app.things")
    assert contents(target_database, "app")["things"] == contents(library, "app")["things"]


def test_without_rows_sequences_are_at_their_start(library: Database, target_database: Database) -> None:
    clone(library, target_database, table_request("app", "things", include_data=False))
    assert definitions(target_database) == wanted(target_database.server, LIBRARY + TABLE)
    assert contents(target_database, NUMBERS) == {"numbers": (5, False)}


def test_under_another_name_what_it_needs_keeps_its_own(library: Database, target_database: Database) -> None:
    clone(library, target_database, table_request("app", "things", "copies"))
    assert definitions(target_database, "-n", "lib") == wanted(target_database.server, LIBRARY, "-n", "lib")
    assert contents(target_database, "app")["copies"] == contents(library, "app")["things"]


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({"columns": ["id", "i"], "indexes": False, "constraints": False, "triggers": False},
         ["lib.allowed(integer)", "lib.half(integer)", "lib.number"]),
        ({"columns": ["colors"]}, ["lib.color", "lib.touch()"]),
        ({"columns": ["colors"], "triggers": False}, ["lib.color"]),
        ({"columns": ["other"], "triggers": False}, []),
        ({"columns": ["q"]}, ["lib.touch()"]),
        ({"columns": ["i"], "triggers": False, "indexes": False}, ["lib.allowed(integer)", "lib.half(integer)"]),
        ({"columns": ["i", "q"], "triggers": False, "constraints": False},
         ["lib.allowed(integer)", "lib.half(integer)", "lib.quarter(integer)"]),
    ],
)  # fmt: skip
def test_only_what_the_chosen_parts_need(
    options: dict[str, object], made: list[str], library: Database, target_database: Database
) -> None:
    clone(library, target_database, table_request("app", "things", **options))
    there = target_database.value("SELECT to_regnamespace('lib')")
    assert [name for (name,) in (target_database.rows(MADE) if there else [])] == made


def test_what_is_there_stays_and_is_named_if_it_differs(library: Database, target_database: Database) -> None:
    target_database.execute(
        LIBRARY.replace("'it''s green'", "'it''s green', 'blue'").replace("AS 'SELECT true'", "AS 'SELECT $1 > 0'")
    )
    plan = clone(library, target_database, table_request("app", "things"))
    why = "exists on the target and is left as it is, though it differs there"
    assert dict(plan.notes) == {
        "routine lib.allowed(integer)": why,
        "type lib.color": f"{why}: 'red', 'it''s green', 'blue'; on the source 'red', 'it''s green'",
    }


def test_rows_that_break_an_unproven_constraint_of_a_domain_arrive(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE DOMAIN app.d AS int; CREATE TABLE app.t (v app.d); INSERT INTO app.t VALUES (-1);"
        "ALTER DOMAIN app.d ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID"
    )
    clone(source_database, target_database, table_request("app", "t"))
    assert definitions(target_database) == definitions(source_database)
    assert contents(target_database, "app") == contents(source_database, "app")


def test_a_table_that_is_left_as_it_is_needs_nothing(library: Database, target_database: Database) -> None:
    target_database.execute("CREATE SCHEMA app; CREATE TABLE app.things (id int)")
    plan = clone(library, target_database, table_request("app", "things", conflict="skip"))
    assert dict(plan.notes)["table app.things"] == "exists on the target and is left as it is"
    assert target_database.value("SELECT to_regnamespace('lib')") is None


def test_a_sequence_that_is_there_keeps_its_value(library: Database, target_database: Database) -> None:
    target_database.execute(f'{LIBRARY} SELECT setval(\'"odd ""name".numbers\', 100)')
    clone(library, target_database, table_request("app", "things"))
    assert contents(target_database, NUMBERS) == {"numbers": (100, True)}


def test_a_function_of_the_tables_own_row_comes_behind_it(source_database: Database, target_database: Database) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE SCHEMA lib; CREATE TABLE app.t (i int PRIMARY KEY);"
        "CREATE FUNCTION lib.good(app.t) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1.i > 0';"
        "CREATE FUNCTION lib.better(app.t) RETURNS bool IMMUTABLE LANGUAGE sql RETURN lib.good($1);"
        "ALTER TABLE app.t ADD CONSTRAINT good CHECK (lib.better(t)); INSERT INTO app.t VALUES (1)"
    )
    clone(source_database, target_database, table_request("app", "t"))
    assert definitions(target_database) == definitions(source_database)


def test_a_sequence_of_another_table_comes_as_one_of_nobody(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE TABLE app.first (id serial); INSERT INTO app.first DEFAULT VALUES;"
        "CREATE TABLE app.second (id int DEFAULT nextval('app.first_id_seq'))"
    )
    plan = clone(source_database, target_database, table_request("app", "second"))
    assert plan.notes == ()
    target_database.execute("INSERT INTO app.second DEFAULT VALUES")
    assert target_database.rows("SELECT id FROM app.second") == [(2,)]


def test_its_own_sequence_is_no_need(source_database: Database, target_database: Database) -> None:
    source_database.execute("CREATE SCHEMA app; CREATE TABLE app.t (id serial, i int GENERATED ALWAYS AS IDENTITY)")
    plan = clone(source_database, target_database, table_request("app", "t"))
    assert plan.steps[0].key == "definitions"
    assert definitions(target_database) == definitions(source_database)


def test_partitions_bring_what_they_need(source_database: Database, target_database: Database) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE SCHEMA lib; CREATE TYPE lib.kind AS ENUM ('a', 'b');"
        "CREATE FUNCTION lib.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';"
        "CREATE TABLE app.t (i int, k lib.kind) PARTITION BY LIST (k);"
        "CREATE TABLE lib.a PARTITION OF app.t FOR VALUES IN ('a') PARTITION BY HASH (lib.f(i));"
        "CREATE TABLE lib.a0 PARTITION OF lib.a FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
        "CREATE INDEX ON lib.a0 (lib.f(i)); INSERT INTO app.t VALUES (1, 'a')"
    )
    clone(source_database, target_database, table_request("app", "t"))
    assert definitions(target_database) == definitions(source_database)
    assert contents(target_database, "lib") == contents(source_database, "lib")


def test_tables_are_not_brought_and_what_needs_them_is_said(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE SCHEMA lib; CREATE TABLE lib.log (id int PRIMARY KEY);"
        "CREATE TABLE app.t (id int REFERENCES lib.log);"
        "CREATE RULE logged AS ON INSERT TO app.t DO ALSO INSERT INTO lib.log VALUES (new.id);"
        "CREATE POLICY known ON app.t USING (id IN (SELECT id FROM lib.log)); CREATE PUBLICATION news FOR TABLE app.t"
    )
    plan = clone(source_database, target_database, table_request("app", "t"))
    missing = "the table lib.log does not exist on the target"
    assert dict(plan.notes) == {
        "foreign key t_id_fkey on app.t": missing,
        "rule logged on app.t": missing,
        "policy known on app.t": missing,
        "publication news": "publishes app.t, and is not part of this clone",
    }
    # Without this one there would be more to see than on the source.
    source_database.execute("CREATE POLICY strict ON app.t AS RESTRICTIVE USING (id IN (SELECT id FROM lib.log))")
    with pytest.raises(PgError, match=r"policy strict on app\.t needs lib\.log") as caught:
        clone(source_database, target_database, table_request("app", "t", "u"))
    assert caught.value.sqlstate == "42P01"


def test_a_foreign_key_needs_a_key_on_the_target(source_database: Database, target_database: Database) -> None:
    source_database.execute(
        "CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY, u int UNIQUE);"
        "CREATE TABLE app.t (a int REFERENCES app.a, u int REFERENCES app.a (u))"
    )
    target_database.execute("CREATE SCHEMA app; CREATE TABLE app.a (id int PRIMARY KEY, u int)")
    found = skipped(source_database, target_database, table_request("app", "t"), "postgres")
    assert found == {"foreign key t_u_fkey on app.t": "42830"}
    assert target_database.value("SELECT conname FROM pg_constraint WHERE contype = 'f'") == "t_a_fkey"


def test_a_resumed_job_plans_the_same_although_needs_are_met_by_now(
    library: Database, target_database: Database
) -> None:
    request = table_request("app", "things")
    with planned(library, target_database, request) as (first, keeper):
        done = carry_out(first, keeper, target_database, stop_before="constraints")
    with planned(library, target_database, request, done=done) as (second, keeper):
        assert [step.key for step in second.steps] == [step.key for step in first.steps]
        left = [[step for step in plan.steps if step.key not in done] for plan in (first, second)]
        assert left[0] == left[1]
