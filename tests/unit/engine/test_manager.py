"""The manager over both stores, with jobs in memory.  With processes: `test_manager_processes.py`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from clone_engine.jobs.dispatcher import Conversation, MemoryDispatcher, Script
from clone_engine.jobs.limits import Limits
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.jobs.retention import DAY, Retention
from clone_engine.jobs.verdicts import MAX_CRASHES
from clone_engine.records.channel import Advanced, Done, Ended, Forerunner, Keep, Kept, Start
from clone_engine.records.errors import PgError
from clone_engine.records.job_store import JobStore, MemoryStore, Seal, StoreError
from clone_engine.records.jobs import FINISHED, Job, Outcome, Progress, Status
from clone_engine.records.request import CloneRequest, Conninfo, Options
from tests.harness.waiting import wait_until_async
from tests.unit.engine.scripts import behave

ALICE = Caller("alice", "app")
BOB = Caller("bob", "app")
ADMIN = Caller("root", "app", admin=True)
SOURCE = Conninfo({"host": "db.example.com", "dbname": "shop", "user": "reader"})
SECRET_SOURCE = Conninfo({**SOURCE.parameters, "password": "S3cret-source"})
TARGET = Conninfo({"host": "127.0.0.1", "dbname": "app", "user": "alice", "password": "S3cret-target"})
LIMIT = 20.0

pytestmark = pytest.mark.usefixtures("within_limit")


@pytest.fixture
async def within_limit() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


@pytest.fixture
async def manager(store: JobStore, dispatcher: MemoryDispatcher) -> AsyncIterator[Manager]:
    manager = Manager(store, ManagerSettings(Limits(2)), dispatcher, time.time)
    await manager.start()
    yield manager
    await manager.stop()


def clone(behaviour: str) -> CloneRequest:
    return CloneRequest(kind="schema", schema_name=behaviour)


async def run(manager: Manager, behaviour: str, caller: Caller = ALICE, source: Conninfo = SOURCE) -> Job:
    """A job with this behaviour, when it has finished."""
    job = await manager.submit(caller, clone(behaviour), source, TARGET)
    return await manager.wait(job.job_id)


async def submit(manager: Manager, behaviour: str, caller: Caller = ALICE, source: Conninfo = SOURCE) -> int:
    return (await manager.submit(caller, clone(behaviour), source, TARGET)).job_id


def shown(manager: Manager, job_id: int) -> Job:
    return next(job for job in manager.visible(ADMIN) if job.job_id == job_id)


async def until(condition: Callable[[], bool]) -> None:
    async def check() -> bool:
        return condition()

    await wait_until_async(check, LIMIT)


async def until_copying(manager: Manager, *job_ids: int) -> None:
    await until(lambda: all(shown(manager, job_id).progress.phase == "copying data" for job_id in job_ids))


async def refused(call: Awaitable[object], sqlstate: str, message: str) -> PgError:
    with pytest.raises(PgError) as caught:
        await call
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, message)
    assert caught.value.hint
    return caught.value


async def test_job_runs_to_its_end(manager: Manager) -> None:
    job = await manager.submit(ALICE, clone("complete"), SECRET_SOURCE, TARGET)
    assert (job.job_id, job.status, job.owner, job.database) == (1, "pending", "alice", "app")
    assert job.source == SOURCE and job.source_had_secret
    job = await manager.wait(1)
    assert (job.status, job.error, job.sqlstate) == ("completed", "", "")
    progress = job.progress
    assert (progress.phase, progress.pct_complete, progress.current_table) == ("completed", 100.0, "items")
    assert (progress.tables_completed, progress.tables_total, progress.rows_copied) == (2, 2, 20)
    assert job.started_at and job.ended_at and job.submitted_at <= job.started_at <= job.ended_at
    assert [o.object for o in await manager.outcomes(ALICE, 1)] == ["table orders", "table items"]


ENDS: list[tuple[str, Status, str, str]] = [
    ("fail", "failed", "23505", "duplicate key value violates unique constraint"),
    ("die", "failed", "58000", "job process exited unexpectedly (RuntimeError); go on with pgclone_resume(1)"),
    ("stop_by_itself", "failed", "58000", "job process was stopped from outside; go on with pgclone_resume(1)"),
    ("hang_after_end", "completed", "", ""),
]


@pytest.mark.parametrize(("behaviour", "status", "sqlstate", "error"), ENDS)
async def test_end(manager: Manager, behaviour: str, status: Status, sqlstate: str, error: str) -> None:
    job = await run(manager, behaviour)
    assert (job.status, job.sqlstate, job.error) == (status, sqlstate, error)
    assert job.ended_at is not None


async def test_failed_job_keeps_its_phase_and_is_never_at_100_percent(manager: Manager) -> None:
    job = await run(manager, "fail")
    assert (job.progress.phase, job.progress.pct_complete, job.progress.rows_copied) == ("copying data", 99.9, 5)


async def test_jobs_wait_for_room_first_come_first_served(manager: Manager) -> None:
    jobs = [await submit(manager, "wait") for _ in range(4)]
    await until_copying(manager, 1, 2)
    assert [shown(manager, j).status for j in jobs] == ["running", "running", "pending", "pending"]
    await manager.cancel(ALICE, 2)
    await until_copying(manager, 3)
    assert [shown(manager, j).status for j in jobs] == ["running", "cancelled", "running", "pending"]


async def test_a_limit_of_one_role_does_not_hold_up_others(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(Limits(3, per_role=1)), dispatcher)
    await manager.start()
    jobs = [await submit(manager, "wait") for _ in range(2)] + [await submit(manager, "wait", BOB)]
    await until_copying(manager, 1, 3)
    assert [shown(manager, j).status for j in jobs] == ["running", "pending", "running"]
    await manager.cancel(ALICE, 1)
    await until_copying(manager, 2)
    await manager.stop()


async def test_progress_is_visible_while_it_runs_and_version_tells_of_it(manager: Manager) -> None:
    before = manager.version
    job_id = await submit(manager, "wait")
    assert manager.version > before
    before = manager.version
    await until_copying(manager, job_id)
    assert manager.version > before
    assert (shown(manager, job_id).progress.rows_copied, shown(manager, job_id).status) == (10, "running")
    before = manager.version
    await manager.cancel(ALICE, job_id)
    assert manager.version > before
    before = manager.version
    manager.visible(ALICE)
    await manager.wait(job_id)
    assert manager.version == before


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("wait", ""),
        ("ignore_cancel", "did not stop by itself (ended by force); what it was doing may be left half done"),
    ],
)
async def test_cancel_of_a_running_job(manager: Manager, behaviour: str, error: str) -> None:
    job_id = await submit(manager, behaviour)
    await until_copying(manager, job_id)
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    job = shown(manager, job_id)
    assert (job.status, job.progress.phase) == ("cancelled", "cancelled")
    assert job.error.removeprefix("job process ") == error
    assert job.progress.pct_complete < 100
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert shown(manager, job_id) == job


async def test_many_cancels_at_once_and_one_of_another_job(manager: Manager) -> None:
    first, second = await submit(manager, "wait"), await submit(manager, "wait")
    await until_copying(manager, first, second)
    assert set(await asyncio.gather(*(manager.cancel(ALICE, first) for _ in range(100)))) == {"cancelled"}
    assert (shown(manager, first).status, shown(manager, second).status) == ("cancelled", "running")


async def test_each_state_is_told_in_order_when_it_is_in_the_store(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    told: dict[int, list[str]] = {}

    async def notify(target: Conninfo, job_id: int, payloads: Sequence[str]) -> None:
        assert target == TARGET
        await asyncio.sleep(0)  # what comes meanwhile comes next
        for said in map(json.loads, payloads):
            assert (said["job_id"], said["op_type"], said["owner"]) == (job_id, "schema", "alice")
            told.setdefault(job_id, []).append(said["status"])
            (kept,) = (job for job in await store.load() if job.job_id == job_id)
            assert said["status"] in ("pending", kept.status) or kept.status in FINISHED

    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher, notify=notify)
    await manager.start()
    await run(manager, "complete")
    await run(manager, "fail")
    waiting, pending = await submit(manager, "wait"), await submit(manager, "wait")
    await manager.cancel(ALICE, pending)
    await manager.cancel(ALICE, waiting)
    interrupted = await submit(manager, "wait")
    await until_copying(manager, interrupted)
    await manager.stop()
    assert told == {
        1: ["pending", "running", "completed"],
        2: ["pending", "running", "failed"],
        waiting: ["pending", "running", "cancelled"],
        pending: ["pending", "cancelled"],
        interrupted: ["pending", "running", "failed"],
    }


async def test_nothing_fails_over_a_notification(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    async def notify(target: Conninfo, job_id: int, payloads: Sequence[str]) -> None:
        raise PgError("53300", "sorry, too many clients already")

    manager = Manager(store, ManagerSettings(), dispatcher, notify=notify)
    await manager.start()
    assert (await run(manager, "complete")).status == "completed"
    await manager.stop()


async def test_the_numbers_of_workers_are_their_jobs(manager: Manager) -> None:
    request = CloneRequest("schema", "parallel", options=Options(parallel=2))
    job = await manager.submit(ALICE, request, SOURCE, TARGET)
    await until(lambda: bool(shown(manager, job.job_id).progress.workers))
    assert await submit(manager, "wait") == job.job_id + 3
    await refused(manager.cancel(BOB, job.job_id + 1), "P0002", f"pgclone: job {job.job_id + 1} not found")
    assert await manager.cancel(ALICE, job.job_id + 2) == "cancelled"
    assert await manager.cancel(ALICE, job.job_id + 1) == "cancelled"  # in one statement with the other
    assert shown(manager, job.job_id).status == "cancelled"
    await refused(manager.cancel(ALICE, job.job_id + 5), "P0002", f"pgclone: job {job.job_id + 5} not found")


async def test_cancel_of_a_job_that_is_only_just_submitted(manager: Manager) -> None:
    job_id = await submit(manager, "wait")
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert shown(manager, job_id).status == "cancelled"


async def test_jobs_that_are_cancelled_together_do_not_start_in_each_others_place(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    ids = [await submit(manager, "wait") for _ in range(4)]
    await until_copying(manager, ids[0])
    for job_id in ids[:3]:
        manager.begin_cancel(ALICE, job_id)
    await asyncio.gather(*(manager.wait(job_id) for job_id in ids[:3]))
    await until_copying(manager, ids[3])
    assert [start.job_id for start in dispatcher.started] == [ids[0], ids[3]]
    assert [shown(manager, job_id).status for job_id in ids] == ["cancelled"] * 3 + ["running"]
    await manager.stop()


class StoreThatWaits(MemoryStore):
    """Takes its time to write that a job runs."""

    def __init__(self) -> None:
        super().__init__()
        self.may_run = asyncio.Event()

    async def save(self, job: Job, **news: Any) -> None:
        if job.status == "running":
            await self.may_run.wait()
        await super().save(job, **news)


async def test_cancel_while_it_is_written_down_that_the_job_runs(dispatcher: MemoryDispatcher) -> None:
    store = StoreThatWaits()
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    job_id = await submit(manager, "wait")
    manager.begin_cancel(ALICE, job_id)
    store.may_run.set()
    assert await manager.cancel(ALICE, job_id) == "cancelled"
    assert (shown(manager, job_id).status, dispatcher.started) == ("cancelled", [])
    await manager.stop()


async def test_a_pending_job_that_is_cancelled_during_a_shutdown_stays_cancelled(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    """It is not among the jobs that go on when the proxy starts again."""
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    job_id = await submit(manager, "wait")
    manager.begin_cancel(ALICE, job_id)
    await manager.stop()
    assert shown(manager, job_id).status == "cancelled"


async def test_cancel_of_a_pending_job(manager: Manager) -> None:
    ids = [await submit(manager, "wait") for _ in range(3)]
    assert await manager.cancel(ALICE, ids[2]) == "cancelled"
    job = shown(manager, ids[2])
    assert (job.status, job.started_at, job.elapsed_ms(time.time())) == ("cancelled", None, 0)


@pytest.mark.parametrize("behaviour", ["complete", "fail"])
async def test_cancel_leaves_a_finished_job_alone(manager: Manager, behaviour: str) -> None:
    job = await run(manager, behaviour)
    assert await manager.cancel(ALICE, job.job_id) == "cancelled"
    assert shown(manager, job.job_id) == job


async def test_resume_goes_on_with_the_steps_that_are_done(manager: Manager, store: JobStore) -> None:
    old_id = await submit(manager, "wait", source=SECRET_SOURCE)
    await until_copying(manager, old_id)
    await manager.cancel(ALICE, old_id)
    old = shown(manager, old_id)
    new_id = await manager.resume(ALICE, old_id, TARGET)
    assert new_id == 2
    await until_copying(manager, new_id)
    assert await store.done(new_id) == ("table wait.orders",)
    new = shown(manager, new_id)
    assert (new.resumed_from, new.request, new.source, new.source_had_secret) == (old_id, old.request, SOURCE, True)
    assert shown(manager, old_id) == old


async def test_resume_hands_on_both_credentials_and_the_steps(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(default_parallel=3, retry_for=7), dispatcher, time.time)
    await manager.start()
    await submit(manager, "wait", source=SECRET_SOURCE)
    await until_copying(manager, 1)
    await manager.cancel(ALICE, 1)
    await manager.resume(ALICE, 1, TARGET)
    await until_copying(manager, 2)
    first, second = dispatcher.started
    assert second.source == SECRET_SOURCE and second.target == TARGET and second.parallel == 3
    assert (first.retry_for, first.done, first.earlier) == (7, (), ())
    assert (second.done, second.earlier) == (("table wait.orders",), (Forerunner(first.name, "alice"),))
    assert second.name != first.name
    await manager.stop()


async def test_who_goes_on_from_a_job_of_another_role(manager: Manager, dispatcher: MemoryDispatcher) -> None:
    member = Caller("bob", "app", member_of=frozenset({"alice"}))
    for number, caller in enumerate((ALICE, member, BOB, ADMIN), 1):
        await (submit(manager, "wait") if number == 1 else manager.resume(caller, number - 1, TARGET))
        await until_copying(manager, number)
        await manager.cancel(caller, number)
    assert [shown(manager, number).owner for number in (1, 2, 3, 4)] == ["alice", "bob", "bob", "root"]
    starts = dispatcher.started
    alice_s, bob_s = Forerunner(starts[0].name, "alice"), Forerunner(starts[1].name, "bob")
    # Bob goes on from the job of Alice while he has her rights, afterwards only from his own; an administrator anew.
    assert [each.earlier for each in starts] == [(), (alice_s,), (bob_s,), ()]
    assert [each.done for each in starts] == [(), ("table wait.orders",), ("table wait.orders",), ()]


async def test_only_the_owner_resumes_with_a_password(manager: Manager) -> None:
    await run(manager, "fail", source=SECRET_SOURCE)
    member = Caller("bob", "app", member_of=frozenset({"alice"}))
    for caller in (member, ADMIN):
        error = await refused(manager.resume(caller, 1, TARGET), "42501", "pgclone: permission denied to resume job 1")
        assert 'role "alice" has given' in error.detail
    assert await manager.resume(ALICE, 1, TARGET) == 2


async def test_resume_is_refused_for_other_states(manager: Manager) -> None:
    await run(manager, "complete")
    error = await refused(manager.resume(ALICE, 1, TARGET), "55000", "pgclone: job 1 is not resumable")
    assert error.detail == 'Its status is "completed".'
    await submit(manager, "wait")
    await until_copying(manager, 2)
    error = await refused(manager.resume(ALICE, 2, TARGET), "55000", "pgclone: job 2 is not resumable")
    assert error.detail == 'Its status is "running".'


async def test_resume_is_refused_from_another_database(manager: Manager) -> None:
    await run(manager, "fail")
    elsewhere = Caller("alice", "other")
    error = await refused(manager.resume(elsewhere, 1, TARGET), "55000", "pgclone: job 1 is not resumable")
    assert error.detail == 'It clones into database "app", and this is "other".'


async def test_two_resumes_at_once_make_one_job(manager: Manager) -> None:
    await run(manager, "fail")
    calls = await asyncio.gather(*(manager.resume(ALICE, 1, TARGET) for _ in range(5)), return_exceptions=True)
    assert [c for c in calls if isinstance(c, int)] == [2]
    assert [c.sqlstate for c in calls if isinstance(c, PgError)] == ["55000"] * 4


async def test_others_neither_see_nor_control_a_job(manager: Manager) -> None:
    job_id = await submit(manager, "wait")
    assert manager.visible(BOB) == []
    assert [job.job_id for job in manager.visible(ALICE)] == [job_id]
    for call in (manager.cancel(BOB, job_id), manager.resume(BOB, job_id, TARGET), manager.outcomes(BOB, job_id)):
        await refused(call, "P0002", f"pgclone: job {job_id} not found")
    await refused(manager.cancel(BOB, 99), "P0002", "pgclone: job 99 not found")
    await refused(manager.wait(99), "P0002", "pgclone: job 99 not found")
    assert await manager.clear(BOB) == 0
    assert await manager.cancel(ADMIN, job_id) == "cancelled"


async def test_clear_forgets_the_finished_jobs_of_the_caller(manager: Manager, store: JobStore) -> None:
    await run(manager, "complete")
    await run(manager, "fail")
    await run(manager, "complete", BOB)
    running = await submit(manager, "wait")
    assert sorted(await asyncio.gather(manager.clear(ALICE), manager.clear(ALICE))) == [0, 2]
    assert [job.job_id for job in manager.visible(ADMIN)] == [3, running]
    assert await manager.clear(ALICE) == 0
    assert await manager.clear(ADMIN) == 1
    assert [job.job_id for job in await store.load()] == [running]
    assert await submit(manager, "complete") == 5


async def test_whoever_watches_learns_of_each_change(manager: Manager) -> None:
    copy: dict[int, Job] = {}
    versions: list[int] = []

    def watch(job_id: int, job: Job | None) -> None:
        versions.append(manager.version)
        if job:
            copy[job_id] = job
        else:
            del copy[job_id]
        assert list(copy.values()) == list(manager.jobs)

    manager.watch(watch)
    await run(manager, "complete")
    await run(manager, "fail", BOB)
    await manager.cancel(ALICE, await submit(manager, "wait"))
    assert await manager.clear(ALICE) == 2
    assert list(copy) == [2]
    assert versions == list(range(versions[0], versions[0] + len(versions)))


async def test_clear_leaves_what_an_unfinished_job_goes_on_from(manager: Manager) -> None:
    first = await submit(manager, "wait")
    await manager.cancel(ALICE, first)
    second = await manager.resume(ALICE, first, TARGET)
    assert await manager.clear(ALICE) == 0
    await manager.cancel(ALICE, second)
    assert await manager.clear(ALICE) == 2


async def test_stop_cancels_what_runs_and_says_how_to_go_on(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher, time.time)
    await manager.start()
    await submit(manager, "wait")
    await submit(manager, "wait", source=SECRET_SOURCE)
    await until_copying(manager, 1)
    waiters = [asyncio.create_task(manager.wait(1)), asyncio.create_task(manager.wait(2))]
    await manager.stop()
    running, pending = await asyncio.gather(*waiters)
    assert (running.status, running.sqlstate) == ("failed", "57P01")
    assert running.error == "interrupted by a shutdown of the proxy; go on with pgclone_resume(1)"
    assert (pending.status, pending.sqlstate) == ("failed", "57P01")
    assert "pgclone_resume(2) cannot go on" in pending.error
    await refused(manager.submit(ALICE, clone("wait"), SOURCE, TARGET), "57P03", "pgclone: the proxy is shutting down")
    await manager.stop()


async def test_jobs_left_by_a_crash_are_failed_at_the_next_start(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    await store.open()
    base = Job(0, "alice", "app", clone("wait"), SOURCE)
    for status in ("pending", "running", "completed"):
        await store.add(msgspec.structs.replace(base, status=status, started_at=1.0))
    await store.save((await store.load())[1], done=["table wait.orders"])
    await store.add(msgspec.structs.replace(base, status="running", source_had_secret=True))
    manager = Manager(store, ManagerSettings(), dispatcher, time.time)
    await manager.start()
    assert [job.status for job in manager.visible(ALICE)] == ["failed", "failed", "completed", "failed"]
    assert [job.sqlstate for job in manager.visible(ALICE)] == ["57P02", "57P02", "", "57P02"]
    assert shown(manager, 2).error == "interrupted by a restart of the proxy; go on with pgclone_resume(2)"
    assert await manager.resume(ALICE, 2, TARGET) == 5
    assert await store.done(5) == ("table wait.orders",)
    await refused(manager.resume(ALICE, 4, TARGET), "28000", "pgclone: the source password of job 4 is no longer known")
    await manager.stop()


async def test_what_was_interrupted_goes_on_once(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    first = Manager(store, ManagerSettings(Limits(2)), dispatcher)
    await first.start()
    for source in (SOURCE, SECRET_SOURCE, SOURCE, SOURCE):
        await submit(first, "wait", source=source)
    await first.cancel(ALICE, 4)
    await first.stop()
    second = Manager(store, ManagerSettings(), dispatcher)
    await second.start()
    assert [job.job_id for job in second.interrupted] == [1, 3]
    assert await second.resume(ALICE, 1, TARGET) == 5
    await second.leave(3)
    await second.leave(99)
    assert second.interrupted == []
    await second.cancel(ALICE, 5)
    await second.stop()
    third = Manager(store, ManagerSettings(), dispatcher)
    await third.start()
    assert third.interrupted == []
    await third.stop()


async def test_what_has_been_announced_is_in_the_store(manager: Manager, store: JobStore) -> None:
    await run(manager, "complete")
    await run(manager, "fail")
    assert await store.load() == manager.visible(ADMIN)


async def test_repr_is_useful_and_without_secrets(manager: Manager) -> None:
    await submit(manager, "wait", source=SECRET_SOURCE)
    assert "1 jobs, 1 running, 0 waiting" in repr(manager)
    assert "S3cret" not in repr(manager) + repr(vars(manager)) + repr([vars(v) for v in manager._live.values()])


class UnreliableStore(MemoryStore):
    """Fails while it is told to, as a full disk does, and counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.saves = 0

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        self._check()
        return await super().add(job, done, seal)

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        self._check()
        self.saves += 1
        await super().save(job, done=done, undone=undone, outcomes=outcomes)

    def _check(self) -> None:
        if self.full:
            raise StoreError("database or disk is full", "53100")


