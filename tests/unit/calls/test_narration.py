"""What is said while a clone runs: which remarks, at which pace, for which client_min_messages."""

from __future__ import annotations

import pytest

from clone_engine.planning.conflict import LEFT
from clone_engine.records.channel import Advanced, FromJob, Reported
from clone_engine.records.jobs import Job, Outcome, Progress
from clone_engine.records.request import CloneRequest, Conninfo, Kind
from proxy.calls.narration import MOST_WARNINGS, Narrator, Remark

COPYING = Progress("copying data", "a", 4, 1, 100, 9, 25.0)
INDEXES = Progress("creating indexes", "a", 4, 4, 400, 9, 80.0)


class Told:
    """A narrator with a clock that the test sets, and what it has told."""

    def __init__(self, kind: Kind = "schema", target_database: str = "") -> None:
        self.now = 100.0
        self.remarks: list[Remark] = []
        request = CloneRequest(kind, "s", target_database=target_database)
        job = Job(7, "alice", "app", request, Conninfo({}))
        self.narrator = Narrator(job, self.remarks.append, lambda: self.now)

    def after(self, seconds: float, message: FromJob) -> list[str]:
        """The texts that are told of a message that comes so much later."""
        self.now += seconds
        return self.told(Reported(Outcome("x", "failed"))) + self.told(message)

    def told(self, message: FromJob) -> list[str]:
        known = len(self.remarks)
        self.narrator.hear(message)
        return [remark.text for remark in self.remarks[known:]]


def test_progress_comes_with_each_phase_and_every_few_seconds() -> None:
    told = Told()
    copying = "pgclone: job 7: copying data, 25.0 %, 1 of 4 tables, 100 rows"
    assert told.after(0.5, Advanced(COPYING)) == []  # which may be over at once
    assert told.after(1.0, Advanced(COPYING)) == [copying]
    assert told.after(0.4, Advanced(COPYING)) == []
    assert told.after(0.1, Advanced(INDEXES)) == []
    assert told.after(1.0, Advanced(INDEXES)) == ["pgclone: job 7: creating indexes, 80.0 %, 4 of 4 tables, 400 rows"]
    assert told.after(4.0, Advanced(INDEXES)) == []
    assert len(told.after(1.5, Advanced(INDEXES))) == 1
    assert told.after(9.0, Advanced(Progress("completed"))) == []
    assert told.after(9.0, Advanced(Progress("starting"))) == ["pgclone: job 7: starting"]


@pytest.mark.parametrize(
    ("outcome", "remark"),
    [
        (Outcome("table s.a", "done", "", "5 rows"), Remark("DEBUG1", "pgclone: table s.a: 5 rows")),
        (Outcome("index s.i", "done"), Remark("DEBUG1", "pgclone: index s.i: done")),
        (Outcome("table s.a", "skipped", "", LEFT), Remark("NOTICE", f"pgclone: table s.a: {LEFT}")),
        (
            Outcome("owner of s.a", "skipped", "42704", 'role "x" does not exist'),
            Remark(
                "WARNING", 'pgclone: owner of s.a: role "x" does not exist', "42704",
                "SELECT * FROM pgclone_job_objects(7) tells of every object.",
            ),
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_an_object(outcome: Outcome, remark: Remark) -> None:
    told = Told()
    told.narrator.hear(Reported(outcome))
    assert told.remarks == [remark]


def test_failures_are_told_by_the_error_alone() -> None:
    assert Told().told(Reported(Outcome("table s.a", "failed", "22012", "division by zero"))) == []


def test_warnings_are_not_without_end() -> None:
    told = Told()
    for number in range(MOST_WARNINGS + 5):
        told.narrator.hear(Reported(Outcome(f"owner of s.t{number}", "skipped", "42704", "no")))
    told.narrator.completed()
    assert len(told.remarks) == MOST_WARNINGS + 1
    assert told.remarks[-1].text == "pgclone: 5 more warnings are not shown"
    assert [bool(remark.hint) for remark in told.remarks] == [True, *[False] * (MOST_WARNINGS - 1), True]


@pytest.mark.parametrize(
    ("kind", "database", "outcomes", "notices"),
    [
        ("schema", "", [], []),
        (
            "database",
            "",
            [Outcome("schema s", "done"), Outcome("table s.a", "done"), Outcome("table public.b", "done")],
            ["pgclone: database clone complete — 2 schemas cloned"],
        ),
        (
            "database_create",
            "new",
            [Outcome("database new", "done")],
            [
                "pgclone: created database new",
                "pgclone: starting database clone from source into new ...",
                "pgclone: database clone complete — target database new ready",
            ],
        ),
        (
            "database_create",
            "new",
            [Outcome("database new", "skipped", message="exists")],
            [
                "pgclone: database new already exists, cloning into it",
                "pgclone: starting database clone from source into new ...",
                "pgclone: database clone complete — target database new ready",
            ],
        ),
    ],
)
def test_the_notices_of_the_original(kind: Kind, database: str, outcomes: list[Outcome], notices: list[str]) -> None:
    told = Told(kind, database)
    for outcome in outcomes:
        told.narrator.hear(Reported(outcome))
    told.narrator.completed()
    assert [remark.text for remark in told.remarks if remark.severity == "NOTICE"] == notices


@pytest.mark.parametrize(
    ("least", "shown"),
    [
        ("debug5", ["DEBUG1", "NOTICE", "WARNING"]),
        ("debug1", ["DEBUG1", "NOTICE", "WARNING"]),
        ("log", ["NOTICE", "WARNING"]),
        ("notice", ["NOTICE", "WARNING"]),
        ("warning", ["WARNING"]),
        ("error", []),
    ],
)
def test_what_a_session_wants_to_see(least: str, shown: list[str]) -> None:
    remarks = [Remark("DEBUG1", ""), Remark("NOTICE", ""), Remark("WARNING", "")]
    assert [remark.severity for remark in remarks if remark.shown(least)] == shown
