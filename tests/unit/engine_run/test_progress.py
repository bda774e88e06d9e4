"""The progress that users see: percentages, counts, phases, and that nothing goes back."""

from __future__ import annotations

from clone_engine.records.steps import Copy, Run
from clone_engine.running.progress import Account


def run(key: str, phase: str = "creating indexes") -> Run:
    return Run(key=key, phase=phase, statements=())


def copy(key: str, table: str, *, parts: int = 1, rows: int = 0, size: int = 0) -> Copy:
    return Copy(
        key=key,
        phase="copying data",
        table=f"s.{table}",
        display_name=table,
        parts=parts,
        copy_out="",
        copy_in="",
        empty="",
        estimated_rows=rows,
        estimated_bytes=size,
    )


STEPS = (
    run("definitions", "creating table"),
    copy("a1", "a", parts=2, rows=100, size=4000),
    copy("a2", "a", parts=2, rows=100, size=4000),
    copy("b", "b", size=2000),
    run("index"),
)


def account(*done: str) -> Account:
    return Account(STEPS, ("s.a", "s.b"), done)


def test_percentage_is_of_bytes_with_what_is_under_way() -> None:
    a = account()
    assert a.progress().pct_complete == 0
    a.begin("a1")
    a.move("a1", 50, 9999)  # rows are the measure where they are known
    assert a.progress().pct_complete == 20.0
    a.begin("b")
    a.move("b", 7, 500)
    assert a.progress().pct_complete == 25.0
    a.finish("a1", 100, 8000)
    assert a.progress().pct_complete == 45.0


def test_estimates_that_are_too_small_do_not_pass_the_end() -> None:
    a = account()
    for key in ("definitions", "a1", "a2", "b"):
        a.begin(key)
        a.move(key, 10**9, 10**9)
    assert a.progress().pct_complete == 99.0
    for key in ("definitions", "a1", "a2", "b"):
        a.finish(key, 1, 1)
    assert a.progress().pct_complete == 99.9
    assert a.ended().pct_complete == 100.0


def test_nothing_falls_when_a_step_is_done_again() -> None:
    a = account()
    a.begin("a1")
    a.move("a1", 90, 3600)
    before = a.progress()
    a.put_back("a1")
    after = a.progress()
    assert (after.pct_complete, after.rows_copied, after.bytes_copied) == (before.pct_complete, 90, 3600)
    a.begin("a1")
    a.finish("a1", 80, 3000)
    assert a.ended().rows_copied == 80


def test_what_is_reopened_counts_once_in_the_end() -> None:
    a = account()
    a.finish("a1", 100, 4000)
    a.finish("a2", 100, 4000)
    before = a.progress()
    assert before.tables_completed == 1
    a.reopen("a2")
    assert a.progress().tables_completed == 0
    assert (a.progress().rows_copied, a.progress().pct_complete) == (before.rows_copied, before.pct_complete)
    assert a.finish("a2", 90, 3600)
    assert (a.ended().rows_copied, a.ended().bytes_copied) == (190, 7600)


def test_a_table_is_complete_with_its_last_part() -> None:
    a = account()
    assert a.progress().tables_total == 2
    assert not a.finish("a2", 100, 1)
    assert a.progress().tables_completed == 0
    assert a.finish("a1", 100, 1)
    assert a.progress().tables_completed == 1
    assert a.finish("b", 1, 1)
    assert a.progress().tables_completed == 2


def test_phase_and_table_are_those_of_data_while_it_flows() -> None:
    a = account()
    a.begin("definitions")
    assert (a.progress().phase, a.progress().current_table) == ("creating table", "")
    a.finish("definitions", 0, 0)
    a.begin("a1")
    a.begin("b")
    a.begin("index")
    assert (a.progress().phase, a.progress().current_table) == ("copying data", "b")
    a.finish("b", 1, 1)
    assert (a.progress().phase, a.progress().current_table) == ("copying data", "a")
    a.finish("a1", 1, 1)
    assert (a.progress().phase, a.progress().current_table) == ("creating indexes", "a")


def test_steps_done_by_an_earlier_job_count_without_rows() -> None:
    a = account("definitions", "a1", "a2")
    progress = a.progress()
    assert (progress.pct_complete, progress.tables_completed, progress.rows_copied) == (80.0, 1, 0)


def test_without_data_every_step_counts_the_same_and_tables_are_complete_at_the_end() -> None:
    a = Account((run("a"), run("b"), run("c"), run("d")), ("s.a", "s.b"))
    a.finish("a", 0, 0)
    assert (a.progress().pct_complete, a.progress().tables_completed, a.progress().tables_total) == (25.0, 0, 2)
    assert (a.ended().tables_completed, a.ended().phase) == (2, "completed")


def test_an_empty_plan_has_progress() -> None:
    a = Account((), ())
    assert a.progress().pct_complete == 0
    assert a.ended().pct_complete == 100
