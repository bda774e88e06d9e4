"""Where clones are made and how one is measured: servers, the proxy, perhaps a long wire; runs in turns, each checked.

Who clones is in `ways`, what is cloned its caller's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg

from bench.clones.measuring import Taken, measured
from bench.clones.showing import Rounds, Run, raw
from bench.clones.ways import OWNER, SCHEMA, SOURCE, TARGET, Scene, Way
from bench.clones.wiring import Wire, wired
from bench.report import machine
from proxy.agreement import SchemaState, differences, schema_state
from proxy.embedded import SUPERUSER, Server
from proxy.installations import Installation, installations, newest, private_directory, with_program
from proxy.launch import LOCAL_SOURCES, ProxyProcess, clean_environment

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_worker_processes": "32",
}
SIZE = "SELECT sum(pg_table_size(c.oid)) FROM pg_class c WHERE relnamespace = %s::regnamespace AND relkind = 'r'"


def installation(major: int) -> Installation:
    """The one that is asked for, the newest for 0.  click.UsageError if it is not there."""
    found = [each for each in installations() if each.major == major] if major else [newest()]
    if not found:
        raise click.UsageError(f"there is no PostgreSQL {major} on this machine")
    return found[0]


@contextmanager
def scene(
    found: Installation, jobs: int, role: str = SUPERUSER, length: tuple[float, float] | None = None
) -> Iterator[Scene]:
    """Servers, started; with `length`, a round trip in milliseconds and megabytes a second, the source is far away."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory())
        source, target = (
            stack.enter_context(Server(found, directory / name, settings=SETTINGS)) for name in ("source", "target")
        )
        ours = directory / "proxy"
        ours.mkdir()
        proxy = stack.enter_context(ProxyProcess(ours, target.conninfo(), LOCAL_SOURCES))
        wire: Wire | None = stack.enter_context(wired(source.port, *length)) if length else None
        for server in (source, target):
            execute(server, "postgres", f"CREATE ROLE {OWNER} LOGIN")
        yield Scene(source, target, proxy, directory, jobs, role, wire)


def make_source(scene: Scene, script: Path, role: str, **variables: object) -> None:
    """Make what is cloned, in a database of its own, by a script for psql that this role runs."""
    execute(scene.source, "postgres", f"CREATE DATABASE {SOURCE} OWNER {OWNER}")
    run_script(scene, script, role, **variables)


def run_script(scene: Scene, script: Path, role: str, **variables: object) -> None:
    """Make more of what is cloned."""
    psql = with_program("psql", scene.source.installation).program("psql")
    set_ = [word for name, value in {"ON_ERROR_STOP": 1, **variables}.items() for word in ("-v", f"{name}={value}")]
    reached = scene.source.conninfo(SOURCE, user=role)
    subprocess.run(
        [psql, "-X", "-q", "-o", os.devnull, *set_, "-f", str(script), reached],
        check=True,
        env=clean_environment({}),
    )


def size_of_source(scene: Scene) -> int:
    """The bytes of its tables."""
    with psycopg.connect(scene.at_source) as connection:
        row = connection.execute(SIZE.encode(), (SCHEMA,)).fetchone()
    assert row
    return int(row[0])


def in_turns(found: Sequence[Way], runs: int, run: Callable[[Way], Run]) -> Rounds:
    """What `run` makes of each way, so many times; each run is said when it is over."""
    rounds: dict[str, list[Run]] = {way.name: [] for way in found}
    for _ in range(runs):
        for way in found:
            done = run(way)
            click.echo(raw(done), err=True)
            rounds[way.name].append(done)
    return rounds


def empty_target(scene: Scene) -> None:
    """Make the database that is cloned into, which is the ordinary role's, or make it anew."""
    execute(scene.target, "postgres", f"DROP DATABASE IF EXISTS {TARGET} WITH (FORCE)")
    execute(scene.target, "postgres", f"CREATE DATABASE {TARGET} OWNER {OWNER}")


def run_once(scene: Scene, way: Way, wanted: SchemaState) -> Run:
    """Clone into an empty database, and look at the copy."""
    empty_target(scene)
    for server in (scene.source, scene.target):
        execute(server, "postgres", "CHECKPOINT")
    taken, failure = _taken(scene, way)
    waits = tuple(each.waits for each in scene.wire.seen()) if scene.wire else ()
    lacking = [failure] if failure else differences(wanted, state(scene.target.conninfo(TARGET)))
    return Run(way.name, taken, lacking, waits, bool(failure))


def text_of_source(scene: Scene, table: str) -> int:
    """The bytes of one of its tables as COPY writes them in text format."""
    with (
        psycopg.connect(scene.at_source) as connection,
        connection.cursor().copy(f"COPY {SCHEMA}.{table} TO STDOUT".encode()) as copy,
    ):
        return sum(map(len, copy))


def state(conninfo: str) -> SchemaState:
    """Of the schema that is cloned."""
    pg_dump = with_program("pg_dump", newest()).program("pg_dump")
    return schema_state(conninfo, SCHEMA, pg_dump)


def execute(server: Server, dbname: str, *statements: str) -> None:
    """Each in a transaction of its own."""
    with psycopg.connect(server.conninfo(dbname), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def catching(run: Callable[[], None], failure: list[str]) -> Callable[[], None]:
    """Does what `run` does; if that fails, it says in `failure` why."""

    def caught() -> None:
        try:
            run()
        except subprocess.CalledProcessError as error:
            failure.append(f"failed: {error.stderr.decode(errors='replace')[-500:]}")
        except psycopg.Error as error:
            failure.append(f"failed: {error}")

    return caught


def heading(scene: Scene, runs: int, *more: str) -> str:
    """What the figures under it are of."""
    server = f"PostgreSQL {scene.target.installation.major}"
    role = () if scene.role == SUPERUSER else ("as an ordinary role of the target",)
    made = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"
    return "; ".join((made, server, *role, *more, f"{runs} runs of each way, in turns"))


def written(text: str, rounds: Rounds, write: Path | None) -> None:
    """Print the text; with `write` it is there too, and the runs beside it as lines of JSON."""
    click.echo(text)
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(text, encoding="utf-8")
        lines = [raw(run) for each in zip(*rounds.values(), strict=True) for run in each]
        write.with_suffix(".jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _taken(scene: Scene, way: Way) -> tuple[Taken, str]:
    """What it takes, and why it has failed if it has."""
    groups = {"clients": os.getpid(), "source": _postmaster(scene.source), "target": _postmaster(scene.target)}
    if scene.wire:
        groups["wire"] = scene.wire.pid
        scene.wire.seen()
    failure: list[str] = []
    return measured(catching(lambda: way.run(scene), failure), groups), "".join(failure)


def _postmaster(server: Server) -> int:
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])
