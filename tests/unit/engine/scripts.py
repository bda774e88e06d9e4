"""Jobs that clone nothing, for the dispatcher in memory: the name of the schema says how one behaves.

The same names mean the same in `stand_in.py`, where they are processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from clone_engine.jobs.dispatcher import Conversation
from clone_engine.records.channel import Advanced, Done, Ended, Reported, Start
from clone_engine.records.jobs import Outcome, Progress, Worker


async def complete(start: Start, talk: Conversation) -> None:
    for number, table in enumerate(("orders", "items"), start=1):
        key = f"table {start.request.schema_name}.{table}"
        if key not in start.done:
            talk.say(Advanced(Progress("copying data", table, 2, number, number * 10, number * 100, number * 50.0)))
            talk.say(Done(key), Reported(Outcome(f"table {table}", "done")))
    talk.say(Ended("completed"))


async def wait(start: Start, talk: Conversation) -> None:
    """One table done, then nothing more until it is cancelled."""
    key = f"table {start.request.schema_name}.orders"
    if key not in start.done:
        talk.say(Done(key))
    talk.say(Advanced(Progress("copying data", "items", 2, 1, 10, 100, 50.0)))
    await talk.cancelled.wait()
    talk.say(Ended("cancelled"))


async def parallel(start: Start, talk: Conversation) -> None:
    """As `wait`, with two workers."""
    workers = (Worker("copying data", "s", "orders"), Worker("copying data", "s", "items"))
    talk.say(Advanced(Progress("copying data", "items", 2, 1, 10, 100, 50.0, workers=workers)))
    await talk.cancelled.wait()
    talk.say(Ended("cancelled"))


async def chatter(start: Start, talk: Conversation) -> None:
    """Much progress in many small writes."""
    for number in range(200):
        talk.say(Advanced(Progress("copying data", "orders", 1, 0, number, number, number / 4)))
        await asyncio.sleep(0)
    talk.say(Ended("completed"))


async def fail(start: Start, talk: Conversation) -> None:
    talk.say(Advanced(Progress("copying data", "orders", 2, 0, 5, 50, 100.0)))
    talk.say(Ended("failed", "23505", "duplicate key value violates unique constraint"))


async def die(start: Start, talk: Conversation) -> None:
    raise RuntimeError


async def stop_by_itself(start: Start, talk: Conversation) -> None:
    talk.say(Ended("cancelled"))


async def ignore_cancel(start: Start, talk: Conversation) -> None:
    talk.say(Advanced(Progress("copying data", "orders", 2, 0, 5, 50, 10.0)))
    await asyncio.Event().wait()


async def hang_after_end(start: Start, talk: Conversation) -> None:
    talk.say(Ended("completed"))
    await asyncio.Event().wait()


BEHAVIOURS: dict[str, Callable[[Start, Conversation], Awaitable[None]]] = {
    f.__name__: f for f in (complete, wait, parallel, chatter, fail, die, stop_by_itself, ignore_cancel, hang_after_end)
}


async def behave(start: Start, talk: Conversation) -> None:
    await BEHAVIOURS[start.request.schema_name](start, talk)
