"""What the target has already is refused, left, replaced or moved away, and is never lost or added to."""

from __future__ import annotations

import msgspec
import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.steps import AnyStep, Copy
from tests.clone.serial import (
    carry_out,
    case,
    clone,
    contents,
    planned,
    schema_definitions,
    schema_request,
    table_request,
    undo,
)
from tests.harness.servers import Database

SMALL = """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('ok');
CREATE FUNCTION app.twice(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i * 2';
CREATE TABLE app.parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m app.mood);
CREATE TABLE app.child (id serial PRIMARY KEY, parent int REFERENCES app.parent, d int DEFAULT app.twice(2));
CREATE INDEX by_parent ON app.child (parent);
CREATE STATISTICS app.stats ON id, parent FROM app.child;
CREATE VIEW app.both AS SELECT c.id, p.m FROM app.child c JOIN app.parent p ON p.id = c.parent;
CREATE MATERIALIZED VIEW app.stored AS SELECT * FROM app.both;
CREATE UNIQUE INDEX stored_key ON app.stored (id);
CREATE FUNCTION app.of_child(c app.child) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.atomic() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM app.child; END;
CREATE SEQUENCE app.single;
CREATE FUNCTION app.tr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE INSERT ON app.child FOR EACH ROW EXECUTE FUNCTION app.tr();
ALTER TABLE app.child ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.child USING (d > 0);
INSERT INTO app.parent (m) SELECT 'ok' FROM generate_series(1, {rows});
INSERT INTO app.child (parent) SELECT i FROM generate_series(1, {rows}) i;
SELECT setval('app.single', {rows});
REFRESH MATERIALIZED VIEW app.stored;
"""


@pytest.fixture
def both(source_database: Database, target_database: Database) -> tuple[Database, Database]:
    """A source with twenty rows in each table, and a target with the same schema and three."""
    source_database.execute(SMALL.format(rows=20))
    target_database.execute(SMALL.format(rows=3))
    return source_database, target_database


def test_error_changes_nothing_and_names_table_and_way_out(both: tuple[Database, Database]) -> None:
    source, target = both
    before = schema_definitions(target, "app"), contents(target, "app")
    with pytest.raises(PgError) as caught:
        clone(source, target, schema_request("app"))
    assert caught.value.sqlstate == "42P07"
    assert '"app"."child"' in caught.value.message
    assert "conflict" in caught.value.hint
    with pytest.raises(PgError) as caught:
        clone(source, target, table_request("app", "parent"))
    assert caught.value.sqlstate == "42P07"
    assert (schema_definitions(target, "app"), contents(target, "app")) == before


