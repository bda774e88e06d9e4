"""Several processes on one port: to clients they are one proxy, whichever of them each one meets; and what becomes of
clients and jobs when one of them dies, or all are told to end."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import PASSWORD, Database
from tests.harness.waiting import under_way, wait_until
from tests.integration.test_restart import interrupted, jobs
from tests.integration.test_shutdown import PATIENT, refuses

Connection = psycopg.Connection[tuple[Any, ...]]
TWO = {"server": {"processes": 2}}
PATIENT_TWO = {"server": PATIENT["server"] | {"processes": 2}}
RUNS = re.compile(r"serving process runs +process=(\d) pid=(\d+)")
ESTABLISHED = re.compile(r"connection authenticated .*process=(\d)")
SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"


@pytest.fixture
def two(proxies: Proxies, server: Server) -> ProxyProcess:
    """A proxy with two serving processes."""
    return proxies.start(server.conninfo(), TWO)


def serving(proxy: ProxyProcess) -> dict[str, int]:
    """The process ids of the serving processes, by their numbers."""
    return {place: int(pid) for place, pid in RUNS.findall(proxy.log())}


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def places(proxy: ProxyProcess) -> list[str]:
    """The serving processes of the sessions that there have been, in their order."""
    return ESTABLISHED.findall(proxy.log())


@contextmanager
def placed(proxy: ProxyProcess, dbname: str = "postgres") -> Iterator[tuple[str, Connection]]:
    """A connection, and the serving process that it is at."""
    before = len(places(proxy))
    with connect(proxy, dbname) as session:
        wait_until(lambda: len(places(proxy)) > before, 10, "the log")
        yield places(proxy)[-1], session


def place_of_a_new_one(proxy: ProxyProcess) -> str:
    with placed(proxy) as (place, _):
        return place


@contextmanager
def one_at_each(proxy: ProxyProcess, dbname: str = "postgres") -> Iterator[tuple[Connection, Connection]]:
    """Two connections, one at the first serving process and one at the second."""
    with placed(proxy, dbname) as (place, one), placed(proxy, dbname) as (other_place, other):
        assert {place, other_place} == {"1", "2"}
        yield (one, other) if place == "1" else (other, one)


def begin(session: Connection, source: Database) -> int:
    """The number of a job that clones a table."""
    row = session.execute("SELECT pgclone_table_async(%s, 'public', 't')", [source.conninfo()]).fetchone()
    assert row
    return int(row[0])


def statuses(session: Connection) -> dict[int, str]:
    return dict(session.execute("SELECT job_id, status FROM pgclone_jobs_view").fetchall())


@contextmanager
def lost(session: Connection) -> Iterator[None]:
    """What is done within the block fails as the connection is lost."""
    with pytest.raises(psycopg.OperationalError):
        yield
    assert session.closed


# Clients.


def test_each_process_has_its_share_of_the_clients(two: ProxyProcess) -> None:
    with ExitStack() as stack:
        for number in range(64):
            stack.enter_context(connect(two, by_socket=number % 2 == 0))
        wait_until(lambda: len(places(two)) == 64, 10, "the log")
        assert Counter(places(two)) == {"1": 32, "2": 32}


def test_numbers_of_connections_are_unique(two: ProxyProcess) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(placed(two))
    numbers = re.findall(r"connection authenticated +connection=(\d+)", two.log())
    assert len(numbers) == len(set(numbers)) == 10


def test_a_client_that_leaves_makes_room_where_it_was(two: ProxyProcess) -> None:
    with one_at_each(two) as (first, _):
        first.close()
        wait_until(lambda: place_of_a_new_one(two) == "1", 10, "it to be counted no more")


# Jobs.


def test_what_an_action_has_done_is_seen_through_the_other_process_at_once(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE public.t (id int)")
    with one_at_each(two, target_database.name) as (one, other), source_database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        for here, there in [(one, other), (other, one)] * 5:
            job = begin(here, source_database)
            assert statuses(there)[job] in ("pending", "running")
            assert there.execute("SELECT pgclone_cancel(%s)", [job]).fetchone() == ("cancelled",)
            assert statuses(here)[job] == "cancelled"
        assert other.execute("SELECT pgclone_clear_jobs()").fetchone() == (10,)
        assert statuses(one) == {}


def test_a_clone_that_has_failed_is_seen_as_failed_through_the_other_process(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    with one_at_each(two, target_database.name) as (one, other):
        for job in range(1, 6):
            with pytest.raises(psycopg.Error, match="does not exist"):
                one.execute("SELECT pgclone_table(%s, 'public', 'nosuch')", [source_database.conninfo()])
            assert statuses(other)[job] == "failed"


def test_jobs_of_an_earlier_start_are_seen_through_both(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE public.t (id int)")
    with connect(two, target_database.name) as session:
        session.execute("SELECT pgclone_table(%s, 'public', 't')", [source_database.conninfo()])
    two.stop()
    two.start()
    with one_at_each(two, target_database.name) as sessions:
        assert [statuses(session) for session in sessions] == [{1: "completed"}] * 2


# CancelRequests, which go to the process that has fewer clients: not to that of the session.


@pytest.mark.parametrize("at", [0, 1])
def test_a_cancel_request_reaches_a_clone_that_is_waited_for_at_another_process(
    two: ProxyProcess, source_database: Database, target_database: Database, at: int
) -> None:
    source_database.execute("CREATE TABLE public.t (id int)")
    with one_at_each(two, target_database.name) as sessions, source_database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        waiting, other = sessions[at], sessions[1 - at]
        call = "SELECT pgclone_table(%s, 'public', 't')"
        with under_way(lambda: waiting.execute(call, [source_database.conninfo()])) as clone:
            wait_until(lambda: "running" in statuses(other).values(), 30, "the clone to run")
            other.close()
            waiting.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                clone.result(30)
        assert statuses(waiting) == {1: "cancelled"}


@pytest.mark.parametrize("at", [0, 1])
def test_a_cancel_request_reaches_a_statement_of_the_server_at_another_process(
    two: ProxyProcess, database: Database, at: int
) -> None:
    with one_at_each(two, database.name) as sessions:
        waiting, other = sessions[at], sessions[1 - at]
        with under_way(lambda: waiting.execute("SELECT pg_sleep(300)")) as sleeping:
            wait_until(lambda: other.execute(SLEEPERS).fetchone() == (1,), 30, "the statement to run")
            other.close()
            waiting.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                sleeping.result(30)
        assert waiting.execute("SELECT 1").fetchone() == (1,)


# Ends.


def test_a_process_that_dies_cuts_off_its_own_clients_only(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    with interrupted(two, source_database, target_database), one_at_each(two, target_database.name) as (one, other):
        (first, second) = serving(two)["1"], serving(two)["2"]
        os.kill(first, signal.SIGKILL)
        with lost(one):
            one.execute("SELECT 1")
        assert statuses(other) == {1: "running"}
        wait_until(lambda: serving(two)["1"] != first, 30, "another process in its place")
        assert serving(two)["2"] == second and runs(second)
        with placed(two, target_database.name) as (place, new):
            assert place == "1"
            assert statuses(new) == {1: "running"}
    wait_until(lambda: jobs(two, target_database) == [(1, "completed")], 30, "the job to complete")


def test_a_clone_that_a_dead_process_waited_for_is_cancelled(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE public.t (id int)")
    with one_at_each(two, target_database.name) as (one, other), source_database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        call = "SELECT pgclone_table(%s, 'public', 't')"
        with under_way(lambda: one.execute(call, [source_database.conninfo()])) as clone:
            wait_until(lambda: "running" in statuses(other).values(), 30, "the clone to run")
            os.kill(serving(two)["1"], signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                clone.result(30)
        wait_until(lambda: statuses(other) == {1: "cancelled"}, 30, "the clone to be cancelled")


def test_a_process_that_hangs_does_not_hold_up_the_clients_of_the_other(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE public.t (id int)")
    with one_at_each(two, target_database.name) as (_, other):
        os.kill(serving(two)["1"], signal.SIGSTOP)
        begin(other, source_database)
        assert "serving process does not answer" in two.log()
        wait_until(lambda: statuses(other) == {1: "completed"}, 30, "the job to complete")
        assert two.stop() == 0
        assert not any(runs(pid) for pid in serving(two).values())


def test_a_process_that_hangs_gets_no_new_clients_until_it_goes_on(two: ProxyProcess) -> None:
    with one_at_each(two) as (one, _):
        hung = serving(two)["1"]
        os.kill(hung, signal.SIGSTOP)
        wait_until(lambda: "it gets no more clients" in two.log(), 30, "it to be found out")
        with placed(two) as (place, _), placed(two) as (next_place, _):
            assert (place, next_place) == ("2", "2")
            os.kill(hung, signal.SIGCONT)
            assert one.execute("SELECT 1").fetchone() == (1,)
            wait_until(lambda: place_of_a_new_one(two) == "1", 30, "it to get clients again")


def test_all_end_when_the_first_process_dies_and_jobs_go_on_at_the_next_start(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    with interrupted(two, source_database, target_database), one_at_each(two, target_database.name) as sessions:
        pids = serving(two).values()
        two.kill()
        for session in sessions:
            with lost(session):
                session.execute("SELECT 1")
        wait_until(lambda: not any(runs(pid) for pid in pids), 30, "the serving processes to end")
        two.start()
    ended = [(1, "failed"), (2, "completed")]
    wait_until(lambda: jobs(two, target_database) == ended, 30, "the new job to complete")


@pytest.mark.parametrize("to_all", [False, True], ids=["to the first process", "to all processes"])
def test_sigterm_waits_for_clients_of_both_processes_and_jobs(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database, to_all: bool
) -> None:
    proxy = proxies.start(server.conninfo(), PATIENT_TWO)
    pids = serving(proxy).values()
    with interrupted(proxy, source_database, target_database), one_at_each(proxy, target_database.name) as sessions:
        (os.killpg if to_all else os.kill)(proxy.pid, signal.SIGTERM)
        wait_until(lambda: refuses(proxy), 30, "the listeners to close")
        assert [statuses(session) for session in sessions] == [{1: "running"}] * 2
    assert proxy.process and proxy.process.wait(30) == 0
    assert not any(runs(pid) for pid in pids)
    proxy.start()
    assert jobs(proxy, target_database) == [(1, "completed")]


def test_sigint_tells_who_waits_for_a_clone_at_any_process(
    two: ProxyProcess, source_database: Database, target_database: Database
) -> None:
    source_database.execute("CREATE TABLE public.t (id int); CREATE TABLE public.u (id int)")
    with one_at_each(two, target_database.name) as (one, other), source_database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.t, public.u IN ACCESS EXCLUSIVE MODE")
        call = "SELECT pgclone_table(%s, 'public', '{}')"
        with (
            under_way(lambda: one.execute(call.format("t").encode(), [source_database.conninfo()])) as clone_one,
            under_way(lambda: other.execute(call.format("u").encode(), [source_database.conninfo()])) as clone_other,
        ):
            both = [(1, "running"), (2, "running")]
            wait_until(lambda: jobs(two, target_database) == both, 30, "the clones to run")
            assert two.stop(signal.SIGINT) == 0
            for clone in (clone_one, clone_other):
                with pytest.raises(psycopg.errors.AdminShutdown):
                    clone.result(30)
    two.start()
    assert {status for _, status in jobs(two, target_database)[:2]} == {"failed"}


# Secrets.


def test_nothing_secret_is_in_arguments_or_environment_of_a_process(
    proxies: Proxies, scram_server: Server, server: Server
) -> None:
    target = scram_server.conninfo(password=PASSWORD)
    proxy = proxies.start(target, TWO, PGCLONE_PROXY_SERVER_TARGET=target)
    for pid in serving(proxy).values():
        for file in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
    assert PASSWORD not in proxy.log()
