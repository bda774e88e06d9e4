"""A lock that holds a clone for as long as a test wants, and who sees its job meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from proxy.launch import ProxyProcess
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.harness.wire import bind, execute, message, parse

Connection = psycopg.Connection[tuple[Any, ...]]
SYNC = message(b"S")


@contextlib.contextmanager
def held(source: Database) -> Iterator[Callable[[], None]]:
    """Holds the clone of the source's table; gives what lets it go on."""
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        yield lambda: holder.execute("ROLLBACK") and None


class Watch:
    """The newest job, as another session sees it."""

    def __init__(self, proxy: ProxyProcess, database: str) -> None:
        self._connection = connect(proxy, database)
        self._last = self._connection.execute("SELECT coalesce(max(job_id), 0) FROM pgclone_jobs_view").fetchone()

    def close(self) -> None:
        self._connection.close()

    def job(self) -> tuple[Any, ...] | None:
        """Status, milliseconds and error of the job that came last since this began, if there is one."""
        return self._connection.execute(
            "SELECT status, elapsed_ms, error_message, job_id FROM pgclone_jobs_view WHERE job_id > %s"
            " ORDER BY job_id DESC LIMIT 1",
            self._last,
        ).fetchone()

    def wait(self, *statuses: str) -> tuple[Any, ...]:
        """The job, as soon as its status is one of these."""
        return wait_until(lambda: (job := self.job()) and job[0] in statuses and job, 20, f"a job {statuses}")

    def wait_running(self, milliseconds: int = 0) -> None:
        """Until the job runs, for some time already."""
        wait_until(lambda: (j := self.job()) and j[0] == "running" and j[1] >= milliseconds, 20, "the job to run")


def step(sql: str) -> bytes:
    return parse(sql) + bind() + execute()
