"""What every dispatcher does, asked of both.  What only processes have: `test_children.py`."""

from __future__ import annotations

import asyncio

import pytest

from clone_engine.jobs.children import JobProcesses
from clone_engine.jobs.dispatcher import Dispatcher, MemoryDispatcher, Work
from clone_engine.records.channel import Ended, FromJob, Start
from clone_engine.records.request import CloneRequest, Conninfo


@pytest.fixture(params=["memory", "processes"])
def any_dispatcher(request: pytest.FixtureRequest, dispatcher: MemoryDispatcher, processes: JobProcesses) -> Dispatcher:
    return dispatcher if request.param == "memory" else processes


def first_line(behaviour: str) -> Start:
    request = CloneRequest(kind="schema", schema_name=behaviour)
    return Start(7, request, Conninfo({"host": "source"}), Conninfo({"host": "target"}), 1, "pgclone_job_7_test")


async def everything(work: Work) -> list[FromJob]:
    messages: list[FromJob] = []
    while batch := await work.receive():
        messages.extend(batch)
    return messages


async def test_messages_in_order_then_nothing(any_dispatcher: Dispatcher) -> None:
    work = await any_dispatcher.start(first_line("complete"))
    messages = await everything(work)
    assert [type(m).__name__ for m in messages] == [*["Advanced", "Done", "Reported"] * 2, "Ended"]
    assert await work.receive() == []
    await work.close()
    assert work.ending


@pytest.mark.parametrize(("behaviour", "asking_was_enough"), [("wait", True), ("ignore_cancel", False)])
async def test_stop_asks_and_then_ends_it(any_dispatcher: Dispatcher, behaviour: str, asking_was_enough: bool) -> None:
    work = await any_dispatcher.start(first_line(behaviour))
    assert await work.receive() and work.ending == ""
    async with asyncio.timeout(20):
        assert await work.stop() is asking_was_enough
    assert work.ending
    assert (Ended("cancelled") in await everything(work)) is asking_was_enough
    await work.close()


async def test_close_ends_what_does_not(any_dispatcher: Dispatcher) -> None:
    work = await any_dispatcher.start(first_line("hang_after_end"))
    assert await work.receive() == [Ended("completed")]
    await work.close()
    assert work.ending


async def test_an_end_without_a_word_is_an_end(any_dispatcher: Dispatcher) -> None:
    work = await any_dispatcher.start(first_line("die"))
    assert await everything(work) == []
    await work.close()
    assert work.ending
