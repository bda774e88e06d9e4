"""Which steps of a plan may run at the same time: none that lock each other out for good."""

from __future__ import annotations

from clone_engine.records.steps import Copy, Plan, Run
from tests.clone.serial import case, planned, schema_request
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
