"""Runs pg_dump for the definitions of a database, of a schema or of some tables, at the job's snapshot.

Keeps the password out of its arguments and its environment, and hands back its text.  Which pg_dump that is, is
`programs.py`'s; what the text means, `definitions.py`'s.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from psycopg.conninfo import make_conninfo

from clone_engine.records.errors import PgError
from clone_engine.records.names import Name, quote_ident
from clone_engine.records.request import Conninfo
from clone_engine.servers.programs import INSTALL_HINT, PgDump, environment
from clone_engine.servers.server_error import NO_CONNECTIONS, state_of_words, transient

NAMES_PER_PATTERN = 500
"""At most 64 kB of an argument list, of which one argument may have 128 kB."""
PASSWORD_FILE = "pgpass"
IN_MEMORY = hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()
"""Whether a file can be without a place in the file system, and still be named to libpq."""
REQUIRES_AUTH = 16
"""The version whose libpq knows require_auth."""
END_TIMEOUT = 0.3
"""Seconds that pg_dump gets to cancel its query before it is killed."""
NO_TEXT = re.compile(r"invalid byte sequence for encoding|has no equivalent in encoding")
NO_TEXT_HINT = (
    "A definition on the source (a name, a default, a comment …) holds bytes that are no UTF-8; correct it there.  "
    "It may be outside the clone: pg_dump reads all comments of a database."
)
RIGHTS_HINT = (
    "The role of the source conninfo must be able to connect and to read (LOCK … IN ACCESS SHARE MODE) every table of "
    "the clone."
)

Selection = tuple[str, ...]
"""What is to be dumped, as pg_dump's arguments; () is nothing."""


def of_database(left_out: Collection[Name] = (), without: Collection[str] = ()) -> Selection:
    """Everything in the database, but for subscriptions, the tables `left_out` and the schemas `without`.

    A copied subscription would use the replication slot of the first, and drop that when it is dropped.
    """
    schemas = (f"-N{quote_ident(name)}" for name in without)
    return ("--no-subscriptions", *_patterns("-T", left_out), *schemas)


def of_schema(
    schema: str, others: Collection[str] = (), extensions: Collection[str] = (), left_out: Collection[Name] = ()
) -> Selection:
    """One schema without the tables `left_out`, with what `of_others` selects where that belongs among it."""
    return ("-n", quote_ident(schema), *_patterns("-T", left_out), *of_others(others, extensions))


def of_others(schemas: Collection[str], extensions: Collection[str]) -> Selection:
    """Everything in some schemas but tables, views and sequences, and the named extensions."""
    places = [word for name in schemas for word in ("-n", quote_ident(name), "-T", f"{quote_ident(name)}.*")]
    return (*places, *(word for name in extensions for word in ("-e", quote_ident(name))))


def of_tables(tables: Collection[Name]) -> Selection:
    """Some tables with their indexes, constraints, triggers and owned sequences; other sequences too."""
    return tuple(_patterns("-t", tables))


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


class Dumps:
    """The pg_dumps of a source at a snapshot, each a process that runs beside what else is done.

    A context manager that leaves none of them behind, nor what they do on the server.
    """

    def __init__(self, program: PgDump, source: Conninfo, snapshot: str) -> None:
        self._program = program
        self._source = source
        self._snapshot = snapshot
        self._wanted: dict[Selection, _Dump] = {}
        self._others: list[_Dump] = []

    def __repr__(self) -> str:
        return f"<Dumps by {self._program.path}, {len(self._wanted)} wanted, {len(self._others)} others>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End those that still run: at once, but for a moment in which they cancel their queries."""
        all_ = (*self._wanted.values(), *self._others)
        for dump in all_:
            dump.terminate()
        deadline = time.monotonic() + END_TIMEOUT
        for dump in all_:
            dump.close(deadline)

    def want(self, *selections: Selection) -> None:
        """Begin those that are not under way, and end all others.  PgError 58000 if pg_dump cannot be run."""
        for other in self._wanted.keys() - set(selections):
            self._end(other)
        for selection in selections:
            if selection and selection not in self._wanted:
                self._wanted[selection] = _Dump(self._program, self._source, self._snapshot, selection)

    def text(self, selection: Selection) -> str:
        """The definitions of what is wanted, when they have come; of nothing ''.

        PgError with pg_dump's own words, without the password, if it fails.
        """
        if not selection:  # pg_dump would take it for everything
            return ""
        try:
            return self._wanted[selection].text()
        except PgError as error:
            if error.sqlstate != NO_CONNECTIONS or len(self._wanted) + len(self._others) == 1:
                raise
        for dump in (*self._wanted.values(), *self._others):
            dump.wait()  # they were too many at once
        self._end(selection)
        self.want(selection, *self._wanted)
        return self._wanted[selection].text()

    def _end(self, selection: Selection) -> None:
        dump = self._wanted.pop(selection)
        dump.terminate()
        self._others.append(dump)


class _Dump:
    """One pg_dump.  `close` leaves nothing of it."""

    def __init__(self, program: PgDump, source: Conninfo, snapshot: str, selection: Selection) -> None:
        self._source = source
        self._said: tuple[bytes, bytes] | None = None
        command = [program.path, "--schema-only", "--no-password", "--encoding=UTF8", *selection]
        if snapshot:
            command.append(f"--snapshot={snapshot}")
        command += ["-d", make_conninfo("", **{**source.without_secrets().parameters, **_asked(program, source)})]
        with ExitStack() as files:
            directory = files.enter_context(tempfile.TemporaryDirectory(prefix="pgclone-"))
            file = files.enter_context(_password_file(Path(directory), source.parameters.get("password", "")))
            try:
                self._process = subprocess.Popen(
                    command,
                    env=environment(directory, _path_of(file, Path(directory))),
                    pass_fds=(file,),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=directory,
                )
            except OSError as error:
                raise PgError("58000", f"pgclone: pg_dump could not be run: {error.strerror}") from error
            self._files = files.pop_all()

    def wait(self) -> tuple[bytes, bytes]:
        """What it has written when it has ended, and what it has complained of."""
        if self._said is None:
            self._said = self._process.communicate()
        return self._said

    def text(self) -> str:
        """What it has written when it has ended.  PgError if it has failed."""
        text, complaint = self.wait()
        if self._process.returncode:
            raise dump_error(complaint.decode(errors="replace"), self._source)
        return text.decode()

    def terminate(self) -> None:
        """Have it cancel its query and end, if it runs."""
        self._process.terminate()

    def close(self, deadline: float) -> None:
        """Behind `terminate`: return when it has ended, by force from then on."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        self._process.kill()
        with self._process:  # closes its pipes, and waits
            self._files.close()


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
