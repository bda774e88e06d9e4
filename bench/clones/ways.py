"""Those who clone the schema from one server to another: we, through the proxy, and each other tool that is found.

Each clones all of it into a database that is empty; whether it is all there is looked at by `scenes`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from bench.clones.wiring import Wire
from proxy.embedded import Server
from proxy.installations import Installation, with_program
from proxy.launch import ProxyProcess, clean_environment

OWNER = "trader"
"""An ordinary role on both servers."""
SCHEMA = "trade"
SOURCE, TARGET = "cloned", "clone"
"""Databases."""
LEDGER = "ledger"
"""The one large table that `ledger.sql` makes."""
LEDGER_ROW = 141
"""Bytes of a row of it, with its share of pages."""


class Scene(NamedTuple):
    """Where clones are made."""

    source: Server
    target: Server
    proxy: ProxyProcess
    directory: Path
    """For files of those who need some."""
    jobs: int
    """Copiers, or what others call so."""
    role: str
    """Whose rights on the target the clones have."""
    wire: Wire | None = None
    """What is between the source and those who clone from it."""

    @property
    def at_source(self) -> str:
        """A conninfo of the source, past the wire."""
        return self.source.conninfo(SOURCE)

    @property
    def of_source(self) -> str:
        """The one that clones are made from."""
        return make_conninfo(self.at_source, port=self.wire.port) if self.wire else self.at_source

    @property
    def of_target(self) -> str:
        """The target's, past the proxy."""
        return self.target.conninfo(TARGET, user=self.role)

    @property
    def through_proxy(self) -> str:
        """The target's, through the proxy."""
        return self.proxy.conninfo(TARGET, user=self.role)


class Way(NamedTuple):
    """One who clones.  `run` raises subprocess.CalledProcessError or psycopg.Error if it fails."""

    name: str
    run: Callable[[Scene], None]


def ways(scene: Scene) -> Iterator[Way]:
    """All that can be used here, ourselves first."""
    yield Way("pgclone-proxy", ours)
    yield Way("pg_dump to psql", piped)
    yield Way(f"pg_restore -j {scene.jobs}", _restored)
    if _pgcopydb():
        yield Way("pgcopydb", _copied)
    if _has_extension(scene.target):
        yield Way("pgclone (the extension)", _extension)


def table_ways(table: str) -> Iterator[Way]:
    """Those who clone one table: ourselves, in each format of COPY, and pg_dump."""
    for format_ in ("text", "auto"):

        def run(here: Scene, format_: str = format_) -> None:
            call(here, "pgclone_table", SCHEMA, table, True, None, format=format_)

        yield Way(f"pgclone_table, {format_}", run)
    yield Way("pg_dump to psql", piped)


def ours(scene: Scene) -> None:
    """By `pgclone_schema`, through the proxy."""
    call(scene, "pgclone_schema", SCHEMA, True)


def call(scene: Scene, function: str, *between: str | bool | None, **options: str) -> None:
    """Call one of the proxy's functions, with these arguments between the source and the options, which are last."""
    with psycopg.connect(scene.through_proxy, autocommit=True) as connection:
        ask(connection, function, scene.of_source, *between, json.dumps({"parallel": scene.jobs, **options}))


def ask(connection: psycopg.Connection, function: str, *arguments: str | bool | None) -> str | int:
    """What one of the proxy's functions returns, called on a connection to it."""
    places = ", ".join(["%s"] * len(arguments))
    row = connection.execute(f"SELECT {function}({places})".encode(), arguments).fetchone()
    assert row
    answer: str | int = row[0]
    return answer


def piped(scene: Scene, what: str = f"--schema={SCHEMA}") -> None:
    """By pg_dump, which is told what to dump, and whose text psql runs."""
    dump, psql = _program("pg_dump", scene), _program("psql", scene)
    with subprocess.Popen([dump, what, scene.of_source], stdout=subprocess.PIPE, env=clean_environment({})) as writing:
        _run(psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", scene.of_target, stdin=writing)


def _restored(scene: Scene) -> None:
    directory, jobs = scene.directory / "dump", str(scene.jobs)
    shutil.rmtree(directory, ignore_errors=True)
    dump, restore = _program("pg_dump", scene), _program("pg_restore", scene)
    _run(dump, f"--schema={SCHEMA}", "-Fd", "-Z0", "-j", jobs, "-f", str(directory), scene.of_source)
    _run(restore, "-j", jobs, "-d", scene.of_target, str(directory))
    shutil.rmtree(directory)


def _copied(scene: Scene) -> None:
    directory, jobs = scene.directory / "pgcopydb", str(scene.jobs)
    shutil.rmtree(directory, ignore_errors=True)
    program = _pgcopydb()
    assert program
    ends = ("--source", scene.of_source, "--target", scene.of_target)
    # It takes the first pg_dump of PATH, which may be older than the servers.
    path = os.pathsep.join((str(Path(_program("pg_dump", scene)).parent), os.environ.get("PATH", os.defpath)))
    more = ("--dir", str(directory), "--table-jobs", jobs, "--index-jobs", jobs)
    _run(program, "clone", *ends, *more, environment={"PATH": path})


def _extension(scene: Scene) -> None:
    with psycopg.connect(scene.target.conninfo(TARGET), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pgclone")  # which an ordinary role may not
    with psycopg.connect(scene.of_target, autocommit=True) as connection:
        connection.execute("SELECT pgclone_schema(%s, %s, true)", (scene.of_source, SCHEMA))


def _pgcopydb() -> str | None:
    return shutil.which("pgcopydb")


def _has_extension(server: Server) -> bool:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'pgclone'").fetchone()
    return found is not None


def _program(name: str, scene: Scene) -> str:
    installation: Installation = with_program(name, scene.target.installation)
    return installation.program(name)


def _run(
    *command: str, stdin: subprocess.Popen[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> None:
    # A session of its own: a pgcopydb that fails ends all of its process group.
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        stdin=stdin.stdout if stdin else None,
        env=clean_environment(environment or {}),
        start_new_session=True,
    )
