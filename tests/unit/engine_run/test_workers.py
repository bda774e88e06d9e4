"""What is told of the copiers of a parallel job."""

from __future__ import annotations

from itertools import count

from clone_engine.records.jobs import Worker
from clone_engine.running.workers import Workers
from tests.unit.engine_run.test_progress import copy, run


def workers(number: int) -> Workers:
    clock = count(1000)
    return Workers(number, lambda: float(next(clock)))


def test_a_worker_is_on_its_table() -> None:
    w = workers(2)
    w.begin(1, copy("a", "a.b", rows=200, size=5000))
    w.move(1, 50, 900)
    assert w.now() == (Worker(), Worker("copying data", "s", "a.b", 50, 900, 25.0, 200, 5000, 1000.0))
    w.move(1, 300, 6000)  # more than was thought
    assert w.now()[1] == Worker("copying data", "s", "a.b", 300, 6000, 99.9, 300, 6000, 1000.0)
    w.finish(1, 290, 5900)
    assert w.now()[1] == Worker("done", "s", "a.b", 290, 5900, 100.0, 290, 5900, 1000.0, 1001.0)


def test_the_table_stays_while_other_things_are_done() -> None:
    w = workers(1)
    w.begin(0, copy("a", "a"))
    w.finish(0, 1, 2)
    w.begin(0, run("index"))
    assert (w.now()[0].phase, w.now()[0].table_name, w.now()[0].rows_copied) == ("creating indexes", "a", 1)
    w.finish(0, 0, 0)
    assert (w.now()[0].phase, w.ended()[0].phase) == ("done", "completed")


def test_what_was_not_done_is_not_told() -> None:
    w = workers(1)
    w.begin(0, copy("a", "a"))
    w.put_back(0)
    assert w.now() == (Worker("done"),)


def test_copiers_that_nobody_asked_for_are_not_told() -> None:
    w = workers(0)
    w.begin(0, copy("a", "a"))
    w.move(0, 1, 1)
    w.finish(0, 1, 1)
    w.begin(0, run("index"))
    w.put_back(0)
    assert w.now() == ()
