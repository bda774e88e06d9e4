"""The command behind `make corpus`: plays files of the corpus format on every PostgreSQL that is here.

    python -m tests.harness.corpus [FILE …]     without a file, all of tests/corpus

Prints each failure and, at the end, how many cases passed and failed, each counted for every protocol and version.
Exits with 1 if one failed, with 2 if a file could not be read.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from proxy.config import LogSettings
from proxy.logs import configure
from tests.harness.corpus.cases import Case, FormatError, groups, read
from tests.harness.corpus.play import proxied
from tests.harness.servers import Servers, running_servers

OWN = sorted((Path(__file__).parents[2] / "corpus").glob("*.sql"))


def main(arguments: list[str]) -> int:
    """Play the files; the exit status."""
    try:
        files = [read(Path(path)) for path in arguments or map(str, OWN)]
    except (FormatError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    configure(LogSettings(level="error"))
    with running_servers() as servers:
        passed, failed = _play(servers, files)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _play(servers: Servers, files: list[list[Case]]) -> tuple[int, int]:
    passed = failed = 0
    for installation in servers.installations:
        with proxied(servers.get(installation), time.time()) as house:
            played = (each for cases in files for group in groups(cases).values() for each in house.play(group))
            for each in played:
                passed, failed = passed + (not each.failure), failed + bool(each.failure)
                if each.failure:
                    print(each, flush=True)
    return passed, failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
