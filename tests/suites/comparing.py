"""One suite, run directly and through the proxy, each time on a new server, and what differs.

What suites there are, and what becomes of all, is `__main__`'s business.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from proxy.embedded import Server
from proxy.installations import Installation, private_directory
from proxy.launch import ProxyProcess
from tests.harness.servers import TEST_SETTINGS
from tests.suites.places import NotPossibleError, Outcome, Outcomes, Place, Suite

SETTINGS = {**TEST_SETTINGS, "log_statement": "none"}
PROXY = {"tls": {"mode": "disable"}}
"""As the server: tests can tell, by what encrypted connections keep in memory."""
NOT_RUN = Outcome(passed=False, said="was not run")
MOST_LINES = 40
"""Of the difference of one test."""


class Compared(NamedTuple):
    """What a suite came to."""

    major: int
    """The version of the server."""
    direct: Outcomes
    through: Outcomes
    varying: Mapping[str, str]
    """Tests that vary directly too, with the reason."""

    @property
    def differing(self) -> list[str]:
        """The tests that came to something else."""
        return [test for test in self._all_differing if test not in self.varying]

    @property
    def row(self) -> str:
        """Of the table: server, tests, passed directly, passed through the proxy, different."""
        passed = (sum(outcome.passed for outcome in each.values()) for each in (self.direct, self.through))
        varied = len(self._all_differing) - len(self.differing)
        different = f"{len(self.differing)}{f', and {varied} that vary directly too' if varied else ''}"
        return f"{self.major} | {len(self.direct)} | {' | '.join(map(str, passed))} | {different}"

    def lines(self) -> Iterator[str]:
        """What differs, and why tests do not pass directly."""
        for test in self._all_differing:
            yield from _difference(test, self.direct.get(test, NOT_RUN), self.through.get(test, NOT_RUN))
            if test in self.varying:
                yield f"({self.varying[test]})"
        reasons = Counter(outcome.why or test for test, outcome in self.direct.items() if not outcome.passed)
        yield from (f"{count} × {why}" for why, count in reasons.most_common())

    @property
    def _all_differing(self) -> list[str]:
        direct, through = (
            {test: (o.passed, o.said) for test, o in each.items()} for each in (self.direct, self.through)
        )
        return [test for test in sorted({*direct, *through}) if direct.get(test) != through.get(test)]


def compare(suite: Suite, candidates: Sequence[Installation], varying: Mapping[str, str]) -> Compared:
    """Run a suite both ways, with the first of the candidates that it can be run with.

    NotPossibleError, with what the first one lacks, if there is none.
    """
    reasons = []
    for installation in candidates:
        try:
            direct, through = (_outcomes(suite, installation, through=way) for way in (False, True))
        except NotPossibleError as reason:
            reasons.append(reason)
        else:
            return Compared(installation.major, direct, through, varying)
    raise reasons[0]


def _outcomes(suite: Suite, installation: Installation, *, through: bool) -> Outcomes:
    """What becomes of a suite's tests on a new server."""
    with private_directory() as directory, Server(installation, directory / "server", settings=SETTINGS) as server:
        place = directory / "suite"
        place.mkdir()
        place.chmod(0o755)
        if not through:
            return suite(Place(server.port, server, place))
        (directory / "proxy").mkdir()
        with ProxyProcess(directory / "proxy", server.conninfo(), PROXY) as proxy:
            found = suite(Place(proxy.port, server, place))
            if "Traceback" in proxy.log():
                print(proxy.log()[-4000:], flush=True)
            return found


def _difference(test: str, direct: Outcome, through: Outcome) -> Iterator[str]:
    """The lines in which a test came to something else."""
    before, after = (f"{outcome.said}\n{outcome.why}".splitlines() for outcome in (direct, through))
    names = f"{test}: directly", f"{test}: through the proxy"
    yield from list(difflib.unified_diff(before, after, *names, n=2, lineterm=""))[:MOST_LINES]
