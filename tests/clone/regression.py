"""Clones the database that PostgreSQL's own regression suite leaves behind, and compares.

    python -m tests.clone.regression SOURCES

SOURCES is a tree of PostgreSQL's sources, of the version of a server that is installed here, in which the suite's own
library has been built: ./configure && make -C src/backend generated-headers && make -C src/test/regress regress.so

The measure is what `pg_dump | psql` makes of the same database.  Whatever a clone through the proxy has different from
that, in definitions, rows, sequences or large objects, is printed, and the exit code is then 1; 2 if nothing could be
tried.  Not part of the tests: it takes minutes, and sources that are not here.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from proxy.embedded import Server
from proxy.installations import Installation, installations, private_directory, server_account
from proxy.launch import LOCAL_SOURCES, ProxyProcess, clean_environment
from tests.clone.serial import all_contents, definitions, schema_definitions
from tests.harness.servers import TEST_SETTINGS, Database

SUITE = "src/test/regress"
NEEDED = ("data", "expected", "sql", "parallel_schedule", "resultmap")
OF_THE_TRIGGER_TESTS = ("autoinc", "refint")
CUT = {"public": "DROP SCHEMA IF EXISTS mvtest_mvschema CASCADE"}
"""Two schemas of the suite need each other.  Neither can be cloned first, so one is measured without the other."""
LARGE_OBJECTS = "SELECT oid::int8, md5(lo_get(oid)), lomacl::text FROM pg_largeobject_metadata ORDER BY 1"
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1"


class NotPossibleError(Exception):
    """Why nothing could be tried, in one line."""


def main(sources: Path) -> int:
    """Run the suite, clone, compare; the exit code."""
    installation = _installation(sources)
    with private_directory() as directory, Server(installation, directory / "server", settings=TEST_SETTINGS) as server:
        _run_suite(sources, server, directory)
        with ProxyProcess(_made(directory / "proxy"), server.conninfo(), LOCAL_SOURCES) as proxy:
            bench = Bench(server, proxy)
            found = [*bench.database("regression"), *bench.schemas("regression")]
    print("\n".join(found) or "no difference")
    return bool(found)


class Bench:
    """Clones and measures beside each other on one server, with the proxy in front of it."""

    def __init__(self, server: Server, proxy: ProxyProcess) -> None:
        self.server = server
        self.proxy = proxy
        self.admin = Database(server, "postgres")

    def database(self, name: str) -> Iterator[str]:
        """What a clone of the whole database has different from the measure."""
        source, measure, copy = Database(self.server, name), self.fresh("measure"), self.fresh("copy")
        _restore(_dump(source), measure)
        self.call(copy, "SELECT pgclone_database(%s, true, '{\"parallel\": 2}')", source)
        yield from _lines("database", definitions(measure), definitions(copy))
        yield from _values("database", all_contents(measure), all_contents(copy))
        yield from _values("large objects", *({"all": d.rows(LARGE_OBJECTS)} for d in (measure, copy)))
        print(f"database: {len(all_contents(source))} tables, sequences and materialized views", flush=True)

    def schemas(self, name: str) -> Iterator[str]:
        """The same for each schema on its own, where all the others are there."""
        for (schema,) in Database(self.server, name).rows(SCHEMAS):
            source = self.fresh("source", name)
            source.execute(CUT.get(schema, ""))
            measure, copy = (self.surroundings(place, source, schema) for place in ("measure", "copy"))
            _restore(_dump(source, "-n", f'"{schema}"'), measure)
            self.call(copy, "SELECT pgclone_schema(%s, %s)", source, schema)
            yield from _lines(schema, schema_definitions(measure, schema), schema_definitions(copy, schema))
            yield from _values(schema, all_contents(measure), all_contents(copy))
            print(f"schema {schema}: {len(schema_definitions(copy, schema).splitlines())} lines", flush=True)

    def fresh(self, name: str, template: str = "template0") -> Database:
        """A new database of that name."""
        self.admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(self.server, name)

    def surroundings(self, name: str, source: Database, schema: str) -> Database:
        """A database with everything of `source` but the schema and what needs it, and no rows."""
        made = self.fresh(name)
        _restore(_dump(source, "--schema-only"), made)
        with made.connect() as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        return made

    def call(self, target: Database, statement: str, source: Database, *more: str) -> None:
        """Call a function through the proxy."""
        with psycopg.connect(self.proxy.conninfo(target.name), autocommit=True) as connection:
            connection.execute(statement.encode(), (source.conninfo(), *more))


def _installation(sources: Path) -> Installation:
    script = sources / "configure"
    version = re.search(r"PACKAGE_VERSION='(\d+)", script.read_text()) if script.exists() else None
    if version is None:
        raise NotPossibleError(f"{sources} does not hold PostgreSQL's sources")
    found = [i for i in installations() if i.major == int(version[1]) and _pg_regress(i)]
    if not found:
        raise NotPossibleError(f"no server of version {version[1]} with pg_regress is installed")
    if not (sources / SUITE / "regress.so").exists():
        raise NotPossibleError(f"{SUITE}/regress.so is not built; the first lines of this file say how")
    return found[0]


def _pg_regress(installation: Installation) -> Path | None:
    return next(installation.bin_dir.parent.glob("lib/**/pgxs/src/test/regress/pg_regress"), None)


def _run_suite(sources: Path, server: Server, directory: Path) -> None:
    """Leave the database `regression` behind.  Tests that fail are printed; the database is none the worse for them."""
    suite = _made(directory / "suite")
    for name in NEEDED:
        place = sources / SUITE / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, suite / name)
    libraries = subprocess.run(
        [server.installation.program("pg_config"), "--pkglibdir"], capture_output=True, text=True, check=True
    )
    shutil.copy(sources / SUITE / "regress.so", suite)
    for name in OF_THE_TRIGGER_TESTS:
        shutil.copy(Path(libraries.stdout.strip()) / f"{name}.so", suite)
    account = server_account()
    if account:
        for path in (suite, *suite.rglob("*")):
            os.chown(path, *account)
    command = [
        str(_pg_regress(server.installation)),
        f"--inputdir={suite}",
        f"--outputdir={suite}",
        f"--dlpath={suite}",
    ]
    command += [
        f"--bindir={server.installation.bin_dir}",
        "--host=127.0.0.1",
        f"--port={server.port}",
        "--user=postgres",
    ]
    command += ["--max-concurrent-tests=20", f"--schedule={suite}/parallel_schedule"]
    done = subprocess.run(
        command,
        env=clean_environment({"PGUSER": "postgres"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        cwd=suite,
    )
    print("\n".join(line for line in done.stdout.splitlines() if "FAILED" in line or "passed" in line), flush=True)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _dump(database: Database, *options: str) -> str:
    return database.program("pg_dump", *options, "-d", database.conninfo()).stdout


def _restore(dump: str, database: Database) -> None:
    """As psql does it: errors do not stop it."""
    database.program("psql", "--quiet", "--no-psqlrc", "-d", database.conninfo(), stdin=dump)


def _lines(what: str, measure: str, copy: str) -> Iterator[str]:
    for line in difflib.unified_diff(measure.splitlines(), copy.splitlines(), "pg_dump | psql", "clone", "", "", 1, ""):
        yield f"{what}: {line}"


def _values(what: str, measure: Mapping[Any, Any], copy: Mapping[Any, Any]) -> Iterator[str]:
    for name in sorted({*measure, *copy}, key=str):
        if measure.get(name) != copy.get(name):
            yield f"{what}: {name} is {copy.get(name)}, and with pg_dump | psql {measure.get(name)}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        sys.exit(main(Path(sys.argv[1])))
    except NotPossibleError as reason:
        print(f"nothing was tried: {reason}", file=sys.stderr)
        sys.exit(2)
