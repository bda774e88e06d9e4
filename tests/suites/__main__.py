"""Runs others' test suites twice, directly and through the proxy, and compares what became of each test.

    python -m tests.suites [--postgres VERSION] [NAME …]

Each run has a new server; each suite is fetched when it is run (`sources`).  A test may fail, if it does so in both;
one that came to something else is printed, and the exit code is then 1.  No part of `make test`: it takes most of an
hour, and the registries.  SUITES.md has the last table.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Mapping

from proxy.embedded import Server
from proxy.installations import Installation, installations, private_directory
from proxy.launch import ProxyProcess
from tests.harness.servers import TEST_SETTINGS
from tests.suites.drivers import asyncpg, psycopg2, sqlalchemy
from tests.suites.pgbench import pgbench
from tests.suites.places import NotPossibleError, Outcome, Outcomes, Place, Suite
from tests.suites.postgres import isolation, libpq_pipeline, regression

SUITES: Mapping[str, Suite] = {
    "regression": regression,
    "isolation": isolation,
    "libpq_pipeline": libpq_pipeline,
    "pgbench": pgbench,
    "asyncpg": asyncpg,
    "psycopg2": psycopg2,
    "sqlalchemy": sqlalchemy,
}
SETTINGS = {**TEST_SETTINGS, "log_statement": "none"}
NOT_RUN = Outcome(passed=False, said="was not run")
MOST_LINES = 40
"""Of the difference of one test."""


def main(names: list[str], major: int) -> int:
    """Run the suites of these names, or all; the exit code."""
    installation = next((i for i in reversed(installations()) if major in (0, i.major)), None)
    if installation is None:
        sys.exit(f"no PostgreSQL {major} is installed here")
    rows = ["| suite | tests | passed directly | passed through the proxy | different |", "|---|---|---|---|---|"]
    different = 0
    for name in names or SUITES:
        try:
            direct, through = (outcomes(SUITES[name], installation, through=way) for way in (False, True))
        except NotPossibleError as reason:
            rows.append(f"| {name} | not run: {reason} | | | |")
            continue
        found = [test for test in sorted({*direct, *through}) if direct.get(test) != through.get(test)]
        for test in found:
            print(*difference(test, direct.get(test, NOT_RUN), through.get(test, NOT_RUN)), sep="\n", flush=True)
        passed = (sum(outcome.passed for outcome in each.values()) for each in (direct, through))
        rows.append(f"| {name} | {len(direct)} | {' | '.join(map(str, passed))} | {len(found)} |")
        print(rows[-1], flush=True)
        different += len(found)
    print(f"PostgreSQL {installation.major}", "", *rows, sep="\n")
    return different > 0


def outcomes(suite: Suite, installation: Installation, *, through: bool) -> Outcomes:
    """What becomes of a suite's tests on a new server."""
    with private_directory() as directory, Server(installation, directory / "server", settings=SETTINGS) as server:
        place = directory / "suite"
        place.mkdir()
        place.chmod(0o755)
        if not through:
            return suite(Place(server.port, server, place))
        (directory / "proxy").mkdir()
        with ProxyProcess(directory / "proxy", server.conninfo()) as proxy:
            found = suite(Place(proxy.port, server, place))
            if "Traceback" in proxy.log():
                print(proxy.log()[-4000:], flush=True)
            return found


def difference(test: str, direct: Outcome, through: Outcome) -> Iterator[str]:
    """The lines in which a test came to something else."""
    lines = difflib.unified_diff(
        direct.said.splitlines(),
        through.said.splitlines(),
        f"{test}: directly",
        f"{test}: through the proxy",
        "",
        "",
        2,
        "",
    )
    yield from list(lines)[:MOST_LINES]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *SUITES], help=", ".join(SUITES))
    parser.add_argument("--postgres", type=int, default=0, metavar="VERSION", help="the newest unless given")
    arguments = parser.parse_args()
    sys.exit(main(arguments.names, arguments.postgres))