@pytest.mark.parametrize(
    ("there", "sqlstate"),
    [
        ("CREATE VIEW app.child AS SELECT 1", "42P07"),
        ("CREATE SEQUENCE app.child_id_seq", "42P07"),
        ("CREATE TABLE app.other (id int); CREATE INDEX by_parent ON app.other (id)", "42P07"),
        ("CREATE TYPE app.mood AS ENUM ()", "42710"),
        ("CREATE FUNCTION app.twice(integer) RETURNS text LANGUAGE sql AS 'SELECT 1'", "42710"),
        ("CREATE TABLE app.both ()", "42P07"),
    ],
)
def test_error_also_for_other_objects(
    there: str, sqlstate: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(SMALL.format(rows=20))
    target_database.execute(f"CREATE SCHEMA app; {there}")
    with pytest.raises(PgError) as caught:
        clone(source_database, target_database, schema_request("app"))
    assert caught.value.sqlstate == sqlstate


def test_other_overloads_are_no_conflict(source_database: Database, target_database: Database) -> None:
    source_database.execute(SMALL.format(rows=20))
    target_database.execute("CREATE SCHEMA app; CREATE FUNCTION app.twice(text) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    clone(source_database, target_database, schema_request("app"))
    assert contents(target_database, "app") == contents(source_database, "app")


def test_skip_leaves_everything_that_is_there(both: tuple[Database, Database]) -> None:
    source, target = both
    before = schema_definitions(target, "app"), contents(target, "app")
    source.execute(
        "CREATE TABLE app.fresh (id serial PRIMARY KEY, p int REFERENCES app.parent);"
        "INSERT INTO app.fresh DEFAULT VALUES"
    )
    plan = clone(source, target, schema_request("app", conflict="skip"))
    assert {"table app.child", "table app.parent", "type app.mood", "view app.both"} <= {note[0] for note in plan.notes}
    assert target.value("SELECT count(*) FROM app.fresh") == 1
    target.execute("INSERT INTO app.fresh DEFAULT VALUES; DROP TABLE app.fresh")
    assert (schema_definitions(target, "app"), contents(target, "app")) == before


@pytest.mark.parametrize("latest_first", [False, True])
def test_replace_gives_the_source(latest_first: bool, both: tuple[Database, Database]) -> None:
    source, target = both
    source.execute("ALTER TABLE app.child ADD extra text DEFAULT 'x'")
    clone(source, target, schema_request("app", conflict="replace"), latest_first=latest_first)
    assert schema_definitions(target, "app") == schema_definitions(source, "app")
    assert contents(target, "app") == contents(source, "app")
    assert target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'") == []
    target.execute("INSERT INTO app.parent (m) VALUES ('ok'); INSERT INTO app.child (parent) VALUES (21)")


@pytest.mark.parametrize("name", ["everyday", "shapes", "dependencies", "names"])
def test_replace_of_anything_by_itself(name: str, source_database: Database, target_database: Database) -> None:
    script, schema = case(name)
    source_database.execute(script)
    target_database.execute(script)
    if name == "everyday":  # what the target gives to new tables by itself is the target's business
        target_database.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM PUBLIC")
    if name == "dependencies":  # a table with a view's row type: the server refuses to drop the view
        for database in (source_database, target_database):
            database.execute("ALTER TABLE app.with_rows DROP COLUMN g")
    clone(source_database, target_database, schema_request(schema, conflict="replace"))
    assert schema_definitions(target_database, schema) == schema_definitions(source_database, schema)
    assert contents(target_database, schema) == contents(source_database, schema)


def test_replace_of_some_tables_makes_the_others_too(both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute("DROP TABLE app.child CASCADE")
    clone(source, target, schema_request("app", conflict="replace"))
    assert schema_definitions(target, "app") == schema_definitions(source, "app")
    assert contents(target, "app") == contents(source, "app")


NOT_MADE_ANEW = {
    "CREATE VIEW mine.report AS SELECT * FROM app.parent": "view mine.report",
    "CREATE VIEW mine.report AS SELECT * FROM app.both": "view mine.report",
    "CREATE TABLE mine.t (); CREATE POLICY p ON mine.t USING (EXISTS (TABLE app.child))": "policy p on mine.t",
    "CREATE FUNCTION mine.f(app.child) RETURNS int LANGUAGE sql AS 'SELECT 1'": "function mine.f(app.child)",
}


@pytest.mark.parametrize("there", NOT_MADE_ANEW)
def test_replace_refuses_before_anything_is_made(there: str, both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute(f"CREATE SCHEMA mine; {there}")
    with pytest.raises(PgError) as caught, planned(source, target, schema_request("app", conflict="replace")):
        pass
    assert caught.value.sqlstate == "2BP01"
    assert NOT_MADE_ANEW[there] in caught.value.message and NOT_MADE_ANEW[there] in caught.value.detail


def test_rename_says_what_stays_with_the_old_table(both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute("CREATE SCHEMA mine; CREATE VIEW mine.report AS SELECT id FROM app.parent")
    target.execute("CREATE TABLE mine.t (p int CONSTRAINT k REFERENCES app.parent); INSERT INTO mine.t VALUES (1)")
    plan = clone(source, target, schema_request("app", conflict="rename"))
    stays = "stays with the old table, under that table's new name"
    assert {"view mine.report": stays, "foreign key k on mine.t": stays}.items() <= dict(plan.notes).items()
    assert target.value("SELECT count(*) FROM mine.report") == 3
    assert target.value("SELECT 'app.parent_old'::regclass = confrelid FROM pg_constraint WHERE conname = 'k'")


def test_rename_refuses_to_drop_a_view_that_others_read(both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute("CREATE SCHEMA mine; CREATE VIEW mine.report AS SELECT id FROM app.both")
    with pytest.raises(PgError, match=r"view mine\.report depends on") as caught:
        clone(source, target, schema_request("app", conflict="rename"))
    assert caught.value.sqlstate == "2BP01"


INCOMING = """
CREATE SCHEMA mine;
CREATE TABLE mine.t (p int CONSTRAINT "k ""1"" x" REFERENCES app.parent ON DELETE CASCADE DEFERRABLE, q int);
COMMENT ON CONSTRAINT "k ""1"" x" ON mine.t IS 'it''s kept';
INSERT INTO mine.t VALUES (2, 99);
CREATE TABLE mine.parts (p int REFERENCES app.child) PARTITION BY LIST (p);
CREATE TABLE mine.part_1 PARTITION OF mine.parts FOR VALUES IN (1);
INSERT INTO mine.parts VALUES (1);
"""


@pytest.mark.parametrize("latest_first", [False, True])
def test_replace_keeps_foreign_keys_of_other_tables(latest_first: bool, both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute(INCOMING)
    target.execute("ALTER TABLE mine.t ADD CONSTRAINT unproven FOREIGN KEY (q) REFERENCES app.parent NOT VALID")
    before = schema_definitions(target, "mine")
    clone(source, target, schema_request("app", conflict="replace"), latest_first=latest_first)
    assert schema_definitions(target, "mine") == before
    assert schema_definitions(target, "app") == schema_definitions(source, "app")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        target.execute("INSERT INTO mine.t VALUES (21)")


@pytest.mark.parametrize(
    ("before_it", "sqlstate"),
    [
        ("DELETE FROM app.child; DELETE FROM app.parent WHERE id = 2", "23503"),
        ("ALTER TABLE app.parent DROP CONSTRAINT parent_pkey CASCADE", "42830"),
        ("ALTER TABLE app.parent ADD above int REFERENCES app.parent; SET session_replication_role = replica;"
         "UPDATE app.parent SET above = -1 WHERE id = 5", "23503"),
        ("CREATE MATERIALIZED VIEW app.bad AS SELECT 1 / nullif(d, 3) FROM app.child;"
         "SET session_replication_role = replica; UPDATE app.child SET d = 0", "22012"),
    ],
)  # fmt: skip
def test_a_replace_that_fails_changes_nothing(before_it: str, sqlstate: str, both: tuple[Database, Database]) -> None:
    """Foreign keys, of the clone and of others, and materialized views are made before or with the swap, not behind."""
    source, target = both
    target.execute(INCOMING)
    source.execute(before_it)
    before = [(schema_definitions(target, s), contents(target, s)) for s in ("app", "mine")]
    with planned(source, target, schema_request("app", conflict="replace")) as (plan, keeper):
        with pytest.raises(psycopg.Error) as caught:
            carry_out(plan, keeper, target)
        assert caught.value.sqlstate == sqlstate
        undo(plan, target)
    assert [(schema_definitions(target, s), contents(target, s)) for s in ("app", "mine")] == before


def test_replace_does_not_drop_what_options_leave_out(both: tuple[Database, Database]) -> None:
    """Guards against a materialized view that was dropped with its tables and not made anew."""
    source, target = both
    with pytest.raises(PgError, match=r"materialized view app\.stored depends on .* options leave it out") as caught:
        clone(source, target, schema_request("app", conflict="replace", matviews=False))
    assert caught.value.sqlstate == "2BP01"


@pytest.mark.parametrize("conflict", ["replace", "rename"])
def test_nothing_is_changed_before_the_swap(conflict: str, both: tuple[Database, Database]) -> None:
    source, target = both
    before = schema_definitions(target, "app"), contents(target, "app")
    with planned(source, target, schema_request("app", conflict=conflict)) as (plan, keeper):
        done = carry_out(plan, keeper, target, stop_before="swap")
        assert "table app.child" in done
        assert contents(target, "app") == before[1]
        undo(plan, target)
    assert (schema_definitions(target, "app"), contents(target, "app")) == before


def test_rename_moves_the_old_table_with_all_that_is_its_own(both: tuple[Database, Database]) -> None:
    source, target = both
    for number, suffix in enumerate(["_old", "_old2", "_old3"], 1):
        clone(source, target, schema_request("app", conflict="rename"))
        now = contents(target, "app")
        assert {name: now[name] for name in contents(source, "app")} == contents(source, "app")
        assert now[f"child{suffix}"][0] == (3 if number == 1 else 20)
        names = {row[0] for row in target.rows("SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace")}
        assert {f"child_pkey{suffix}", f"by_parent{suffix}", f"child_id_seq{suffix}", f"parent_id_seq{suffix}"} <= names
    target.execute("INSERT INTO app.child_old (parent) VALUES (1); INSERT INTO app.child (parent) VALUES (1)")
    assert target.value("SELECT max(id) FROM app.child_old") == 4
    assert target.value("SELECT max(id) FROM app.child") == 21


@pytest.mark.parametrize("name", ["everyday", "shapes", "names"])
def test_rename_of_anything_keeps_the_old_rows(name: str, source_database: Database, target_database: Database) -> None:
    script, schema = case(name)
    source_database.execute(script)
    target_database.execute(script)
    before = contents(target_database, schema)
    clone(source_database, target_database, schema_request(schema, conflict="rename"), latest_first=True)
    after = contents(target_database, schema)
    assert {key: after[key] for key in before} == before
    tables = {row[0] for row in target_database.rows("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    new = [name for name in after.keys() - before.keys() if name in tables]
    assert len(new) == len(before.keys() & tables)
    assert sum(after[name][0] for name in new) == sum(before[name][0] for name in before.keys() & tables)


def test_renamed_names_fit_into_63_bytes(source_database: Database, target_database: Database) -> None:
    name = "é" * 31
    script = f'CREATE TABLE "{name}" (id serial PRIMARY KEY); INSERT INTO "{name}" DEFAULT VALUES'
    source_database.execute(script)
    target_database.execute(script)
    clone(source_database, target_database, table_request("public", name, conflict="rename"))
    names = [
        row[0]
        for row in target_database.rows(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    ]
    assert sorted(names) == sorted([name, "é" * 29 + "_old"])


@pytest.mark.parametrize("conflict", ["replace", "rename"])
def test_one_table_under_another_name(conflict: str, both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute("CREATE TABLE app.kids (x int PRIMARY KEY); INSERT INTO app.kids VALUES (1)")
    clone(source, target, table_request("app", "child", "kids", conflict=conflict))
    assert target.value("SELECT count(*) FROM app.kids") == 20
    assert target.value("SELECT count(*) FROM app.child") == 3
    assert target.value("SELECT to_regclass('app.kids_old') IS NOT NULL") == (conflict == "rename")
    assert target.value("SELECT count(*) FROM pg_index WHERE indrelid = 'app.kids'::regclass") == 2
    assert (
        target.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.kids'::regclass AND NOT tgisinternal") == 1
    )


def test_a_view_is_not_replaced_by_a_table(source_database: Database, target_database: Database) -> None:
    source_database.execute(SMALL.format(rows=20))
    target_database.execute("CREATE SCHEMA app; CREATE VIEW app.parent AS SELECT 1")
    with pytest.raises(PgError) as caught:
        clone(source_database, target_database, schema_request("app", conflict="replace"))
    assert caught.value.sqlstate == "42809"


def work(step: AnyStep) -> AnyStep:
    """What is done, but for when: a resumed job has the rows come before the foreign keys."""
    when = {"replica": False} if isinstance(step, Copy) else {}
    return msgspec.structs.replace(step, after=(), weight=0, holds=(), **when)


@pytest.mark.parametrize("conflict", ["error", "skip"])
def test_a_resumed_job_plans_what_is_left(conflict: str, source_database: Database, target_database: Database) -> None:
    source_database.execute(SMALL.format(rows=20))
    if conflict == "skip":
        target_database.execute("CREATE SCHEMA app; CREATE TABLE app.parent (id int PRIMARY KEY, m text)")
    request = schema_request("app", conflict=conflict)
    with planned(source_database, target_database, request) as (first, keeper):
        done = carry_out(first, keeper, target_database, stop_before="constraints")
    with planned(source_database, target_database, request, done=done) as (second, keeper):
        assert [step.key for step in second.steps] == [step.key for step in first.steps]
        left = tuple(step for step in second.steps if step.key not in done)
        assert list(map(work, left)) == [work(step) for step in first.steps if step.key not in done]


PARTS = """
CREATE SCHEMA app;
CREATE TABLE app.p (id int) PARTITION BY RANGE (id);
CREATE TABLE app.one PARTITION OF app.p FOR VALUES FROM (1) TO (10);
CREATE TABLE app.two PARTITION OF app.p FOR VALUES FROM (10) TO (20);
INSERT INTO app.p VALUES (1), (11);
"""


@pytest.mark.parametrize(
    ("there", "unattached"),
    [
        ("CREATE TABLE app.p (id int) PARTITION BY RANGE (id)", {"one", "two"}),
        ("CREATE TABLE app.two (id int)", {"two"}),
        (PARTS.partition(";")[2].partition("INSERT")[0], set()),
    ],
    ids=["the partitioned table", "a partition", "all of it"],
)
def test_skip_says_which_partitions_stand_alone(
    source_database: Database, target_database: Database, there: str, unattached: set[str]
) -> None:
    source_database.execute(PARTS)
    target_database.execute(f"CREATE SCHEMA app; {there}")
    plan = clone(source_database, target_database, schema_request("app", conflict="skip"))
    attached = "SELECT inhrelid::regclass::text FROM pg_inherits"
    alone = {f"app.{name}" for name in unattached}
    assert {name for (name,) in target_database.rows(attached)} == {"app.one", "app.two"} - alone
    said = [why for _, why in plan.notes if "not attached" in why]
    assert {why.split()[2] for why in said} == alone
