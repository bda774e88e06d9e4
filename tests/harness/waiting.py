"""Waiting for a condition, with a limit: the only way tests wait.  And running what waits beside the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import psycopg

T = TypeVar("T")
PAUSE = 0.02


def wait_until(condition: Callable[[], T | None], seconds: float = 10.0, what: str = "the condition") -> T:
    """The first true value of `condition`.  AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(PAUSE)
    return value


async def wait_until_async(
    condition: Callable[[], Awaitable[T | None]], seconds: float = 10.0, what: str = "the condition"
) -> T:
    """As wait_until, for a coroutine function."""
    deadline = time.monotonic() + seconds
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        await asyncio.sleep(PAUSE)
    return value


def wait_until_asleep(conninfo: str, pid: int) -> None:
    """Until that server process is in pg_sleep."""
    asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
    with psycopg.connect(conninfo, autocommit=True) as watcher:
        wait_until(lambda: watcher.execute(asleep, (pid,)).fetchone(), 20, "pg_sleep")


@contextmanager
def under_way(run: Callable[[], T]) -> Iterator[Future[T]]:
    """Runs something beside the test, which ends when it has ended."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(run)
