"""The demo: a schema cloned from one embedded server to another through the proxy, watched and then checked.

Everything is real and thrown away at the end: two PostgreSQL servers, the proxy as a process, and a client that
knows nothing but the proxy's port.  Servers are embedded.py, the proxy process launch.py, the check agreement.py.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import FINISHED
from proxy.agreement import SchemaState, differences, schema_state
from proxy.config import ConfigError, ServerSettings, load
from proxy.embedded import SUPERUSER, Server
from proxy.installations import newest, private_directory, reachable
from proxy.launch import LOCAL_SOURCES, ProxyProcess

SCHEMA = "shop"
DATABASE = "shop"
PLAYGROUND = "playground"  # an empty database of the target, for the user's own first clone
OPTIONS = '{"parallel": 4}'
USUAL_PORT = ServerSettings().listen_port
TAKEN = "another process is listening"  # the proxy's own words
JOB_SECONDS = 300.0
LOOK_SECONDS = 0.1
PLAIN_SECONDS = 0.5  # between two lines where the output is not a terminal
VIEW = """SELECT status, current_phase, current_table, progress_bar, coalesce(error_message, '')
FROM pgclone_jobs_view WHERE job_id = %s"""


class Sample(NamedTuple):
    """A running set-up: the sample schema on `source`, nothing yet on `target`, the proxy before `target`."""

    source: Server
    target: Server
    proxy: ProxyProcess


class JobState(NamedTuple):
    """What the jobs view says of a job."""

    status: str
    phase: str
    table: str
    bar: str
    error: str

    def line(self) -> Text:
        """On one line; a job that has ended has nothing at hand any more."""
        at_hand = () if self.status in FINISHED else (self.phase, self.table)
        return Text(" ".join(filter(None, (self.bar, *at_hand, self.status))), no_wrap=True)


def run_demo(keep: bool = False) -> int:
    """Run it and say what happens on stdout; the exit code: 0 both sides agree, 1 they do not or something failed,
    130 interrupted.  With `keep` the set-up serves on after the check until Ctrl-C, which is no failure then."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 has no such bars
    console = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a demo that is terminated, or loses its terminal, cleans up too
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, signal.default_int_handler)
    try:
        with sample(console, USUAL_PORT if keep else 0) as running:
            agreed = _clone_and_check(console, running)
            if agreed and keep:
                return serve_sample(console, running)
        if agreed:
            _say_how_to_go_on(console)
        return 0 if agreed else 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left behind.")
        return 130
    except (PgError, psycopg.Error) as error:
        console.print(f"The demo failed: {escape(str(error))}", style="red")
        if isinstance(error, PgError):
            console.print("\n".join(filter(None, (escape(error.detail), escape(error.hint)))))
        return 1


def serve_sample(console: Console, running: Sample) -> int:
    """Say how to reach the set-up and wait until Ctrl-C (exit code 0) or until the proxy is gone (1)."""
    source = running.source.conninfo(DATABASE)
    console.print("\nThe servers and the proxy keep running until Ctrl-C.\nThe clone, seen through the proxy:")
    _print_command(console, f'{_psql()} "{running.proxy.conninfo(DATABASE)}"')
    console.print("An empty database for a clone of your own:")
    _print_command(console, f'{_psql()} "{running.proxy.conninfo(PLAYGROUND)}"')
    console.print("and in it:")
    _print_command(console, f"{_call(source)};")
    _print_command(console, "SELECT job_id, status, progress_bar FROM pgclone_jobs_view \\watch 1")
    process = running.proxy.process
    assert process is not None, "a sample has a running proxy"
    try:
        process.wait()
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left behind.")
        return 0
    console.print(f"The proxy ended by itself:\n{escape(running.proxy.log()[-2000:])}", style="red")
    return 1


@contextlib.contextmanager
def sample(console: Console, port: int = 0) -> Iterator[Sample]:
    """Two servers, the sample schema on the first, the proxy before the second: on `port`, if that is not 0 or taken.

    All of it is stopped and removed at the end.  PgError or psycopg.Error if a part does not come up."""
    with private_directory() as directory, contextlib.ExitStack() as running, _undisturbed_end():
        installation = reachable(newest(), directory)
        console.print(f"Starting two PostgreSQL {installation.major} servers …")
        source, target = (running.enter_context(Server(installation, directory / name)) for name in ("s", "t"))
        for server, databases in ((source, [DATABASE]), (target, [DATABASE, PLAYGROUND])):
            _create_databases(server, databases)
        console.print("Loading the sample schema on the source …")
        with psycopg.connect(source.conninfo(DATABASE), autocommit=True) as conn:
            conn.execute(files("proxy").joinpath("sample_shop.sql").read_bytes())
        place = directory / "p"
        place.mkdir()
        proxy = running.enter_context(_proxy(place, target.conninfo(), port))
        console.print(f"The proxy listens on port {proxy.port}; a client knows nothing else.")
        try:
            yield Sample(source, target, proxy)
        except psycopg.OperationalError:
            console.print(f"The proxy's log ends so:\n{escape(proxy.log()[-2000:])}")
            raise


def has_target(config: str) -> bool:
    """Whether the configuration file or the environment names a target.

    True as well if they cannot be used: it is `serve` that says so."""
    try:
        return bool(load(Path(config), os.environ).server.target)
    except ConfigError:
        return True


