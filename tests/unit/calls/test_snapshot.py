"""The snapshot's text: what callers may see, as it is now, however much of it was rendered before."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from clone_engine.jobs.dispatcher import Conversation, MemoryDispatcher
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.records.channel import Start
from clone_engine.records.job_store import MemoryStore
from clone_engine.records.jobs import Job, Progress, Worker
from clone_engine.records.request import CloneRequest, Conninfo
from clone_engine.records.shown import listed_json, progress_json, view_row, worker_jobs
from proxy.calls.snapshot import Snapshots

ALICE, BOB = Caller("alice", "app"), Caller("bob", "app")
ROOT = Caller("root", "app", admin=True)
ALL = frozenset("jdplv")
NOW = 2000.0
EVERYTHING = frozenset[str]()
"""No encoding that lacks a character."""


def job(number: int, owner: str = "alice") -> Job:
    return Job(number, owner, "app", CloneRequest("schema", "sales"), Conninfo({}), submitted_at=1000.0)


def running(number: int, owner: str = "alice") -> Job:
    return job(number, owner).to("running", started_at=1001.0, progress=Progress("copying data", "orders", 4, 1))


def with_workers(number: int) -> Job:
    progress = Progress("copying data", "orders", 4, 1, workers=(Worker("copying data", "sales", "a"), Worker()))
    return msgspec.structs.replace(running(number), progress=progress)


class Jobs:
    """A manager's records, replaced as a manager would."""

    def __init__(self, *jobs: Job) -> None:
        self.version = 0
        self.now = NOW
        self.records = {each.job_id: each for each in jobs}

    @property
    def jobs(self) -> list[Job]:
        return list(self.records.values())

    def put(self, *jobs: Job) -> None:
        self.records |= {each.job_id: each for each in jobs}
        self.version += 1

    def forget(self, number: int) -> None:
        del self.records[number]
        self.version += 1


def snapshots(jobs: Jobs) -> Snapshots:
    return Snapshots(jobs, "1", lambda: jobs.now)


def read(
    snapshot: Snapshots,
    caller: Caller = ALICE,
    *,
    asked: frozenset[int] | None = None,
    codecs: frozenset[str] = EVERYTHING,
) -> dict[str, Any]:
    sections = snapshot.sections(caller, ALL, asked=asked, codecs=codecs)
    assert all(text.isascii() for text in sections.values())
    return {name: json.loads(text) for name, text in sections.items()}


def expected(*jobs: Job, now: float = NOW) -> dict[str, Any]:
    return {
        "j": [list(view_row(each, now).values()) for each in jobs],
        "d": [view_row(each, now) for each in jobs],
        "p": {str(each.job_id): progress_json(each, now) for each in jobs},
        "l": "[" + ",".join(map(listed_json, jobs)) + "]",
        "v": "pgclone 1",
    }


def test_every_change_of_a_record_is_seen_at_once() -> None:
    jobs = Jobs()
    snapshot = snapshots(jobs)
    assert read(snapshot) == expected()
    pending, other = job(1), running(2).to("completed", ended_at=1500.0)
    jobs.put(pending, other)
    assert read(snapshot) == expected(pending, other)
    begun = running(1)
    jobs.put(begun)
    assert read(snapshot) == expected(begun, other)
    further = running(1).to("failed", ended_at=1800.0, error='"quoted" \\ text', sqlstate="23505")
    jobs.put(further)
    assert read(snapshot) == expected(further, other)
    jobs.forget(2)
    assert read(snapshot) == expected(further)


def test_workers_of_a_job_stand_behind_it_and_are_found_by_their_numbers() -> None:
    parallel, other = with_workers(1), job(4, "bob")
    snapshot = snapshots(Jobs(parallel, other))
    shown = [parallel, *worker_jobs(parallel)]
    assert [each.job_id for each in shown] == [1, 2, 3]
    assert read(snapshot) == expected(*shown)
    assert read(snapshot, BOB) == expected(other)
    assert read(snapshot, asked=frozenset({2}))["p"] == expected(shown[1])["p"]


def test_only_the_clock_changes_a_running_job() -> None:
    jobs = Jobs(running(1), job(2), running(3).to("cancelled", ended_at=1500.0))
    snapshot = snapshots(jobs)
    for jobs.now in (NOW, NOW + 1.5):
        assert read(snapshot) == expected(*jobs.jobs, now=jobs.now)


def test_each_caller_sees_what_is_theirs() -> None:
    mine, others = job(1), running(2, "bob")
    snapshot = snapshots(Jobs(mine, others))
    for _ in range(2):
        assert read(snapshot, ALICE) == expected(mine)
        assert read(snapshot, BOB) == expected(others)
        assert read(snapshot, ROOT) == expected(mine, others)
    # A role that is an administrator's is not the same one without that right.
    assert read(snapshot, Caller("root", "app")) == expected()


def test_jobs_that_are_looked_up_by_number_come_alone_and_only_if_they_are_visible() -> None:
    mine, others, third = job(1), job(2, "bob"), running(3)
    snapshot = snapshots(Jobs(mine, others, third))
    found = read(snapshot, asked=frozenset({3, 2, -1, 10**18}))
    assert found == expected(mine, third) | {"p": expected(third)["p"]}
    assert read(snapshot, asked=frozenset())["p"] == {}


@pytest.mark.parametrize(
    ("codec", "error", "bar"),
    [("iso8859-1", "é ? ?", "[##########..........]"), ("ascii", "? ? ?", "[##########..........]")],
)
def test_what_an_encoding_lacks_gives_way_for_those_who_have_that_encoding(codec: str, error: str, bar: str) -> None:
    progress = Progress("copying data", "łódź", 4, 1, pct_complete=50.0)
    failed = running(1).to("failed", ended_at=1500.0, error="é € 名", progress=progress)
    snapshot = snapshots(Jobs(failed))
    for _ in range(2):
        (row,) = read(snapshot)["d"]
        assert row == view_row(failed, NOW)
        found = read(snapshot, codecs=frozenset({codec}))
        (row,) = found["d"]
        assert found["j"] == [list(row.values())]
        assert (row["error_message"], row["progress_bar"].partition("] ")[0] + "]") == (error, bar)
        assert json.loads(found["p"]["1"])["error"] == error


def test_nothing_is_kept_of_jobs_that_are_gone() -> None:
    jobs = Jobs(*(job(number) for number in range(1, 101)))
    snapshot = snapshots(jobs)
    read(snapshot)
    assert repr(snapshot) == "<Snapshots of 100 jobs>"
    for number in range(1, 101):
        jobs.forget(number)
    read(snapshot)
    assert repr(snapshot) == "<Snapshots of 0 jobs>"


async def test_a_manager_says_each_time_that_its_jobs_have_changed() -> None:
    async def fail(start: Start, talk: Conversation) -> None:
        raise RuntimeError

    manager = Manager(MemoryStore(), ManagerSettings(), MemoryDispatcher(fail), time.time)
    await manager.start()
    snapshot = Snapshots(manager, "1")
    request, source = CloneRequest("schema", "sales"), Conninfo({})
    seen = [read(snapshot)]
    submitted = await manager.submit(ALICE, request, source, source)
    seen.append(read(snapshot))
    await manager.wait(submitted.job_id)
    seen.append(read(snapshot))
    assert await manager.clear(ALICE) == 1
    seen.append(read(snapshot))
    await manager.stop()
    assert [[row["status"] for row in each["d"]] for each in seen] == [[], ["pending"], ["failed"], []]
