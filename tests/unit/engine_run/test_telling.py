"""What is said of a job while it runs, and last."""

from __future__ import annotations

from itertools import count

from clone_engine.records.channel import Advanced, FromJob
from clone_engine.records.jobs import Progress, Worker
from clone_engine.running.progress import Account
from clone_engine.running.telling import Telling
from clone_engine.running.workers import Workers
from tests.unit.engine_run.test_progress import PAGES, copy


class Told:
    """What a Telling says, whose clock moves a second each time."""

    def __init__(self) -> None:
        self.said: list[Progress] = []
        self.waiting = ""
        seconds = count(100)
        self.telling = Telling(self._hear, Workers(1), lambda: self.waiting, lambda: float(next(seconds)))

    def _hear(self, message: FromJob) -> None:
        assert isinstance(message, Advanced)
        self.said.append(message.progress)

    def phase(self, name: str) -> Progress:
        self.telling.phase(name)
        return self.said[-1]


def test_the_phases_of_the_job_itself_and_of_its_steps() -> None:
    told, account = Told(), Account((copy("a", "a", rows=100, size=PAGES),), ())
    assert told.phase("planning") == Progress(phase="planning")
    told.telling.begin(account)
    account.begin("a")
    assert told.phase("").phase == "copying data"
    told.waiting = "waiting to try again"
    assert told.phase("").phase == "waiting to try again"
    told.waiting = ""
    assert told.phase("cleaning up").phase == "cleaning up"


def test_the_pace_is_known_after_a_while_and_looking_does_not_change_it() -> None:
    told, account = Told(), Account((copy("a", "a", rows=100, size=PAGES),), ())
    told.telling.begin(account)
    account.begin("a")
    assert (told.phase("").rows_per_second, told.said[-1].seconds_left) == (None, None)
    account.move("a", 20, 9)
    assert "copying data" in repr(told.telling)
    assert (told.phase("").rows_per_second, told.said[-1].seconds_left) == (20.0, 4.0)


def test_the_last_word() -> None:
    told, account = Told(), Account((copy("a", "a", rows=100, size=PAGES),), ())
    told.telling.begin(account)
    account.begin("a")
    told.phase("")
    account.move("a", 20, 9)
    told.phase("")
    last = told.telling.failed()
    assert (told.said[-1].phase, last.phase, last.rows_copied) == ("cleaning up", "copying data", 20)
    assert (last.rows_per_second, last.seconds_left) == (None, None)
    account.finish("a", 90, 900)
    told.telling.completed()
    assert (told.said[-1].phase, told.said[-1].rows_total) == ("completed", 90)
    assert told.said[-1].workers == (Worker(phase="completed"),)
