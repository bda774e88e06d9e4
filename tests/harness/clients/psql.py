"""psql: simple queries, and the extended protocol by \\bind, \\parse and \\bind_named."""

from __future__ import annotations

import itertools
import re
import subprocess
from typing import IO, Any

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess, clean_environment
from tests.harness.clients.contract import Execute, Rows, SqlError
from tests.harness.servers import Database

OPTIONS = ("-XAtq", "-F", "\x1f", "-R", "\x1e", "-P", "null=\\N")
SETTINGS = "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\n"
END = "--- the end of what this script says ---"


class PsqlProcess:
    """One psql of the newest installation, and its connection; scripts are given to it one after another."""

    def __init__(self, database: Database, conninfo: str, *options: str) -> None:
        self._process = subprocess.Popen(
            [database.client_program("psql"), *options, "-d", conninfo],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment({"PGCLIENTENCODING": "UTF8"}),
            text=True,
        )

    def send(self, script: str) -> None:
        """Have it run lines of SQL and of its own commands, without waiting."""
        assert self._process.stdin
        self._process.stdin.write(f"{script}\n\\echo '{END}'\n\\warn '{END}'\n")
        self._process.stdin.flush()

    def said(self) -> tuple[str, str]:
        """What it has written for the script sent first of those not asked for yet: output, and errors."""
        return _until_end(self._process.stdout), _until_end(self._process.stderr)

    def run(self, script: str) -> tuple[str, str]:
        """Both."""
        self.send(script)
        return self.said()

    def close(self) -> None:
        self._process.communicate()


def _until_end(stream: IO[str] | None) -> str:
    assert stream
    lines = list(itertools.takewhile(lambda line: line != f"{END}\n", iter(stream.readline, "")))
    return "".join(lines)


class Psql:
    """Simple queries; values are written into the text.  A statement is prepared by PREPARE."""

    def __init__(self, proxy: ProxyProcess, database: Database, user: str = SUPERUSER) -> None:
        self._psql = PsqlProcess(database, proxy.conninfo(database.name, user=user), *OPTIONS)
        self._psql.run(SETTINGS)
        self._names = (f"prepared_{number}" for number in itertools.count(1))

    def rows(self, sql: str, *values: Any) -> Rows:
        for number, value in reversed(list(enumerate(values, 1))):
            sql = sql.replace(f"${number}", _literal(value))
        return self._rows(f"{sql};")

    def prepare(self, sql: str) -> Execute:
        name = next(self._names)
        self._rows(f"PREPARE {name} AS {sql};")
        return lambda *values: self._rows(f"EXECUTE {name}({', '.join(map(_literal, values))});")

    def close(self) -> None:
        self._psql.close()

    def _rows(self, script: str) -> Rows:
        output, errors = self._psql.run(script)
        if "ERROR:" in errors:
            raise _sql_error(errors)
        text = output.removesuffix("\n").removesuffix("\x1e")
        return [tuple(None if c == "\\N" else c for c in r.split("\x1f")) for r in text.split("\x1e")] if text else []


class PsqlBind(Psql):
    """The extended protocol: \\bind and, for what is executed many times, \\parse and \\bind_named (psql 18)."""

    def rows(self, sql: str, *values: Any) -> Rows:
        return self._rows(f"{sql} \\bind {_words(values)} \\g")

    def prepare(self, sql: str) -> Execute:
        name = next(self._names)
        self._rows(f"{sql} \\parse {name}")
        return lambda *values: self._rows(f"\\bind_named {name} {_words(values)} \\g")


def _literal(value: Any) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def _words(values: tuple[Any, ...]) -> str:
    """Arguments of a psql command; it has no way to say NULL."""
    return " ".join("'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'" for value in values)


_FIELD = re.compile(r"^(?:psql:\S* )?(ERROR|DETAIL|HINT):  (.*?)\s*(?=^(?:psql:|[A-Z]+(?: \d+)?:)|\Z)", re.M | re.S)


def _sql_error(stderr: str) -> SqlError:
    """The first error in what psql says; its fields may have several lines."""
    fields: dict[str, str] = {}
    for name, text in _FIELD.findall(stderr):
        fields.setdefault(name, text)
    sqlstate, _, message = fields["ERROR"].partition(": ")
    return SqlError(sqlstate, message, fields.get("HINT", ""), fields.get("DETAIL", ""))
