"""Which waiting job is the next to run."""

from __future__ import annotations

import pytest

from clone_engine.jobs.limits import Limits, next_to_run, source_of
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo


def job(job_id: int, owner: str = "alice", host: str = "h", database: str = "app") -> Job:
    return Job(job_id, owner, database, CloneRequest("schema", "s"), Conninfo({"host": host, "dbname": "d"}))


FIRST_ALICE, SECOND_ALICE, BOB = job(1), job(2, host="other"), job(3, "bob")


@pytest.mark.parametrize(
    ("limits", "running", "waiting", "expected"),
    [
        (Limits(2), [], [FIRST_ALICE, BOB], FIRST_ALICE),
        (Limits(2), [FIRST_ALICE], [SECOND_ALICE, BOB], SECOND_ALICE),
        (Limits(2), [FIRST_ALICE, BOB], [SECOND_ALICE], None),
        (Limits(2), [FIRST_ALICE], [], None),
        (Limits(9, per_role=1), [FIRST_ALICE], [SECOND_ALICE, BOB], BOB),
        (Limits(9, per_role=1), [FIRST_ALICE], [SECOND_ALICE], None),
        (Limits(9, per_role=1), [FIRST_ALICE], [job(4, database="elsewhere")], job(4, database="elsewhere")),
        (Limits(9, per_source=1), [FIRST_ALICE], [BOB, SECOND_ALICE], SECOND_ALICE),
        (Limits(9, per_source=2), [FIRST_ALICE], [BOB], BOB),
        (Limits(9, per_role=1, per_source=1), [FIRST_ALICE], [BOB, SECOND_ALICE], None),
        (Limits(1, per_role=5), [FIRST_ALICE], [BOB], None),
    ],
)
def test_the_next_job(limits: Limits, running: list[Job], waiting: list[Job], expected: Job | None) -> None:
    assert next_to_run(waiting, running, limits, lambda one: one.source) == expected


def test_a_source_is_the_same_with_and_without_what_is_the_default() -> None:
    def source(**parameters: str) -> tuple[str, str, str]:
        return source_of(Conninfo(parameters))

    assert source(host="h", user="u") == source(host="h", port="5432", dbname="u", user="other")
    assert source(host="h", dbname="a") != source(host="h", dbname="b")
    assert source(host="h", port="5433") != source(host="h")
    assert source(host="h", hostaddr="10.0.0.1") == source(host="another.name.of.it", hostaddr="10.0.0.1")
