"""The progress that users see: percentages, counts, totals, phases, and that nothing goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clone_engine.records.steps import AnyStep, Copy, LargeObjects, Run
from clone_engine.running.costs import STEP_COST
from clone_engine.running.progress import Account

PAGES = 1_000_000 * STEP_COST
"""Beside steps of this weight what a step costs by itself is not seen."""


def run(key: str, phase: str = "creating indexes", weight: int = 0) -> Run:
    return Run(key=key, phase=phase, weight=weight, statements=())


def copy(key: str, table: str, *, parts: int = 1, rows: int | None = None, size: int = 0) -> Copy:
    return Copy(
        key=key,
        phase="copying data",
        weight=size,
        table=f"s.{table}",
        display_name=table,
        parts=parts,
        copy_out="",
        copy_in="",
        empty="",
        count="",
        estimated_rows=rows,
        estimated_bytes=size,
    )


STEPS = (
    run("definitions", "creating table"),
    copy("a1", "a", parts=2, rows=100, size=4 * PAGES),
    copy("a2", "a", parts=2, rows=100, size=4 * PAGES),
    copy("b", "b", size=2 * PAGES),
)
INDEX = run("index", weight=10 * PAGES)


def account(*done: str, steps: tuple[AnyStep, ...] = STEPS) -> Account:
    return Account(steps, ("s.a", "s.b"), done)


def test_percentage_is_of_bytes_with_what_is_under_way() -> None:
    a = account()
    assert a.progress().pct_complete == 0
    a.begin("a1")
    a.move("a1", 50, 9 * PAGES)  # rows are the measure where they are known
    assert a.progress().pct_complete == 20.0
    a.begin("b")
    a.move("b", 7, PAGES // 2)
    assert a.progress().pct_complete == 25.0
    a.finish("a1", 100, 8 * PAGES)
    assert a.progress().pct_complete == 45.0


def test_building_an_index_counts_as_a_share_of_its_table() -> None:
    a = account("definitions", "a1", "a2", "b", steps=(*STEPS, INDEX))
    assert a.progress().pct_complete == 83.3
    a.begin("index")
    a.build("index", 0.5)
    assert a.progress().pct_complete == 91.7
    a.build("index", 1.0)
    assert 99 < a.progress().pct_complete < 100
    a.finish("index", 0, 0)
    a.build("index", 0.1)  # the server was asked before
    assert a.progress().pct_complete == 99.9


def test_emptying_a_table_counts_as_little_as_it_takes() -> None:
    a = account(steps=(*STEPS, run("empty s.a", "copying data", weight=8 * PAGES)))
    a.finish("empty s.a", 0, 0)
    assert a.progress().pct_complete == 0.0


def test_what_is_reopened_is_expected_again() -> None:
    a = account("b")
    a.finish("a1", 70, 10)
    assert a.progress().rows_total == 170
    a.reopen("a1")
    assert a.progress().rows_total == 200


def test_estimates_that_are_too_small_do_not_pass_the_end() -> None:
    a = account()
    for key in ("definitions", "a1", "a2", "b"):
        a.begin(key)
        a.move(key, 10**9, 10**9 * PAGES)
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


def test_totals_are_estimates_until_the_rows_are_there() -> None:
    a = Account((copy("a", "a", rows=100, size=1000), copy("b", "b", rows=50, size=500)), ())
    assert (a.progress().rows_total, a.progress().bytes_total) == (150, 1500)
    a.begin("a")
    a.move("a", 99, 700)
    assert (a.progress().rows_total, a.progress().bytes_total) == (150, 1500)
    a.move("a", 130, 1200)  # more than was thought
    assert (a.progress().rows_total, a.progress().bytes_total) == (180, 1700)
    a.finish("a", 120, 1100)
    a.finish("b", 10, 80)
    assert (a.ended().rows_total, a.ended().bytes_total) == (130, 1180)


def test_a_total_of_which_a_part_is_unknown_is_unknown() -> None:
    unknown = LargeObjects(key="large objects", phase="copying data", first=1, last=2, existing="skip")
    a = Account((copy("a", "a", rows=100, size=1000), copy("b", "b", size=500), unknown), ())
    assert (a.progress().rows_total, a.progress().bytes_total) == (None, None)
    a.finish("b", 7, 10)
    assert (a.progress().rows_total, a.progress().bytes_total) == (107, None)
    a.finish("large objects", 0, 5)
    assert (a.progress().rows_total, a.progress().bytes_total) == (107, 1015)


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
    a = account(steps=(*STEPS, INDEX))
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
    progress = account("definitions", "a1", "a2").progress()
    assert (progress.pct_complete, progress.tables_completed, progress.rows_copied) == (80.0, 1, 0)
    assert account("b").progress().rows_total == 200  # what this job has to copy


def test_without_data_every_step_counts_the_same_and_tables_are_complete_at_the_end() -> None:
    a = Account((run("a"), run("b"), run("c"), run("d")), ("s.a", "s.b"))
    a.finish("a", 0, 0)
    assert (a.progress().pct_complete, a.progress().tables_completed, a.progress().tables_total) == (25.0, 0, 2)
    assert (a.progress().rows_total, a.progress().bytes_total) == (0, 0)
    assert (a.ended().tables_completed, a.ended().phase) == (2, "completed")


def test_an_empty_plan_has_progress() -> None:
    a = Account((), ())
    assert a.progress().pct_complete == 0
    assert a.ended().pct_complete == 100


COUNTS = st.integers(0, 10**9)
TABLES = st.lists(st.tuples(st.none() | COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=4)
"""Of each: rows and bytes as estimated, and as they really are."""
EVENTS = st.lists(
    st.tuples(st.sampled_from(("begin", "move", "finish", "put back")), COUNTS, st.floats(0, 1)), max_size=40
)
"""What happens, to which of the steps that it can happen to, and how far that is."""


@given(TABLES, EVENTS)
def test_whatever_happens_in_whatever_order(
    tables: list[tuple[int | None, int, int, int]], events: list[tuple[str, int, float]]
) -> None:
    steps: list[AnyStep] = [copy(f"t{i}", f"t{i}", rows=r, size=b) for i, (r, b, _, _) in enumerate(tables)]
    steps += [run(f"i{i}", weight=b) for i, (_, b, _, _) in enumerate(tables)]
    real = {f"t{i}": (rows, size) for i, (_, _, rows, size) in enumerate(tables)}
    a, waiting, running = Account(steps, ()), [step.key for step in steps], list[str]()
    last = a.progress()
    for event, number, share in [*events, *([("begin", 0, 0.0), ("finish", 0, 0.0)] * len(steps) * 2)]:
        if of := waiting if event == "begin" else running:
            key = of[number % len(of)]
            rows, size = real.get(key, (0, 0))
            if event == "begin":
                a.begin(key)
            elif event == "move":
                a.move(key, int(rows * share), int(size * share))
                a.build(key, share)
            elif event == "finish":
                a.finish(key, rows, size)
            else:
                a.put_back(key)
            if event != "move":
                of.remove(key)
            {"begin": running, "put back": waiting}.get(event, []).append(key)
        now = a.progress()
        assert last.pct_complete <= now.pct_complete <= 99.9
        assert 0 <= a.work <= 1
        assert last.rows_copied <= now.rows_copied and last.bytes_copied <= now.bytes_copied
        assert now.rows_total is None or now.rows_copied <= now.rows_total
        assert now.bytes_total is None or now.bytes_copied <= now.bytes_total
        last = now
    assert not waiting and not running
    ended = a.ended()
    assert ended.rows_copied == ended.rows_total == sum(rows for rows, _ in real.values())
    assert ended.bytes_copied == ended.bytes_total == sum(size for _, size in real.values())
