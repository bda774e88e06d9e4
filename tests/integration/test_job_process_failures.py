"""Failures of a job with hand-made plans on real servers: each is told, nothing stays, collisions are tried again."""

from __future__ import annotations

import pytest

from clone_engine.records.channel import Advanced
from clone_engine.records.request import Conninfo
from tests.harness.waiting import wait_until
from tests.integration.job_phases import FILLED, SLOW, SLOW_COPY, SLOW_INDEX, at_work
from tests.integration.job_runs import Clone
from tests.integration.shop import CONTENTS, DEFINITIONS, TARGET_TABLES, copy, orders_in_parts, plan, run, statements


def test_who_holds_a_lock_is_told(clone: Clone) -> None:
    drop = run("drop", "SET LOCAL lock_timeout = '50ms'", "DROP TABLE shop.customers")
    clone.target.execute(";".join(TARGET_TABLES))
    with clone.target.connect(application_name="a reader") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT FROM shop.customers")
        ended = clone.run(plan(drop)).wait()
        holder = (
            f"process {reader.info.backend_pid} of role postgres (a reader, idle in transaction, on shop.customers)"
        )
    assert (ended.status, ended.sqlstate) == ("failed", "55P03")
    assert f"Locks there are held by {holder}." in ended.error


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_source_that_fails_in_the_middle(clone: Clone, parallel: int) -> None:
    broken = copy("orders", copy_out="COPY (SELECT id, 1 / (id - 200000), note FROM shop.orders) TO STDOUT")
    ended = clone.run(plan(DEFINITIONS, broken, copy("customers")), parallel).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "22012")
    assert ended.error == "table shop.orders: division by zero"
    assert clone.target.value("SELECT count(*) FROM shop.orders") == 0
    clone.assert_gone()


def test_a_target_that_fails(clone: Clone) -> None:
    definitions = run("definitions", *TARGET_TABLES, "CREATE UNIQUE INDEX u ON shop.orders (customer)")
    job = clone.run(plan(definitions, copy("orders")))
    ended = job.wait()
    assert (ended.status, ended.sqlstate) == ("failed", "23505")
    assert ended.error.startswith(
        'table shop.orders: duplicate key value violates unique constraint "u"\nDETAIL:  Key ('
    )
    assert job.outcomes()["table shop.orders"] == ("failed", "23505")
    clone.assert_gone()


def test_a_statement_that_fails_is_named(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, run("index", "CREATE INDEX ON shop.orders (nosuch)", after=("definitions",))))
    ended = job.wait()
    assert (ended.sqlstate, ended.error) == ("42703", 'CREATE INDEX ON: column "nosuch" does not exist')
    assert job.done() == ("definitions",)


def test_the_first_failure_stops_the_others(clone: Clone) -> None:
    broken = run("broken", "SELECT 1 / 0 FROM pg_sleep(0.5)", after=("definitions",), weight=1)
    definitions = run("definitions", *TARGET_TABLES, SLOW, FILLED)
    ended = clone.run(plan(definitions, broken, SLOW_INDEX, SLOW_COPY), 3).wait(20)
    assert ended.sqlstate == "22012"
    clone.assert_gone()


def test_what_is_half_done_is_emptied_and_what_is_complete_stays(clone: Clone) -> None:
    first, *_, last = orders_in_parts(clone.source, 3)
    broken = copy(
        "orders",
        copy_out="COPY (SELECT 1 / 0) TO STDOUT",
        key=last.key,
        parts=3,
        after=(first.key, "table shop.customers"),
    )
    job = clone.run(
        plan(DEFINITIONS, copy("customers"), first, broken, copy("orders", key="third", parts=3, after=(last.key,)))
    )
    assert job.wait().status == "failed"
    assert clone.target.value("SELECT count(*) FROM shop.customers") == 1000
    assert clone.target.value("SELECT count(*) FROM shop.orders") == 0
    assert set(job.done()) == {"definitions", "table shop.customers"}
    assert job.outcomes()["table shop.orders"] == ("failed", "22012")
    assert job.outcomes()["table shop.customers"] == ("done", "")


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_a_plan_is_undone_as_it_says(clone: Clone, how: str) -> None:
    step = run("x", "SELECT 1 / 0" if how == "fails" else "SELECT pg_sleep(60)", after=("definitions",))
    undo = (*statements("DROP TABLE shop.unknown"), *statements("DROP SCHEMA shop CASCADE"))
    job = clone.run(plan(DEFINITIONS, copy("customers"), step, on_failure=undo))
    if how == "is cancelled":
        wait_until(lambda: ("target", "pg_sleep") in at_work(clone), 20, "the second step")
        job.cancel()
    assert job.wait().status == ("failed" if how == "fails" else "cancelled")
    assert clone.target.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'") == 0
    assert job.outcomes()["DROP TABLE shop.unknown"] == ("failed", "42P01")
    assert job.done() == ()  # a resumed job must not build on what was undone


def test_a_target_without_an_answer(clone: Clone) -> None:
    nowhere = Conninfo({"host": "127.0.0.1", "port": "1", "dbname": "x", "user": "x"})
    ended = clone.run(plan(), target=nowhere).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "08001")
    assert ended.error.startswith("pgclone: could not connect to target: ")


def test_a_first_job_does_meet_duplicates(clone: Clone) -> None:
    clone.target.execute("CREATE SCHEMA shop")
    ended = clone.run(plan(DEFINITIONS)).wait()
    assert (ended.sqlstate, ended.error) == ("42P06", 'CREATE SCHEMA shop: schema "shop" already exists')


COLLIDES = "DO $$ BEGIN IF nextval('public.attempts') < 3 THEN RAISE 'collision' USING ERRCODE = '{}'; END IF; END $$"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_step_that_collides_with_others_is_tried_again(clone: Clone, sqlstate: str) -> None:
    clone.target.execute("CREATE SEQUENCE public.attempts")
    again = run("again", COLLIDES.format(sqlstate), after=("definitions",))
    assert clone.run(plan(DEFINITIONS, again)).wait().error == ""
    assert clone.target.value("SELECT last_value FROM public.attempts") == 3


def test_a_copy_that_collides_with_others_is_made_again(clone: Clone) -> None:
    """Its source session was in the middle of sending rows."""
    clone.target.execute(
        "CREATE SEQUENCE public.attempts; CREATE FUNCTION public.collide() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN IF NEW.id = 500 AND nextval('public.attempts') < 3 THEN RAISE 'x' USING ERRCODE = '40P01'; END IF;"
        " RETURN NEW; END $$"
    )
    trigger = "CREATE TRIGGER t BEFORE INSERT ON shop.customers FOR EACH ROW EXECUTE FUNCTION public.collide()"
    definitions = run("definitions", *TARGET_TABLES, trigger)
    job = clone.run(plan(definitions, copy("customers")))
    assert job.wait().error == ""
    assert clone.target.rows(CONTENTS.format("customers")) == clone.source.rows(CONTENTS.format("customers"))
    assert job.all(Advanced)[-1].progress.rows_copied == 1000
    assert clone.target.value("SELECT last_value FROM public.attempts") == 3


def test_a_collision_without_end_fails_the_job(clone: Clone) -> None:
    ended = clone.run(plan(run("never", "DO $$ BEGIN RAISE 'never' USING ERRCODE = '40001'; END $$"))).wait()
    assert (ended.sqlstate, "never" in ended.error) == ("40001", True)
