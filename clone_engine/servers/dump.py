"""Runs pg_dump for the definitions of a database, of a schema or of some tables, at the job's snapshot.

Keeps the password out of its arguments and its environment, and hands back its text.  Which pg_dump that is, is
`programs.py`'s; what the text means, `definitions.py`'s.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, quote_ident
from clone_engine.records.request import Conninfo
from clone_engine.servers.programs import INSTALL_HINT, PgDump, environment
from clone_engine.servers.server_error import state_of_words, transient

NAMES_PER_PATTERN = 500
"""At most 64 kB of an argument list, of which one argument may have 128 kB."""
PASSWORD_FILE = "pgpass"
IN_MEMORY = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()
"""Whether a file can be without a place in the file system, and still be named to libpq."""
REQUIRES_AUTH = 16
"""The version whose libpq knows require_auth."""
NO_TEXT = re.compile(r"invalid byte sequence for encoding|has no equivalent in encoding")
NO_TEXT_HINT = (
    "A definition on the source (a name, a default, a comment …) holds bytes that are no UTF-8; correct it there.  "
    "It may be outside the clone: pg_dump reads all comments of a database."
)
RIGHTS_HINT = (
    "The role of the source conninfo must be able to connect and to read (LOCK … IN ACCESS SHARE MODE) every table of "
    "the clone."
)


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
                env=environment(directory, _path_of(file, Path(directory))),
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
