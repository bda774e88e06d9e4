"""Rates and the time that is left: known when they can be, never negative."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clone_engine.running.pace import Pace


def pace(*noted: tuple[float, int, float]) -> Pace:
    made = Pace()
    for each in noted:
        made.note(*each)
    return made


def test_nothing_is_known_at_first() -> None:
    assert (Pace().rows_per_second, Pace().seconds_left) == (None, None)
    assert pace((7.0, 100, 0.1), (7.9, 200, 0.2)).rows_per_second is None


def test_rate_and_time_left() -> None:
    p = pace((100.0, 0, 0.0), (101.0, 500, 0.1), (102.0, 1000, 0.2))
    assert (p.rows_per_second, p.seconds_left) == (500.0, 8.0)


def test_rows_are_averaged_over_the_last_seconds_only() -> None:
    p = pace(*((second, min(second, 10) * 1000, second / 100) for second in range(30)))
    assert p.rows_per_second == 0.0  # the indexes are being built
    assert p.seconds_left == 71.0


def test_what_stands_still_has_no_end() -> None:
    p = pace(*((float(second), 10, 0.5) for second in range(60)))
    assert (p.rows_per_second, p.seconds_left) == (0.0, None)


def test_an_end_that_is_too_far_is_none() -> None:
    assert pace((0.0, 0, 0.0), (10.0, 1, 1e-12)).seconds_left is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**12), st.floats(0, 1)), max_size=50))
def test_nothing_is_negative(steps: list[tuple[float, int, float]]) -> None:
    now, rows, work, p = 0.0, 0, 0.0, Pace()
    for elapsed, more, share in steps:
        now, rows, work = now + elapsed, rows + more, work + (1 - work) * share
        p.note(now, rows, work)
        assert p.rows_per_second is None or p.rows_per_second >= 0
        assert p.seconds_left is None or p.seconds_left >= 0
