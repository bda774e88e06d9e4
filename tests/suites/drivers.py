"""The test suites of drivers and of SQLAlchemy, run by pytest with the driver that is installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

from proxy.embedded import SUPERUSER
from tests.harness.servers import Database
from tests.suites.places import NotPossibleError, Outcome, Outcomes, Place, run
from tests.suites.sources import distribution, environment

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout=120")
MOST_CHARACTERS = 120
"""Of why a test has not passed."""
ALL_TESTS_RUN = (0, 1)
"""Exit codes of pytest, whether all were content or not."""
PSYCOPG2, SQLALCHEMY = "2.9.13", "2.1.9"
ASYNCPG = "0.32.0"
HSTORE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') THEN CREATE EXTENSION hstore; END IF;
END $$
"""
WITHOUT_SERVER = "--ignore=test/dialect/postgresql/test_compiler.py"
EXPECTED_BY_SQLALCHEMY = """
CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2;
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION btree_gist;
CREATE COLLATION "en_US" FROM "C";
"""
MOST_SECONDS = 1200.0
"""Of one run of a suite, which takes a few minutes."""


def asyncpg(place: Place) -> Outcomes:
    """asyncpg's tests, on a running cluster."""
    tests = _tests(place, distribution("asyncpg", ASYNCPG) / "tests")
    python = environment("asyncpg", f"asyncpg=={ASYNCPG}", "pytest", "pytest-timeout", "uvloop", "distro")
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(place.port), "PGUSER": SUPERUSER, "PGDATABASE": "postgres"}
    return _pytest(place, python, tests.parent, where, "tests")


def psycopg2(place: Place) -> Outcomes:
    """psycopg2's tests, those of replication too."""
    Database(place.server, "postgres").execute("CREATE DATABASE psycopg2_test")
    Database(place.server, "psycopg2_test").execute(HSTORE)
    tests = _tests(place, distribution("psycopg2", PSYCOPG2) / "tests")
    python = environment("psycopg2", f"psycopg2=={PSYCOPG2}", "pytest", "pytest-timeout")
    where = {"PSYCOPG2_TESTDB": "psycopg2_test", "PSYCOPG2_TESTDB_HOST": "127.0.0.1"}
    where |= {"PSYCOPG2_TESTDB_PORT": str(place.port), "PSYCOPG2_TESTDB_USER": SUPERUSER, "PSYCOPG2_TEST_REPL_DSN": ""}
    return _pytest(place, python, tests.parent, where, "tests")


def sqlalchemy(place: Place) -> Outcomes:
    """What SQLAlchemy tests of a database: its dialect suite and those of its PostgreSQL dialect, with two drivers."""
    if place.server.installation.embedded:
        raise NotPossibleError("the server comes without contrib (hstore, citext, btree_gist)")
    tree = place.directory / "sqlalchemy"
    shutil.copytree(distribution("sqlalchemy", SQLALCHEMY), tree)
    packages = ("pytest", "pytest-timeout", "psycopg[binary]", "asyncpg", "greenlet", "typing_extensions")
    python = environment("sqlalchemy", f"sqlalchemy=={SQLALCHEMY}", *packages)
    found: dict[str, Outcome] = {}
    for driver in ("psycopg", "asyncpg"):
        name = f"sqlalchemy_{driver}"
        Database(place.server, "postgres").execute(f"CREATE DATABASE {name}")
        Database(place.server, name).execute(EXPECTED_BY_SQLALCHEMY)
        url = f"postgresql+{driver}://{SUPERUSER}:any@127.0.0.1:{place.port}/{name}"
        tests = ("test/dialect/test_suite.py", "test/dialect/postgresql", WITHOUT_SERVER, "--dburi", url)
        outcomes = _pytest(place, python, tree, {"PYTHONNOUSERSITE": "1"}, *tests)
        found |= {f"{driver}: {test}": outcome for test, outcome in outcomes.items()}
    return found


def _tests(place: Place, tests: Path) -> Path:
    """A copy without the driver's sources beside it, so that the installed one is tested."""
    copy = place.directory / "suite" / "tests"
    shutil.copytree(tests, copy)
    return copy


def _pytest(place: Place, python: Path, directory: Path, where: dict[str, str], *arguments: str) -> Outcomes:
    report = place.directory / "report.xml"
    done = run([python, *PYTEST, f"--junit-xml={report}", *arguments], directory, where, seconds=MOST_SECONDS)
    if done.returncode not in ALL_TESTS_RUN:
        raise NotPossibleError(done.stdout.strip().splitlines()[-1])
    return {
        f"{case.get('classname')}.{case.get('name')}": _outcome(case)
        for case in ElementTree.parse(report).iter("testcase")
    }


def _outcome(case: ElementTree.Element) -> Outcome:
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            first = found.get("message", "").strip().partition("\n")[0]
            why = re.sub(r"^'.*' : ", "", first)  # SQLAlchemy says again which test it is
            return Outcome(False, kind, f"{kind}: {why}"[:MOST_CHARACTERS])
    return Outcome(True, "passed")