async def test_progress_is_saved_now_and_then_and_shown_at_once(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    before = manager.version
    job = await run(manager, "chatter")
    assert job.progress.rows_copied == 199
    assert manager.version - before > 10
    assert store.saves <= 4  # running, at most once a second, completed
    await manager.stop()


async def test_full_store_refuses_new_jobs_and_spares_those_that_run(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    running, pending = await submit(manager, "wait"), await submit(manager, "complete")
    await until_copying(manager, running)
    store.full = True
    new = manager.submit(ALICE, clone("complete"), SOURCE, TARGET)
    await refused(new, "53100", "pgclone: the proxy's job store is full")
    await manager.cancel(ALICE, running)
    assert shown(manager, running).status == "cancelled"
    failed = await manager.wait(pending)
    assert (failed.status, failed.sqlstate) == ("failed", "53100")
    assert failed.error.startswith("the proxy's job store is full; the proxy's log has the reason; go on with")
    store.full = False
    assert (await run(manager, "complete")).status == "completed"
    await manager.stop()


async def known_to(store: JobStore, manager: Manager) -> bool:
    return await store.load() == manager.visible(ADMIN)


async def test_an_end_that_the_store_could_not_take_is_saved_when_it_can(dispatcher: MemoryDispatcher) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(tidy_interval=0.01), dispatcher)
    await manager.start()
    ids = [await submit(manager, "wait") for _ in range(2)]
    await until_copying(manager, *ids)
    store.full = True
    for job_id in ids:
        await manager.cancel(ALICE, job_id)
    assert [job.status for job in await store.load()] == ["running", "running"]
    store.full = False
    await wait_until_async(lambda: known_to(store, manager), LIMIT)
    assert await store.done(ids[1]) == ("table wait.orders",)
    await manager.stop()


async def test_an_end_that_the_store_could_not_take_is_saved_at_the_latest_at_the_stop(
    dispatcher: MemoryDispatcher,
) -> None:
    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    store.full = True
    await manager.cancel(ALICE, 1)
    assert not await known_to(store, manager)
    store.full = False
    await manager.stop()
    await store.open()
    assert await known_to(store, manager)
    await store.close()


class SlowStore(MemoryStore):
    """Takes what it is asked to take only when it is allowed to, one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.allowed = asyncio.Semaphore(0)

    async def add(self, job: Job, done: Sequence[str] = (), seal: Seal | None = None) -> Job:
        await self._wait()
        return await super().add(job, done, seal)

    async def save(
        self, job: Job, *, done: Sequence[str] = (), undone: Sequence[str] = (), outcomes: Sequence[Outcome] = ()
    ) -> None:
        await self._wait()
        await super().save(job, done=done, undone=undone, outcomes=outcomes)

    async def _wait(self) -> None:
        self.asked += 1
        await self.allowed.acquire()


async def test_nothing_is_announced_before_the_store_has_it() -> None:
    end = asyncio.Event()

    async def complete_when_told(start: Start, talk: Conversation) -> None:
        talk.say(Advanced(Progress("copying data")))
        await end.wait()
        talk.say(Ended("completed"))

    store, dispatcher, heard = SlowStore(), MemoryDispatcher(complete_when_told), []
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    submitting = asyncio.create_task(submit(manager, "orders"))
    await until(lambda: store.asked == 1)
    assert manager.visible(ADMIN) == [] and not submitting.done()
    store.allowed.release()
    assert await submitting == 1
    waiting = asyncio.create_task(manager.wait(1, heard.append))
    await until(lambda: store.asked == 2)
    assert shown(manager, 1).status == "pending" and dispatcher.started == []
    store.allowed.release()
    await until(lambda: store.asked == 3)  # progress may be seen before
    assert (shown(manager, 1).status, shown(manager, 1).progress.phase, heard) == ("running", "copying data", [])
    store.allowed.release()
    end.set()
    await until(lambda: store.asked == 4)
    assert shown(manager, 1).status == "running" and not waiting.done()
    store.allowed.release()
    assert (await waiting).status == "completed"
    await manager.stop()


async def crash_and_restart(store: JobStore, manager: Manager, script: Script = behave) -> Manager:
    """The manager of a proxy that starts after that of `manager` was killed."""
    killed = [live.task for live in manager._live.values() if live.task]
    for task in killed:
        task.cancel()
    await asyncio.wait(killed)
    await store.close()
    new = Manager(store, ManagerSettings(), MemoryDispatcher(script))
    await new.start()
    return new


async def go_on(manager: Manager) -> list[int]:
    return [await manager.resume(ALICE, job.job_id, TARGET) for job in manager.interrupted]


async def test_a_job_that_is_there_at_each_crash_goes_on_so_often_and_no_more(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(Limits(1)), dispatcher)
    await manager.start()
    running, waiting = await submit(manager, "ignore_cancel"), await submit(manager, "complete")
    for number in range(1, MAX_CRASHES):
        await until_copying(manager, running)
        manager = await crash_and_restart(store, manager)
        assert shown(manager, running).crashes == number
        running, *rest = await go_on(manager)
        if rest:  # the one that waited cannot have been the cause
            assert (shown(manager, waiting).crashes, (await manager.wait(rest[0])).status) == (0, "completed")
    await until_copying(manager, running)
    manager = await crash_and_restart(store, manager)
    assert manager.interrupted == []
    error = f"3 times in a row with nothing done in between, so it waits for you: go on with pgclone_resume({running})"
    assert shown(manager, running).error == f"interrupted by a restart of the proxy; {error}"
    assert await manager.resume(ALICE, running, TARGET) == running + 1
    await until_copying(manager, running + 1)
    await manager.stop()
    assert shown(manager, running + 1).to_go_on  # a shutdown is no crash


async def test_a_job_that_gets_something_done_between_crashes_goes_on(store: JobStore) -> None:
    async def one_more_table(start: Start, talk: Conversation) -> None:
        talk.say(Done(f"table {len(start.done)}"))
        await asyncio.Event().wait()

    async def one_more_done() -> bool:
        return len(await store.done(running)) > len(earlier)

    manager = Manager(store, ManagerSettings(), MemoryDispatcher(one_more_table))
    await manager.start()
    running, earlier = await submit(manager, "orders"), ()
    for _ in range(MAX_CRASHES + 1):
        await wait_until_async(one_more_done, LIMIT)
        earlier = await store.done(running)
        manager = await crash_and_restart(store, manager, one_more_table)
        assert shown(manager, running).crashes == 1
        (running,) = await go_on(manager)
    await manager.stop()


async def test_the_newest_finished_jobs_are_kept(store: JobStore, dispatcher: MemoryDispatcher) -> None:
    manager = Manager(store, ManagerSettings(retention=Retention(count=2)), dispatcher)
    await manager.start()
    working = await submit(manager, "wait")
    for behaviour in ("complete", "fail", "complete", "complete"):
        job = await run(manager, behaviour, source=SECRET_SOURCE)
        await until(lambda: not manager._live.keys() - {working})
        assert job in manager.visible(ALICE)
    await until(lambda: len(manager.visible(ALICE)) == 3)
    assert [job.job_id for job in manager.visible(ALICE)] == [job.job_id for job in await store.load()] == [1, 4, 5]
    assert "of 0 jobs" in repr(manager._sources)
    await manager.cancel(ALICE, working)
    await until(lambda: [job.job_id for job in manager.visible(ALICE)] == [1, 5])
    assert await submit(manager, "complete") == 6
    await manager.stop()


async def test_old_jobs_are_forgotten_as_time_goes_by_and_at_the_start(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    now = 1_000_000.0
    settings = ManagerSettings(retention=Retention(days=1), tidy_interval=0.01)
    manager = Manager(store, settings, dispatcher, lambda: now)
    await manager.start()
    await run(manager, "complete")
    now += DAY - 1
    await run(manager, "complete")
    assert [job.job_id for job in manager.visible(ALICE)] == [1, 2]
    now += 2
    await until(lambda: [job.job_id for job in manager.visible(ALICE)] == [2])
    await manager.stop()
    now += DAY
    manager = Manager(store, settings, dispatcher, lambda: now)
    await manager.start()
    assert manager.visible(ALICE) == [] == await store.load()
    assert await submit(manager, "complete") == 3
    await manager.stop()


async def test_a_resumed_job_does_not_go_on_by_itself_though_the_new_one_is_forgotten(
    store: JobStore, dispatcher: MemoryDispatcher
) -> None:
    manager = Manager(store, ManagerSettings(), dispatcher)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    manager = await crash_and_restart(store, manager)
    assert await manager.resume(ADMIN, 1, TARGET) == 2
    await manager.cancel(ADMIN, 2)
    assert await manager.clear(Caller(ADMIN.role, "app")) == 1
    assert manager.interrupted == []
    await manager.stop()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
async def test_a_clock_that_jumps_by_an_hour_makes_no_time_negative(
    store: JobStore, dispatcher: MemoryDispatcher, jump: float
) -> None:
    now = 1_000_000.0
    manager = Manager(store, ManagerSettings(), dispatcher, lambda: now)
    await manager.start()
    await submit(manager, "wait")
    await until_copying(manager, 1)
    now += jump
    assert shown(manager, 1).elapsed_ms(now) == max(0.0, jump) * 1000
    await manager.cancel(ALICE, 1)
    job = shown(manager, 1)
    assert job.started_at is not None and job.ended_at is not None and job.started_at <= job.ended_at
    assert job.elapsed_ms(now) == max(0.0, jump) * 1000
    assert await submit(manager, "complete") == 2
    await manager.stop()


async def test_keep_is_answered_when_all_that_was_said_before_is_in_the_store() -> None:
    talks: list[Conversation] = []

    async def follow_orders(start: Start, talk: Conversation) -> None:
        talks.append(talk)
        await talk.cancelled.wait()

    store = UnreliableStore()
    manager = Manager(store, ManagerSettings(), MemoryDispatcher(follow_orders))
    await manager.start()
    job_id = await submit(manager, "orders")
    await until(lambda: bool(talks))
    (talk,) = talks
    store.full = True
    talk.say(Done("a"), Keep(1))
    await until(talk.said.empty)
    store.full = False
    talk.say(Done("b"), Keep(2))
    assert await talk.kept.get() == Kept(2)
    assert talk.kept.empty()
    assert await store.done(job_id) == ("a", "b")
    await manager.stop()
