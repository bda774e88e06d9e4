"""Every message of the corpus, on every server version, in the protocols that it is meant for.

What PostgreSQL with real functions of these names would say is not written down: it is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from proxy.installations import installations
from tests.harness.corpus.__main__ import OWN
from tests.harness.corpus.cases import groups, read
from tests.harness.corpus.oracle import compared
from tests.harness.corpus.play import House, oracle, proxied
from tests.harness.servers import Servers

GROUPS = {f"{path.stem} {name}": cases for path in OWN for name, cases in groups(read(path)).items()}


@pytest.fixture(scope="module", params=installations(), ids=lambda each: str(each.major))
def houses(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[House, House]]:
    """The proxy in front of a server, and the oracle on another."""
    now = time.time()
    behind, asked = (servers.get(request.param, name=name) for name in ("corpus", "oracle"))
    with proxied(behind, now) as proxy, oracle(asked, now) as real:
        yield proxy, real


@pytest.mark.parametrize("name", GROUPS)
def test_messages_do_what_is_expected_and_what_postgresql_does(houses: tuple[House, House], name: str) -> None:
    proxy, real = houses
    for ours, theirs in zip(proxy.play(GROUPS[name]), real.play(GROUPS[name]), strict=True):
        assert not ours.failure, ours
        same = compared(ours.said) == compared(theirs.said)
        counted = ours.seen.error or ours.seen.actions == theirs.seen.actions
        if ours.case.differs:
            assert not (same and counted), f"{ours.case} does not differ"
        else:
            assert compared(ours.said) == compared(theirs.said), ours.case
            assert counted, ours.case
