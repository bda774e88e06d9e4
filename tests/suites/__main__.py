"""Runs others' test suites twice, directly and through the proxy, and compares what became of each test.

    python -m tests.suites [--postgres VERSION] [NAME …]

Each run has a new server, of the newest version here that the suite can be run on; each suite is fetched when it is run
(`sources`).  A test may fail, if it does so in both.  Exit codes: 0 all came to the same; 1 a test that is printed came
to something else; 2 a suite could not be run; 143 ended by SIGTERM, with all that was started.  No part of `make test`:
it takes a quarter of an hour, and the registries.  SUITES.md has the last table.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence

from proxy.installations import Installation, installations
from tests.suites.comparing import compare
from tests.suites.drivers import asyncpg, psycopg2, sqlalchemy
from tests.suites.pgbench import pgbench
from tests.suites.places import NotPossibleError, Suite
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
VARYING: Mapping[str, Mapping[str, str]] = {
    "asyncpg": {
        "tests.test_execute.TestExecuteMany.test_executemany_server_failure_during_writes": "whether 4 MB are written "
        "before the server's error arrives is a race",
        "tests.test_pool.TestPool.test_pool_config_persistence": "fails now and then",
    },
}
"""Tests whose outcome varies directly as well, and why; SUITES.md has how often it does."""
HEAD = (
    "| suite | server | tests | passed directly | passed through the proxy | different |",
    "|---|---|---|---|---|---|",
)
ENDING = (signal.SIGTERM, signal.SIGHUP)
DIFFERENT, NOT_RUN, TERMINATED = 1, 2, 128 + signal.SIGTERM


def main(names: Sequence[str], candidates: Sequence[Installation]) -> int:
    """Run the suites of these names with the candidates, and print what they came to; the exit code."""
    rows, worst = [*HEAD], 0
    for name in names:
        try:
            compared = compare(SUITES[name], candidates, VARYING.get(name, {}))
        except NotPossibleError as reason:
            rows.append(f"| {name} | not run: {reason} | | | | |")
            worst = NOT_RUN
        else:
            print(*compared.lines(), sep="\n")
            rows.append(f"| {name} | {compared.row} |")
            worst = worst or (DIFFERENT if compared.differing else 0)
        print(rows[-1], flush=True)
    print("", *rows, sep="\n")
    return worst


def _candidates(major: int) -> list[Installation]:
    """Newest first."""
    found = [installation for installation in reversed(installations()) if major in (0, installation.major)]
    if not found:
        sys.exit(f"no PostgreSQL {major or ''} is installed here")
    return found


def _terminate(*_: object) -> None:
    """End, but not before servers and proxies are stopped."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(TERMINATED)


if __name__ == "__main__":
    for number in ENDING:
        signal.signal(number, _terminate)
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *SUITES], help=", ".join(SUITES))
    parser.add_argument("--postgres", type=int, default=0, metavar="VERSION", help="of these servers only")
    arguments = parser.parse_args()
    sys.exit(main(arguments.names or [*SUITES], _candidates(arguments.postgres)))
