"""LISTEN pgclone_jobs: sessions of the target database are told of each state of a job."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.servers.notify import notify
from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.processes import job_processes
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.job_runs import as_conninfo


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute("CREATE TABLE public.t AS SELECT generate_series(1, 10) AS id")
    return source_database


class Listener:
    """A session that listens, and what it was told."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.told: list[dict[str, Any]] = []
        connection.execute("LISTEN pgclone_jobs")

    def states(self, job: int, until: str) -> list[str]:
        """What it was told of a job, as soon as it was told the last of it."""

        def states() -> list[str] | None:
            for one in self._connection.notifies(timeout=0.05):
                self.told.append(json.loads(one.payload))
            found = [one["status"] for one in self.told if one["job_id"] == job]
            return found if until in found else None

        return wait_until(states, 30, f"a notification of job {job}: {until}")


@contextmanager
def listening(proxy: ProxyProcess, target: Database) -> Iterator[tuple[Listener, Listener]]:
    """Two of them: through the proxy, and directly."""
    with connect(proxy, target.name) as through, target.connect() as directly:
        yield Listener(through), Listener(directly)


def start(proxy: ProxyProcess, source: Database, target: Database, table: str = "t") -> int:
    with connect(proxy, target.name) as client:
        ((job,),) = client.execute("SELECT pgclone_table_async(%s, 'public', %s)", (source.conninfo(), table))
        return int(job)


def test_each_state_is_told(proxy: ProxyProcess, source: Database, target_database: Database) -> None:
    with listening(proxy, target_database) as listeners:
        good = start(proxy, source, target_database)
        for listener in listeners:
            assert listener.states(good, "completed") == ["pending", "running", "completed"]
            assert listener.told[-1] == {
                "job_id": good, "status": "completed", "op_type": "table", "schema": "public", "table": "t",
                "owner": SUPERUSER, "pct_complete": 100.0, "rows_copied": 10,
            }  # fmt: skip
        bad = start(proxy, source, target_database)  # it is there already
        for listener in listeners:
            assert listener.states(bad, "failed") == ["pending", "running", "failed"]
            assert listener.told[-1]["sqlstate"] == "42P07"
            assert "password" not in json.dumps(listener.told)


def test_who_waits_for_his_clone_and_listens_is_told_behind_it(
    proxy: ProxyProcess, source: Database, target_database: Database
) -> None:
    with connect(proxy, target_database.name) as client:
        listener = Listener(client)
        client.execute("SELECT pgclone_table(%s, 'public', 't')", (source.conninfo(),))
        ((job,),) = client.execute("SELECT max(job_id) FROM pgclone_jobs_view")
        assert listener.states(job, "completed") == ["pending", "running", "completed"]


def test_a_job_that_never_ran_and_one_whose_process_is_killed(
    proxies: Proxies, source: Database, target_database: Database
) -> None:
    target = target_database
    proxy = proxies.start(target.conninfo(), {"jobs": {"max_running": 1}})
    with listening(proxy, target) as (listener, _), source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        first, second = start(proxy, source, target), start(proxy, source, target)
        with connect(proxy, target.name) as client:
            client.execute("SELECT pgclone_cancel(%s)", (second,))
        assert listener.states(second, "cancelled") == ["pending", "cancelled"]
        assert listener.states(first, "running") == ["pending", "running"]
        (job_process,) = wait_until(lambda: job_processes(proxy.pid), 20, "the job's process")
        os.kill(job_process, signal.SIGKILL)
        assert listener.states(first, "failed") == ["pending", "running", "failed"]


def test_nobody_is_told_where_the_configuration_says_so(
    proxies: Proxies, proxy: ProxyProcess, source: Database, target_database: Database
) -> None:
    quiet = proxies.start(target_database.server.conninfo(), {"jobs": {"notify": False}})
    with listening(quiet, target_database) as listeners, connect(quiet, target_database.name) as client:
        client.execute("SELECT pgclone_table(%s, 'public', 't')", (source.conninfo(),))
        other = start(proxy, source, target_database)  # it is there already
        for listener in listeners:
            listener.states(other, "failed")
            assert {one["status"] for one in listener.told} == {"pending", "running", "failed"}


async def test_why_the_target_cannot_be_told_is_said_without_secrets(target_database: Database) -> None:
    login = as_conninfo(target_database).with_parameters({"dbname": "not_there", "password": "canary"})
    with pytest.raises(PgError, match=r'could not connect to target: .*"not_there" does not exist') as caught:
        await notify(login, 1, ["{}"])
    assert caught.value.sqlstate == "3D000"
    assert "canary" not in str(caught.value)
