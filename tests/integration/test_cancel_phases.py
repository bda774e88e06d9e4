"""Cancels in every phase of a job: it ends as cancelled, nobody is left on the servers, the report says what is on the
target, and a resumed job does the rest.

How long each took is printed and not asserted; `pytest -s` shows it.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from proxy.launch import ProxyProcess
from tests.harness.compare import assert_same_schema
from tests.harness.proxies import connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.integration.silence import Relay, black_hole, connections_to, mute_server
from tests.integration.standing_still import PHASES, SOURCE, Phase, Place, held, wait_until_held

Connection = psycopg.Connection[tuple[Any, ...]]
NEWEST = (
    "SELECT job_id, status, current_phase, error_message FROM pgclone_jobs_view"
    " WHERE op_type <> 'table' ORDER BY 1 DESC LIMIT 1"  # those are copiers
)
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND (application_name LIKE 'pgclone: job %' OR application_name = 'pg_dump')"
)
OURS = (
    "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'"
    " UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'pgclone%'"
)
REPORT = (
    "SELECT object_kind, split_part(object_name, ' on ', 1), state FROM pgclone_job_objects(%s) WHERE schema_name = 's'"
)
THERE = {
    "index": "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('s') AND relname = '{}'",
    "constraint": "SELECT count(*) FROM pg_constraint WHERE connamespace = to_regnamespace('s') AND conname = '{}'",
    "foreign key": "SELECT count(*) FROM pg_constraint WHERE connamespace = to_regnamespace('s') AND conname = '{}'",
    "function": "SELECT count(*) FROM pg_proc WHERE oid = to_regprocedure('s.{}')",
}
ENDED = {"completed", "failed", "cancelled"}
ROWS = "SELECT count(*) FROM s.{}"


@pytest.fixture
def place(source_database: Database, target_database: Database) -> Place:
    return Place(source_database, target_database)


@pytest.fixture
def session(proxy: ProxyProcess, place: Place) -> Iterator[Connection]:
    with connect(proxy, place.target.name) as connection:
        yield connection


def begin(session: Connection, call: str, *values: str) -> int:
    row = session.execute(f"SELECT pgclone_{call}".encode(), values).fetchone()
    assert row
    return int(row[0])


def cancel(session: Connection, job: int, where: str) -> None:
    """Cancel it, and see that it is."""
    began = time.monotonic()
    assert session.execute("SELECT pgclone_cancel(%s)", [job]).fetchone() == ("cancelled",)
    print(f"\n{where}: cancelled in {time.monotonic() - began:.2f} s")
    assert session.execute(NEWEST).fetchone() == (job, "cancelled", "cancelled", None)


def assert_left(place: Place) -> None:
    wait_until(lambda: not any(side.rows(BACKENDS) for side in place), 3, "the servers to be left")


def assert_report_is_true(session: Connection, place: Place, job: int) -> None:
    """What is said to be done is on the target, and what is not is not."""
    for kind, name, state in session.execute(REPORT, [job]).fetchall():
        if kind == "table" and " " not in name:
            there = place.target.value(f"SELECT to_regclass('s.{name}') IS NOT NULL")
            rows = place.target.value(ROWS.format(name)) if there else None
            assert (rows == place.source.value(ROWS.format(name))) == (state == "done") or rows == 0, (kind, name)
        elif kind in THERE:
            assert place.target.value(THERE[kind].format(name)) == (state == "done"), (kind, name)


@pytest.mark.parametrize("name", [name for name, phase in PHASES.items() if "async" in phase.call])
def test_cancel_and_resume(session: Connection, place: Place, name: str) -> None:
    phase = PHASES[name]
    with held(place, phase) as let_go:
        job = begin(session, phase.call, place.source.conninfo(), phase.options)
        wait_until_held(place, phase)
        cancel(session, job, name)
        assert_left(place)
        assert_report_is_true(session, place, job)
        assert place.target.rows(OURS) == []
        assert session.execute("SELECT pgclone_cancel(%s)", [job]).fetchone() == ("cancelled",)
        assert session.execute(NEWEST).fetchone() == (job, "cancelled", "cancelled", None)
        let_go()
    resumed = begin(session, f"resume({job})")
    ended = wait_until(lambda: (row := session.execute(NEWEST).fetchone()) and row[1] in ENDED and row, 30)
    assert ended == (resumed, "completed", "completed", None)
    assert_complete(place, phase)


def assert_complete(place: Place, phase: Phase) -> None:
    """The clone is there, and nothing of the job's own."""
    assert place.target.rows(OURS) == []
    for table in ("a", "b", "empty"):
        assert place.target.value(ROWS.format(table)) == place.source.value(ROWS.format(table))
    if "where" not in phase.options and not phase.target:
        assert_same_schema(place.source, place.target, "s")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("pg_dump", signal.SIGINT),
        ("COPY, in the middle", signal.SIGKILL),
        ("index", signal.SIGINT),
        ("swap", signal.SIGKILL),
        ("large objects", signal.SIGINT),
    ],
)
def test_ctrl_c_and_a_client_that_vanishes(
    proxy: ProxyProcess, session: Connection, place: Place, name: str, how: signal.Signals
) -> None:
    phase = PHASES[name]
    with held(place, phase):
        arguments = f"'{place.source.conninfo()}'", f"'{phase.options}'"
        call = f"SELECT pgclone_{phase.call.replace('_async', '')}" % arguments
        psql = [place.target.client_program("psql"), "-XAt", "-v", "VERBOSITY=verbose", "-c", call]
        began = subprocess.Popen(
            [*psql, "-d", proxy.conninfo(place.target.name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with began as process:
            wait_until_held(place, phase)
            process.send_signal(how)
            _, errors = process.communicate(timeout=20)
        assert ("57014: canceling statement due to user request" in errors) == (how == signal.SIGINT)
        wait_until(lambda: (row := session.execute(NEWEST).fetchone()) and row[1] == "cancelled", 10, "the job's end")
        assert_left(place)


def through(place: Place, port: int) -> str:
    return make_conninfo(place.source.conninfo(), host="127.0.0.1", port=port)


@pytest.mark.parametrize("silence", [mute_server, black_hole])
def test_cancel_while_the_source_does_not_answer(
    session: Connection, place: Place, silence: Callable[[], AbstractContextManager[int]]
) -> None:
    with silence() as port:
        before = connections_to(port)
        job = begin(session, "schema_async(%s, 's')", through(place, port))
        wait_until(lambda: connections_to(port) > before, 20, "the job to connect")
        cancel(session, job, silence.__name__)
        assert connections_to(port) == before


@pytest.mark.parametrize("word", ["pg_export_snapshot", "pg_dump", "TO STDOUT"])
def test_cancel_when_the_source_has_fallen_silent(session: Connection, place: Place, word: str) -> None:
    place.source.execute(SOURCE)
    with Relay(int(conninfo_to_dict(place.source.conninfo())["port"] or 0), word.encode()) as between:
        job = begin(session, "schema_async(%s, 's', true, '{\"parallel\": 1}')", through(place, between.port))
        assert between.silent.wait(20)
        cancel(session, job, f"silent at {word}")
        assert_left(place)
        assert place.target.rows(OURS) == []