def _clone_and_check(console: Console, running: Sample) -> bool:
    """Whether the clone was completed and both sides agree; both is said."""
    source = running.source.conninfo(DATABASE)
    with psycopg.connect(running.proxy.conninfo(DATABASE), autocommit=True) as client:
        call = _call(source)
        _print_command(console, f"{call};")
        row = client.execute(call.encode()).fetchone()
        assert row is not None, "a function call has one row"
        console.print(f"Job {row[0]}:")
        ended = _watch(console, client, row[0])
    if ended.status != "completed":
        console.print(f"The job has {ended.status}: {escape(ended.error)}", style="red", soft_wrap=True)
        return False
    console.print("Comparing both sides: definitions, every row, every sequence …")
    pg_dump = running.source.installation.program("pg_dump")
    before, after = (schema_state(s.conninfo(DATABASE), SCHEMA, pg_dump) for s in (running.source, running.target))
    found = differences(before, after)
    console.print(_result(before, after))
    if found:
        console.print("The two sides differ:", style="red")
        console.print("\n".join(found), markup=False)
        return False
    console.print("Both sides agree.", style="green")
    return True


def _watch(console: Console, client: psycopg.Connection[Any], job_id: int) -> JobState:
    """The job's last state, having drawn its progress.  PgError 57014 if it does not end in JOB_SECONDS."""
    states = _states(client, job_id)
    if not console.is_terminal:
        return _watch_in_lines(console, states)
    state = next(states)
    with Live(state.line(), console=console, refresh_per_second=1 / LOOK_SECONDS) as live:
        for state in states:
            live.update(state.line())
    return state


def _watch_in_lines(console: Console, states: Iterator[JobState]) -> JobState:
    shown, last = JobState("", "", "", "", ""), 0.0
    for state in states:
        now = time.monotonic()
        if state.status != shown.status or now - last >= PLAIN_SECONDS:
            console.print(state.line(), soft_wrap=True)
            shown, last = state, now
    return state


def _states(client: psycopg.Connection[Any], job_id: int) -> Iterator[JobState]:
    """The job as the view shows it, again and again; the last one is finished."""
    deadline = time.monotonic() + JOB_SECONDS
    while True:
        row = client.execute(VIEW, (job_id,)).fetchone()
        if row is None:
            raise PgError("P0002", f"pgclone: the jobs view does not show job {job_id}")
        state = JobState(*row)
        yield state
        if state.status in FINISHED:
            return
        if time.monotonic() > deadline:
            raise PgError("57014", f"pgclone: job {job_id} did not end within {JOB_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)


def _result(source: SchemaState, target: SchemaState) -> Table:
    table = Table("object", "source", "target", "", title=f"schema {SCHEMA}")
    lines = len(source.definition.splitlines()), len(target.definition.splitlines())
    rows: list[tuple[str, str, str, bool]] = [
        ("definition (pg_dump)", f"{lines[0]} lines", f"{lines[1]} lines", source.definition == target.definition)
    ]
    for name, content in source.tables.items():
        other = target.tables.get(name)
        rows.append(
            (f"rows of {name}", f"{content.rows} rows", f"{other.rows} rows" if other else "—", content == other)
        )
    for name, position in source.sequences.items():
        there = target.sequences.get(name)
        rows.append((f"sequence {name}", str(position[0]), str(there[0]) if there else "—", position == there))
    for what, ours, theirs, same in rows:
        table.add_row(escape(what), ours, theirs, "[green]same[/]" if same else "[red]differs[/]")
    return table


def _call(source: str) -> str:
    literals = sql.SQL(", ").join([sql.Literal(source), sql.Literal(SCHEMA), sql.Literal(True), sql.Literal(OPTIONS)])
    return sql.SQL("SELECT pgclone_schema_async({})").format(literals).as_string()


def _create_databases(server: Server, names: list[str]) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        for name in names:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextlib.contextmanager
def _undisturbed_end() -> Iterator[None]:
    """A second Ctrl-C must not cut short the clean-up that follows this context."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _proxy(place: Path, target: str, port: int) -> Iterator[ProxyProcess]:
    """A running proxy on `port`, or on any if that is 0 or taken, even if it is taken while the proxy starts."""
    with contextlib.ExitStack() as running:
        proxy = ProxyProcess(place, target, LOCAL_SOURCES, port=port)
        try:
            running.enter_context(proxy)
        except PgError as error:
            if not port or TAKEN not in error.detail:
                raise
            proxy = running.enter_context(ProxyProcess(place, target, LOCAL_SOURCES))
        yield proxy


def _psql() -> str:
    """psql as the user can type it: by name if it is on PATH, else the embedded one's path."""
    return "psql" if shutil.which("psql") else shlex.quote(newest().program("psql"))


def _print_command(console: Console, command: str) -> None:
    console.print(f"    {command}", markup=False, soft_wrap=True, style="bold")


def _say_how_to_go_on(console: Console) -> None:
    console.print("\nTo go on yourself: `make run` keeps such a set-up serving; then:")
    _print_command(console, f'{_psql()} "host=127.0.0.1 port={USUAL_PORT} dbname={PLAYGROUND} user={SUPERUSER}"')
