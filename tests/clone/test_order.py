"""Which steps of a plan may run at the same time: none that lock each other out for good."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import psycopg
import pytest

from clone_engine.records.steps import AnyStep, Copy, Plan, Run
from tests.clone.serial import carry_out, case, definitions, planned, schema_request
from tests.harness.servers import Database


def before(plan: Plan, key: str) -> set[str]:
    """The keys of all steps that come before this one, however far."""
    after = {step.key: step.after for step in plan.steps}
    found: set[str] = set()
    waiting = [key]
    while waiting:
        waiting += (more := set(after[waiting.pop()]) - found)
        found |= more
    return found


def test_owners_change_when_no_foreign_key_is_being_made(source_database: Database, target_database: Database) -> None:
    # Seen as a deadlock: a foreign key locks its two tables, the step of the owners all tables, in pg_dump's order.
    sql, schema = case("everyday")
    source_database.execute(sql)
    with planned(source_database, target_database, schema_request(schema)) as (plan, _):
        pass
    foreign_keys = {step.key for step in plan.steps if step.key.startswith("foreign key")}
    assert foreign_keys
    assert foreign_keys <= before(plan, "owners and privileges")


def test_steps_that_lock_two_tables_say_so(source_database: Database, target_database: Database) -> None:
    sql, schema = case("everyday")
    source_database.execute(sql)
    with planned(source_database, target_database, schema_request(schema)) as (plan, _):
        pass
    for step in plan.steps:
        if step.key.startswith("foreign key"):
            assert step.holds, step.key


def test_no_transaction_holds_the_locks_of_thousands_of_tables(
    source_database: Database, target_database: Database
) -> None:
    """A server that is set up as it comes runs out of shared memory at some ten thousand locks."""
    source_database.execute(
        "CREATE SCHEMA many; DO $$ BEGIN FOR i IN 1..600 LOOP"
        " EXECUTE format('CREATE TABLE many.t%s (id serial)', i); END LOOP; END $$"
    )
    with planned(source_database, target_database, schema_request("many")) as (plan, _):
        steps = {step.key: step for step in plan.steps}
        assert max(len(step.statements) for step in plan.steps if isinstance(step, Run)) < 600
        copies = [step for step in plan.steps if isinstance(step, Copy)]
        definitions = {key for key in steps if key.endswith("definitions")}
        assert len(copies) == 600 and len(definitions) > 2
        assert before(plan, copies[0].key) == definitions
        owners = {key for key in steps if key.endswith("owners and privileges")}
        assert len(owners) > 1
        assert owners < before(plan, "triggers and the rest")


KEYS = """
CREATE SCHEMA k;
CREATE TABLE k.parents (id int PRIMARY KEY, mentor int REFERENCES k.parents, other int UNIQUE);
CREATE TABLE k.children (id int PRIMARY KEY, parent int REFERENCES k.parents ON DELETE CASCADE);
CREATE TABLE k.checked (parent int);
ALTER TABLE k.checked ADD CONSTRAINT later FOREIGN KEY (parent) REFERENCES k.parents NOT VALID;
CREATE TABLE k.parted (parent int REFERENCES k.parents) PARTITION BY LIST (parent);
CREATE TABLE k.part PARTITION OF k.parted DEFAULT;
CREATE TABLE k.chosen (parent int REFERENCES k.parents);
CREATE INDEX slow ON k.parents (mentor);
INSERT INTO k.parents SELECT g, CASE WHEN g > 1 THEN g - 1 END, g FROM generate_series(1, 100) g;
INSERT INTO k.children SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO k.parted SELECT g FROM generate_series(1, 100) g;
"""
EARLY = "foreign key children_parent_fkey of k.children"


def test_a_valid_key_is_made_before_the_rows_come(source_database: Database, target_database: Database) -> None:
    source_database.execute(KEYS)
    options = {"conditions": {"chosen": "parent > 5"}}
    with planned(source_database, target_database, schema_request("k", **options)) as (plan, keeper):
        copies = {step.table: step for step in plan.steps if isinstance(step, Copy)}
        assert [table for table, step in copies.items() if step.replica] == ["k.children"]
        assert before(plan, copies["k.children"].key) >= {EARLY, "constraints of k.parents", copies["k.parents"].key}
        assert EARLY in before(plan, "index k.slow")  # each locks out the other
        assert not any(key.startswith("foreign key") for key in before(plan, EARLY))
        carry_out(plan, keeper, target_database)
    assert definitions(target_database, "--schema=k") == definitions(source_database, "--schema=k")
    assert target_database.value("SELECT count(*) FROM k.children") == 100
    role = f"of_{target_database.name}"
    target_database.execute("DROP SCHEMA k CASCADE")
    target_database.execute(f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {target_database.name} TO {role}")
    with planned(source_database, target_database, schema_request("k"), caller=role) as (plan, _):
        assert not any(step.replica for step in plan.steps if isinstance(step, Copy))
        assert before(plan, EARLY) >= {copies["k.parents"].key, copies["k.children"].key}


def test_nothing_that_locks_a_table_comes_beside_its_analyze(
    source_database: Database, target_database: Database
) -> None:
    """It would wait for the lock, and give up where ANALYZE takes long."""
    source_database.execute(
        "CREATE SCHEMA a; CREATE TABLE a.plain (id int PRIMARY KEY); CREATE TABLE a.told (id int);"
        " CREATE INDEX told_twice ON a.told ((id * 2)); ALTER INDEX a.told_twice ALTER 1 SET STATISTICS 7;"
        " CREATE TABLE a.parted (id int) PARTITION BY LIST (id); CREATE TABLE a.part PARTITION OF a.parted DEFAULT;"
        " CREATE FUNCTION a.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
        " CREATE TRIGGER t BEFORE INSERT ON a.plain FOR EACH ROW EXECUTE FUNCTION a.f()"
    )
    with planned(source_database, target_database, schema_request("a")) as (plan, _):
        at_once = {"analyze a.plain", "analyze a.parted"}
        for last in ("owners and privileges", "triggers and the rest"):
            assert at_once <= before(plan, last)
        assert "triggers and the rest" in before(plan, "analyze a.told")  # it is said there what ANALYZE gathers


def test_a_resumed_job_checks_its_keys(source_database: Database, target_database: Database) -> None:
    """Its snapshot is another: rows may refer to some that came after the earlier one."""
    source_database.execute(KEYS)
    request = schema_request("k")
    with planned(source_database, target_database, request) as (plan, keeper):
        done = carry_out(plan, keeper, target_database, stop_before="table k.children")
    assert EARLY in done
    source_database.execute("INSERT INTO k.parents VALUES (101); INSERT INTO k.children VALUES (101, 101)")
    with planned(source_database, target_database, request, done=done) as (plan, keeper):
        assert not any(step.replica for step in plan.steps if isinstance(step, Copy))
        left = msgspec.structs.replace(plan, steps=tuple(_without(plan, done)))
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            carry_out(left, keeper, target_database)


def _without(plan: Plan, done: list[str]) -> Iterator[AnyStep]:
    """The steps that are left, which wait for each other only."""
    for step in plan.steps:
        if step.key not in done:
            yield msgspec.structs.replace(step, after=tuple(key for key in step.after if key not in done))
