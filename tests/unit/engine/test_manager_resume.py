"""Jobs that callers go on with: from what, with which secrets, and when that is refused."""

from __future__ import annotations

import asyncio
import time

import pytest

from clone_engine.jobs.dispatcher import MemoryDispatcher
from clone_engine.jobs.manager import Caller, Manager, ManagerSettings
from clone_engine.records.channel import Forerunner
from clone_engine.records.errors import PgError
from clone_engine.records.job_store import JobStore
from tests.unit.engine.managed import (
    ADMIN,
    ALICE,
    BOB,
    SECRET_SOURCE,
    SOURCE,
    TARGET,
    refused,
    run,
    shown,
    submit,
    until_copying,
)

pytestmark = pytest.mark.usefixtures("within_limit")


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
