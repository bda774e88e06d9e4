"""Clones of which something is killed at a random moment, again and again until they are complete: no row is lost or
comes twice.  The seed of a round is its number; `make test-faults` plays more of them."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from proxy.embedded import Server
from tests.faults.stage import IN_PARTS, JOBS, WHOLE, Stage
from tests.harness.processes import children, job_processes
from tests.harness.proxies import Proxies
from tests.harness.servers import Database, Servers, fresh_database
from tests.harness.waiting import wait_until

KILLS = 3


@pytest.fixture
def stage(proxies: Proxies, servers: Servers, source_database: Database) -> Iterator[Stage]:
    """Its target is on a server that may be restarted."""
    server = servers.get(name="fragile target")
    with fresh_database(server, "target") as target:
        # The test resumes: it would meet jobs that go on by themselves.
        yield Stage(source_database, target, proxies.start(server.conninfo(), {"jobs": {"resume_at_start": False}}))


def kill_a_copier(stage: Stage, chance: random.Random) -> None:
    copiers = [copier for job in job_processes(stage.proxy.pid) for copier in children(job)]
    _kill(copiers, chance)


def kill_a_job_process(stage: Stage, chance: random.Random) -> None:
    _kill(job_processes(stage.proxy.pid), chance)


def kill_the_proxy(stage: Stage, _: random.Random) -> None:
    stage.proxy.kill()
    stage.proxy.start()


def end_a_backend_of_the_source(stage: Stage, chance: random.Random) -> None:
    _end_a_backend(stage.source, chance)


def end_a_backend_of_the_target(stage: Stage, chance: random.Random) -> None:
    _end_a_backend(stage.target, chance)


def crash_the_target(stage: Stage, _: random.Random) -> None:
    server: Server = stage.target.server
    server.stop(signal.SIGQUIT)
    server.start()


FAULTS: tuple[Callable[[Stage, random.Random], None], ...] = (
    kill_a_copier,
    kill_a_job_process,
    kill_the_proxy,
    end_a_backend_of_the_source,
    end_a_backend_of_the_target,
    crash_the_target,
)


def _kill(pids: list[int], chance: random.Random) -> None:
    with suppress(ProcessLookupError):
        for pid in chance.sample(sorted(pids), min(1, len(pids))):
            os.kill(pid, signal.SIGKILL)


def _end_a_backend(database: Database, chance: random.Random) -> None:
    ours = f"SELECT pid FROM pg_stat_activity WHERE {JOBS} AND datname = current_database() ORDER BY backend_start"
    if found := database.rows(ours):
        database.execute(f"SELECT pg_terminate_backend({chance.choice(found)[0]})")


def go_on(stage: Stage) -> str:
    """The status of the newest job; if it has failed, another one goes on from it."""
    newest = stage.jobs()[-1]
    if newest.status == "failed":
        print(f"  job {newest.job_id}: failed {newest.message}")
        stage.resume(newest.job_id)
    return newest.status


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 23))], ids="seed {}".format
)
def test_whatever_is_killed_each_row_arrives_once(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    stage.clone(rows=WHOLE if seed % 2 else IN_PARTS)
    for _ in range(KILLS):
        fault = chance.choice(FAULTS)
        moment = time.monotonic() + chance.random() * 2
        wait_until(lambda moment=moment: time.monotonic() > moment, what="the moment")
        print(f"  {fault.__name__}")
        fault(stage, chance)
        go_on(stage)
    with stage.gate_open():
        wait_until(lambda: go_on(stage) == "completed", 150, "the clone to be complete")
    stage.assert_exactly()
