"""Jobs that the end of the proxy interrupts go on by themselves when it starts again.

A lock on the source's table holds the job until the proxy has ended.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clone_engine.jobs.verdicts import MAX_CRASHES
from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

ROWS = 1000


@contextmanager
def interrupted(proxy: ProxyProcess, source: Database, target: Database) -> Iterator[None]:
    """While the block runs, a job is at work that cannot end."""
    source.execute(f"CREATE TABLE public.t AS SELECT generate_series(1, {ROWS}) AS id")
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        with connect(proxy, target.name) as connection:
            connection.execute("SELECT pgclone_table_async(%s, 'public', 't')", (source.conninfo(),))
            wait_until(lambda: "running" in dict(jobs(proxy, target)).values(), 30, "the job to run")
        yield


def jobs(proxy: ProxyProcess, target: Database) -> list[tuple[int, str]]:
    """Number and status of all jobs."""
    with connect(proxy, target.name) as connection:
        rows = connection.execute("SELECT job_id, status FROM pgclone_jobs_view ORDER BY job_id").fetchall()
    return [(job_id, status) for job_id, status in rows]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_an_interrupted_job_goes_on_as_a_new_one(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database, how: signal.Signals
) -> None:
    proxy = proxies.start(server.conninfo())
    with interrupted(proxy, source_database, target_database):
        proxy.stop(how)
    proxy.start()
    ended = [(1, "failed"), (2, "completed")]
    wait_until(lambda: jobs(proxy, target_database) == ended, 30, "the new job to complete")
    assert target_database.value("SELECT count(*) FROM public.t") == ROWS
    proxy.stop()
    proxy.start()
    assert jobs(proxy, target_database) == ended


def test_a_job_that_is_there_at_each_crash_waits_for_its_owner(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo())
    with interrupted(proxy, source_database, target_database):
        for number in range(1, MAX_CRASHES + 1):
            now = [*((earlier, "failed") for earlier in range(1, number)), (number, "running")]
            wait_until(lambda now=now: jobs(proxy, target_database) == now, 60, "the job to go on")
            proxy.kill()
            proxy.start()
    with connect(proxy, target_database.name) as connection:
        error = "SELECT error_message FROM pgclone_jobs_view WHERE job_id = %s"
        (said,) = connection.execute(error, (MAX_CRASHES,)).fetchone() or ("",)
        assert said.endswith(f"so it waits for you: go on with pgclone_resume({MAX_CRASHES})")
        assert connection.execute("SELECT pgclone_resume(%s)", (MAX_CRASHES,)).fetchone() == (MAX_CRASHES + 1,)
    wait_until(lambda: jobs(proxy, target_database)[-1] == (MAX_CRASHES + 1, "completed"), 60, "the resumed job")
    assert target_database.value("SELECT count(*) FROM public.t") == ROWS


@pytest.mark.parametrize(
    "sections", [{"resume_at_start": False}, {"deny_roles": ["postgres"]}, {"allow_roles": ["nobody_s"]}], ids=str
)
def test_what_may_not_go_on_stays_failed_and_can_be_resumed(
    proxies: Proxies,
    server: Server,
    source_database: Database,
    target_database: Database,
    sections: dict[str, bool | list[str]],
) -> None:
    proxy = proxies.start(server.conninfo())
    with interrupted(proxy, source_database, target_database):
        proxy.stop()
    store = str(proxy.directory / "jobs.sqlite")
    refusing = proxies.start(server.conninfo(), {"jobs": {"store": store, **sections}})
    if "resume_at_start" not in sections:
        wait_until(lambda: "cannot go on by itself" in refusing.log(), 30, "the refusal")
    refusing.stop()
    proxy = proxies.start(server.conninfo(), {"jobs": {"store": store, "resume_at_start": False}})
    assert jobs(proxy, target_database) == [(1, "failed")]
    with connect(proxy, target_database.name) as connection:
        assert connection.execute("SELECT pgclone_resume(1)").fetchone() == (2,)
    wait_until(lambda: jobs(proxy, target_database)[1:] == [(2, "completed")], 30, "the resumed job to complete")
