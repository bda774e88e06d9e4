"""The job process with hand-made plans on real servers: what arrives, what is said, how it works in parallel."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from clone_engine.records.channel import Advanced
from clone_engine.records.phases import CLEANING_UP, PHASES, PLANNING, SNAPSHOT, STARTING
from proxy.embedded import Server
from tests.faults.halting import go_on, until_asleep
from tests.harness.servers import PASSWORD, fresh_database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import Clone, as_conninfo, cloning
from tests.integration.shop import (
    BIG_ROWS,
    CONTENTS,
    DEFINITIONS,
    HALT,
    SHOP,
    TARGET_TABLES,
    copy,
    plan,
    run,
    statements,
    whole_plan,
)

KEYS = {"definitions", "table shop.customers", "table shop.orders", "table shop.nothing", "pk", "index", "fk"}


def assert_same_contents(clone: Clone) -> None:
    for table in ("customers", "orders", "nothing"):
        assert clone.target.rows(CONTENTS.format(table)) == clone.source.rows(CONTENTS.format(table))


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_plan_is_carried_out(clone: Clone, parallel: int) -> None:
    job = clone.run(whole_plan(clone.source, 5), parallel)
    ended = job.wait()
    assert (ended.status, ended.error) == ("completed", "")
    assert_same_contents(clone)
    assert clone.target.value("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'orders_%fkey'") == 1
    assert set(job.done()) == KEYS
    assert len(job.done()) == len(KEYS)
    seen = [message.progress for message in job.all(Advanced)]
    last = seen[-1]
    assert (last.pct_complete, last.tables_total, last.tables_completed) == (100.0, 3, 3)
    assert last.rows_copied == BIG_ROWS + 1000
    size = clone.source.value("SELECT sum(length(t::text)) FROM shop.orders t")
    assert 0.5 * size < last.bytes_copied < 2 * size
    for before, after in pairwise(seen):
        assert before.pct_complete <= after.pct_complete
        assert before.tables_completed <= after.tables_completed
    phases = list(dict.fromkeys(progress.phase for progress in seen))
    assert set(phases) <= PHASES.keys()
    own = [phase for phase in phases if phase in (SNAPSHOT, STARTING, PLANNING, CLEANING_UP, "completed")]
    assert own == [SNAPSHOT, STARTING, PLANNING, CLEANING_UP, "completed"]
    assert job.errors() == ""
    clone.assert_gone()


def test_every_server_version(all_servers: list[Server], tmp_path: Path) -> None:
    for server in all_servers:
        with fresh_database(server) as source, fresh_database(server) as target, cloning(source, target, tmp_path) as c:
            source.execute(SHOP)
            assert c.run(whole_plan(source, 3), 2).wait().status == "completed"
            assert_same_contents(c)
            c.assert_gone()


def test_copiers_work_at_once(clone: Clone) -> None:
    """Four tables of which each takes some seconds: four backends are busy on either side at the same moment."""
    slow = "COPY (SELECT a FROM (VALUES (1)) v(a), pg_sleep(3)) TO STDOUT"
    tables = [
        copy(f"t{i}", copy_out=slow, copy_in="COPY shop.nothing FROM STDIN", after=("definitions",)) for i in range(4)
    ]
    job = clone.run(plan(DEFINITIONS, *tables), 4)
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' AND datname = '{}'"
    for database in (clone.source, clone.target):
        wait_until(lambda d=database: d.value(active.format(d.name)) == 4, 20, "4 backends at work")
    assert len(job.copiers()) == 4
    assert job.wait().status == "completed"


@pytest.mark.parametrize("looked_at", [True, False])
def test_rows_arrive_frozen_unless_somebody_looks_at_the_empty_table(clone: Clone, looked_at: bool) -> None:
    """For emptying it, without which they cannot, would wait for them."""
    halting = run("halting", "SELECT public.wait_for_it()", after=("definitions",))
    rows = copy("orders", after=("halting",), frozen_in="COPY shop.orders FROM STDIN (FREEZE)")
    clone.target.execute(HALT)
    job = clone.run(plan(DEFINITIONS, halting, rows))
    until_asleep(clone.target)
    with clone.target.connect() as reader:
        reader.execute("BEGIN")
        if looked_at:
            reader.execute("SELECT count(*) FROM shop.orders")
        assert go_on(job, clone.target).error == ""
    emptied = clone.target.value("SELECT relfilenode <> oid FROM pg_class WHERE oid = 'shop.orders'::regclass")
    assert emptied is not looked_at
    assert clone.target.rows(CONTENTS.format("orders")) == clone.source.rows(CONTENTS.format("orders"))


def test_idle_copiers_do_not_connect(clone: Clone) -> None:
    job = clone.run(plan(DEFINITIONS, run("late", "SELECT pg_sleep(2)", after=("definitions",))), 8)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(2)'"
    wait_until(lambda: clone.target.value(asleep), 20, "the second step")
    assert len([side for side, _ in clone.backends() if side == "target"]) == 2  # a copier's and the job process's
    assert job.wait().status == "completed"


def test_progress_is_told_while_nothing_moves(clone: Clone) -> None:
    job = clone.run(plan(run("definitions", "SELECT pg_sleep(2)")))
    assert job.wait().status == "completed"
    assert len([m for m in job.all(Advanced) if m.progress.phase == "creating indexes"]) >= 3


def test_sessions_survive_the_servers_timeouts(clone: Clone) -> None:
    for database in (clone.source, clone.target):
        for setting in ("idle_in_transaction_session_timeout", "idle_session_timeout", "statement_timeout"):
            database.execute(f"ALTER DATABASE {database.name} SET {setting} = '700ms'")
    job = clone.run(plan(run("definitions", *TARGET_TABLES, "SELECT pg_sleep(2)"), copy("customers")), 2)
    assert job.wait().error == ""
    assert clone.target.value("SELECT count(*) FROM shop.customers") == 1000


def test_a_step_inherits_nothing_from_another(clone: Clone) -> None:
    clone.target.execute("CREATE TABLE public.seen (name text, value text)")
    settings = "('search_path'), ('work_mem'), ('check_function_bodies'), ('synchronous_commit')"
    look = f"INSERT INTO public.seen SELECT n, current_setting(n) FROM (VALUES {settings}) v(n)"
    job = clone.run(
        plan(
            run("a", "SET search_path = public", "SET work_mem = '64kB'"),
            run("b", look, after=("a",)),
        )
    )
    assert job.wait().error == ""
    assert dict(clone.target.rows("SELECT * FROM public.seen")) == {
        "search_path": '""',
        "work_mem": clone.target.value("SHOW work_mem"),
        "check_function_bodies": "off",
        "synchronous_commit": "off",
    }


def test_tolerated_statements_are_reported_and_leave_the_rest(clone: Clone) -> None:
    step = DEFINITIONS
    refused = statements("ALTER TABLE shop.orders OWNER TO nobody_at_all", tolerated=True)
    late = statements("COMMENT ON TABLE shop.orders IS 'made'")
    job = clone.run(
        plan(run("definitions"), type(step)(key="x", phase="", statements=step.statements + refused + late))
    )
    assert job.wait().status == "completed"
    assert job.outcomes()["ALTER TABLE shop.orders"] == ("skipped", "42704")
    assert job.outcomes()["CREATE TABLE shop.orders"] == ("done", "")
    assert clone.target.value("SELECT obj_description('shop.orders'::regclass)") == "made"


def test_an_inconsistent_clone_needs_no_snapshot(clone: Clone) -> None:
    job = clone.run(whole_plan(clone.source, 2), 2, consistent=False)
    assert job.wait().status == "completed"
    assert_same_contents(clone)


def test_secrets_are_nowhere_to_be_seen(scram_server: Server, tmp_path: Path) -> None:
    with fresh_database(scram_server) as source, fresh_database(scram_server) as target:
        source.execute(SHOP)
        with cloning(source, target, tmp_path) as clone:
            job = clone.run(plan(run("definitions", *TARGET_TABLES, "SELECT pg_sleep(1)"), copy("customers")), 2)
            wait_until(lambda: clone.backends("active"), 20, "the job at work")
            for pid in [job.process.pid, *job.copiers()]:
                for file in ("cmdline", "environ"):
                    assert PASSWORD.encode() not in Path(f"/proc/{pid}/{file}").read_bytes().replace(b"\0", b" ")
            assert job.wait().status == "completed"
            assert all(PASSWORD not in text for text in (job.errors(), repr(job.said)))


def test_a_wrong_password_is_said_without_it(scram_server: Server, tmp_path: Path) -> None:
    with (
        fresh_database(scram_server) as source,
        fresh_database(scram_server) as target,
        cloning(source, target, tmp_path) as clone,
    ):
        job = clone.run(plan(), source=as_conninfo(source, password="canary in vain"))
        ended = job.wait()
        assert (ended.status, ended.sqlstate) == ("failed", "28P01")
        assert ended.error.startswith("pgclone: could not connect to source: ")
        assert "canary" not in ended.error + job.errors() + repr(job.said)


def test_no_ambient_password_is_used(scram_server: Server, tmp_path: Path) -> None:
    """PGPASSWORD reaches the process, which forgets it before it connects."""
    with fresh_database(scram_server) as source, cloning(source, source, tmp_path) as clone:
        nobody = as_conninfo(source)
        del nobody.parameters["password"]
        job = clone.run(plan(), source=nobody, environment={"PGPASSWORD": PASSWORD})
        assert job.wait().sqlstate == "28P01"
