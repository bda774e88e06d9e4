"""The same asked for many times at once: cancels of one job and of many, two resumes, two jobs on one table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.standing_still import PHASES, WAITING, Place, held, wait_until_held

Connection = psycopg.Connection[tuple[Any, ...]]
MANY = 100
HELD = PHASES["COPY, in the middle"]
STATUSES = "SELECT status, count(*) FROM pgclone_jobs_view GROUP BY 1 ORDER BY 1"
OVER = "SELECT count(*) = 0 FROM pgclone_jobs_view WHERE status IN ('pending', 'running')"
OURS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'"


@pytest.fixture
def place(source_database: Database, target_database: Database) -> Place:
    return Place(source_database, target_database)


@pytest.fixture
def proxy(proxies: Proxies, place: Place) -> ProxyProcess:
    return proxies.start(place.target.server.conninfo(), {"jobs": {"max_running": 2}})


@pytest.fixture
def sessions(proxy: ProxyProcess, place: Place) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(proxy, place.target.name)) for _ in range(MANY)]


def all_at_once(sessions: list[Connection], statements: list[str]) -> list[str]:
    """What each statement answers in a session of its own, or its error."""

    def run(session: Connection, sql: str) -> str:
        try:
            return str(session.execute(sql.encode()).fetchall()[0][0])
        except psycopg.Error as error:
            return f"{error.sqlstate}: {error.diag.message_detail}"

    with ThreadPoolExecutor(len(statements)) as pool:
        return list(pool.map(run, sessions, statements))


def begin_many(session: Connection, place: Place) -> None:
    sql = "SELECT count(pgclone_schema_async(%s, 's', true, %s)) FROM generate_series(1, %s)"
    assert session.execute(sql, [place.source.conninfo(), HELD.options, MANY]).fetchone() == (MANY,)


def said(what: str, began: float) -> None:
    print(f"\n{what}: {time.monotonic() - began:.2f} s")


def test_a_hundred_sessions_cancel_one_job(sessions: list[Connection], place: Place) -> None:
    """The other one, of the same owner between the same databases, is let alone."""
    with held(place, HELD) as let_go:
        source, condition = place.source.conninfo(), '{"where": "s.held(v) IS NOT NULL", "parallel": 1}'
        sessions[0].execute("SELECT pgclone_schema_async(%s, 's', true, %s)", [source, HELD.options])
        wait_until_held(place, HELD)
        sessions[0].execute("SELECT pgclone_table_async(%s, 's', 'a', true, 'other', %s)", [source, condition])
        wait_until(lambda: len(place.source.rows(WAITING)) == 2, 20, "the other job to wait as well")
        began = time.monotonic()
        assert set(all_at_once(sessions, ["SELECT pgclone_cancel(1)"] * MANY)) == {"cancelled"}
        said("100 sessions cancel one job", began)
        assert sessions[0].execute(STATUSES).fetchall() == [("cancelled", 1), ("running", 1)]
        let_go()
        wait_until(lambda: sessions[0].execute(OVER).fetchone() == (True,), 30, "the other job")
    assert sessions[0].execute(STATUSES).fetchall() == [("cancelled", 1), ("completed", 1)]
    assert place.target.rows("TABLE s.other") == place.source.rows("TABLE s.a")


@pytest.mark.parametrize("by", ["one statement", "a hundred sessions"])
def test_a_hundred_jobs_are_cancelled(sessions: list[Connection], place: Place, proxy: ProxyProcess, by: str) -> None:
    with held(place, HELD):
        begin_many(sessions[0], place)
        began = time.monotonic()
        if by == "one statement":
            answers = sessions[0].execute("SELECT DISTINCT pgclone_cancel(job_id) FROM pgclone_jobs_view").fetchall()
            assert answers == [("cancelled",)]
        else:
            statements = [f"SELECT pgclone_cancel({job})" for job in range(1, MANY + 1)]
            assert set(all_at_once(sessions, statements)) == {"cancelled"}
        said(f"100 jobs cancelled by {by}", began)
    assert sessions[0].execute(OVER).fetchone() == (True,)
    if by == "one statement":
        # Two ran; any number may have failed before at what these have made.
        ran = "SELECT count(start_time) <= 2 FROM pgclone_jobs_view WHERE status = 'cancelled'"
        assert sessions[0].execute(ran).fetchone() == (True,)
    assert place.target.rows(OURS) == []


def test_of_two_resumes_one_wins(sessions: list[Connection], place: Place) -> None:
    with held(place, HELD):
        sessions[0].execute("SELECT pgclone_schema_async(%s, 's', true, %s)", [place.source.conninfo(), HELD.options])
        wait_until_held(place, HELD)
        sessions[0].execute("SELECT pgclone_cancel(1)")
    answers = all_at_once(sessions, ["SELECT pgclone_resume(1)"] * 10)
    (won,) = [answer for answer in answers if answer.isdigit()]
    assert all(answer.startswith(f"55000: Job {won} already goes on from it") for answer in answers if answer != won)
    wait_until(lambda: sessions[0].execute(OVER).fetchone() == (True,), 30, "the jobs")
    assert sessions[0].execute(STATUSES).fetchall() == [("cancelled", 1), ("completed", 1)]
    assert place.target.rows("TABLE s.a") == place.source.rows("TABLE s.a")


TABLE = "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); INSERT INTO s.t SELECT generate_series(1, 20000)"


@pytest.mark.parametrize(
    ("conflict", "there", "of"),
    [
        ("error", False, "two proxies"),
        ("skip", False, "two proxies"),
        ("replace", True, "two proxies"),
        ("rename", True, "one proxy"),
    ],
)
def test_two_jobs_on_one_table(
    proxies: Proxies, proxy: ProxyProcess, place: Place, conflict: str, there: bool, of: str
) -> None:
    """What is there in the end is one clone, whole; nobody who did not make it says so."""
    other = proxy if of == "one proxy" else proxies.start(place.target.server.conninfo())
    place.source.execute(TABLE)
    if there:
        place.target.execute("CREATE SCHEMA s; CREATE TABLE s.t (id int); INSERT INTO s.t VALUES (7)")
    call = (
        f"SELECT pgclone_table('{place.source.conninfo()}', 's', 't', true, NULL, '{{\"conflict\": \"{conflict}\"}}')"
    )
    with connect(proxy, place.target.name) as one, connect(other, place.target.name) as two:
        answers = sorted(all_at_once([one, two], [call, call]))
    assert place.target.rows("SELECT count(*), count(DISTINCT id) FROM s.t") == [(20_000, 20_000)]
    assert place.target.rows(OURS) == []
    # Unless it is an error, the later one may have met what the earlier one had made, as the option says.
    others = {"42P07", "23505"} if conflict == "error" else {"42P07", "23505", "OK"}
    assert answers.pop() == "OK" and answers[0][:5] in others
    if conflict == "rename":
        assert place.target.rows("TABLE s.t_old") == [(7,)]
