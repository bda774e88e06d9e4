"""Every way to ask that psql and clients in Python have: reads, refusals, actions, one statement while its job goes on.

The tables are in statements.py, the clients in tests/harness/clients; what only one client can do is in its own file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.clients.statements import (
    NOT_ENDED,
    PER_ROW,
    READS,
    REFUSALS,
    REFUSED_ACTIONS,
    START,
    STATUS,
    ended,
    holding,
)
from tests.harness.clients import READERS, WAYS, Psycopg, SqlClient, SqlError
from tests.harness.proxies import running_proxies
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

USES_WHILE_RUNNING = 10
"""More than psycopg and others need before they prepare by themselves."""


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest, proxy: ProxyProcess, target: Database) -> Iterator[SqlClient]:
    connected = READERS[request.param](proxy, target)
    yield connected
    connected.close()


@pytest.mark.parametrize("name", READS)
def test_reads(reader: SqlClient, job: int, name: str) -> None:
    sql, values, expected = READS[name].about(job)
    assert reader.rows(sql, *values) == expected


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(reader: SqlClient, job: int, name: str) -> None:
    _assert_refused(reader, *REFUSALS[name].about(job))


def test_a_prepared_statement_follows_its_job(
    reader: SqlClient, proxy: ProxyProcess, source: Database, target: Database
) -> None:
    target.execute("DROP TABLE IF EXISTS public.held")
    status = reader.prepare(STATUS)
    with closing(Psycopg(proxy, target)) as starter, holding(source) as holder:
        ((number,),) = starter.rows(START, source.conninfo(), "public", "held", "held")
        job = int(number or 0)
        wait_until(lambda: status(job)[0][0] == "running", 30, "the job to run")
        assert [status(job) for _ in range(USES_WHILE_RUNNING)] == [[("running", "0")]] * USES_WHILE_RUNNING
        holder.execute("ROLLBACK")
    wait_until(lambda: status(job)[0][0] not in NOT_ENDED, 30, "the job to end")
    assert status(job) == [("completed", "500")]
    assert target.value("SELECT count(*) FROM public.held") == 500


class Busy(NamedTuple):
    """A proxy whose one running job waits for a lock: what is started there is pending, and costs nothing."""

    proxy: ProxyProcess
    job: int


@pytest.fixture(scope="module")
def busy(server: Server, source: Database, target: Database) -> Iterator[Busy]:
    directory = TemporaryDirectory(prefix="pgclone-")
    with directory as place, holding(source), running_proxies(Path(place)) as proxies:
        proxy = proxies.start(server.conninfo(), {"jobs": {"max_running": 1}})
        with closing(Psycopg(proxy, target)) as client:
            ((done,),) = client.rows(START, source.conninfo(), "sales", "customers", "customers_before")
            assert ended(client, int(done or 0)) == ("completed", "1000")
            target.execute("DROP TABLE sales.customers_before")
            client.rows(START, source.conninfo(), "public", "held", "held_up")
        yield Busy(proxy, int(done or 0))


@pytest.fixture(scope="module", params=WAYS)
def starter(request: pytest.FixtureRequest, busy: Busy, target: Database) -> Iterator[SqlClient]:
    connected = WAYS[request.param](busy.proxy, target)
    yield connected
    connected.close()


def test_a_call_with_constants(starter: SqlClient) -> None:
    sql = "SELECT pgclone_table_async('host=127.0.0.1', 'sales', 'orders', true, 'by constants')"
    assert _started(starter, starter.rows(sql)) == [("orders", "pending")]


def test_a_call_with_parameters(starter: SqlClient) -> None:
    rows = starter.rows(START, "host=127.0.0.1", "sales", "customers", "by parameters")
    assert _started(starter, rows) == [("customers", "pending")]


def test_a_call_per_row(starter: SqlClient) -> None:
    rows = starter.rows(f"{PER_ROW} ORDER BY tablename", "host=127.0.0.1")
    assert _started(starter, rows) == [("customers", "pending"), ("orders", "pending")]


def test_a_call_prepared_and_executed_again(starter: SqlClient) -> None:
    start = starter.prepare(START)
    rows = [*start("host=127.0.0.1", "s", "one", "a"), *start("host=127.0.0.1", "s", "two", "b")]
    assert _started(starter, rows) == [("one", "pending"), ("two", "pending")]


def test_pending_jobs_are_cancelled_per_row(starter: SqlClient) -> None:
    ((job,),) = starter.rows(START, "host=127.0.0.1", "s", "t", "cancelled")
    cancel = "SELECT pgclone_cancel(job_id) FROM pgclone_jobs_view WHERE job_id = $1"
    assert starter.rows(cancel, int(job or 0)) == [("cancelled",)]
    assert starter.rows(STATUS, int(job or 0)) == [("cancelled", "0")]


@pytest.mark.parametrize("name", REFUSED_ACTIONS)
def test_refused_actions(starter: SqlClient, busy: Busy, name: str) -> None:
    count = "SELECT count(*) FROM pgclone_jobs_view"
    before = starter.rows(count)
    _assert_refused(starter, *REFUSED_ACTIONS[name].about(busy.job))
    assert starter.rows(count) == before


def _started(client: SqlClient, rows: list[tuple[str | None, ...]]) -> list[tuple[str | None, ...]]:
    """Which tables the jobs are for whose numbers a client got, and their status."""
    look = "SELECT table_name, status FROM pgclone_jobs_view WHERE job_id = $1"
    return [found for (job,) in rows for found in client.rows(look, int(job or 0))]


def _assert_refused(client: SqlClient, sql: str, values: tuple[object, ...], sqlstate: str, words: str) -> None:
    with pytest.raises(SqlError) as refused:
        client.rows(sql, *values)
    assert (refused.value.sqlstate, words in refused.value.message) == (sqlstate, True), refused.value
    assert client.rows("SELECT $1::int", 1) == [("1",)]
