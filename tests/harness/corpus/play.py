"""Plays the groups of a corpus: through a recording proxy, or against a server that has the real functions.

A group gets a session of its own in a database without traces of others.  Where a case loses its session, what is left
of its group fails with it, and the next group goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from proxy.embedded import SUPERUSER, Server
from tests.harness.corpus.cases import Case
from tests.harness.corpus.oracle import COUNT_ANEW, COUNTED, definitions
from tests.harness.corpus.recorder import Recorder, recording_proxy
from tests.harness.corpus.stage import DATABASE, Stage
from tests.harness.corpus.talk import LostError, Messages, Seen, Talk, unmet
from tests.harness.servers import fresh_database


class Counter(Protocol):
    """Counts actions."""

    def clear(self) -> None:
        """Begin with none."""

    def count(self) -> int:
        """How many there have been since."""


@dataclass(frozen=True)
class Played:
    """A case that was played, on one version."""

    case: Case
    version: int
    failure: str
    """What was expected and what came instead; empty if all is well."""
    seen: Seen
    said: Messages

    def __str__(self) -> str:
        return f"{self.case} on PostgreSQL {self.version}: {self.failure or 'passed'}"


class House:
    """Where cases are played: a port that answers them, and the count of the actions they have caused."""

    def __init__(self, version: int, port: int, stage: Stage, counter: Counter) -> None:
        self.version = version
        self._port = port
        self._stage = stage
        self._counter = counter

    def play(self, group: Sequence[Case]) -> Iterator[Played]:
        """Play the cases of one group, as far as the version has what they need."""
        cases = [case for case in group if case.since <= self.version]
        lost, talk = "", None
        try:
            self._stage.clear()
            talk = Talk(self._port, SUPERUSER, DATABASE)
        except LostError as error:
            lost = str(error)
        for case in cases:
            if talk is None:
                yield Played(case, self.version, f"not played: {lost}", Seen(), [])
                continue
            try:
                yield self._case(talk, case)
            except UnicodeEncodeError as error:
                yield Played(case, self.version, str(error), Seen(), [])
            except LostError as error:
                yield Played(case, self.version, str(error), Seen(), [])
                talk.close()
                talk, lost = None, "its session was lost"
        if talk is not None:
            talk.close()

    def _case(self, talk: Talk, case: Case) -> Played:
        self._counter.clear()
        said = talk.ask(case)
        seen = talk.seen(said)
        seen.actions = self._counter.count()
        wrong = unmet(case, seen)
        return Played(case, self.version, f"expected {', '.join(wrong)}; got {seen}" if wrong else "", seen, said)


class _Recorded:
    def __init__(self, recorder: Recorder) -> None:
        self.clear = recorder.calls.clear
        self.count = recorder.calls.__len__


class _Sequence:
    """Counts in a sequence, which no transaction rolls back."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def clear(self) -> None:
        self._stage.ask(COUNT_ANEW)

    def count(self) -> int:
        return int(self._stage.ask(COUNTED))


@contextmanager
def proxied(server: Server, now: float) -> Iterator[House]:
    """A running server that knows nothing of pgclone, with a recording proxy in front of it.  Nobody else uses it."""
    with recording_proxy(server.conninfo(), now) as (port, recorder):
        stage = Stage(server)
        try:
            yield House(server.installation.major, port, stage, _Recorded(recorder))
        finally:
            stage.close()


@contextmanager
def oracle(server: Server, now: float) -> Iterator[House]:
    """A running server, asked directly, with real functions and views in its database.  Nobody else uses it."""
    with fresh_database(server, "oracle") as template:
        template.execute(definitions(Recorder(now).whole(), server.installation.major))
        stage = Stage(server, template.name)
        try:
            yield House(server.installation.major, server.port, stage, _Sequence(stage))
        finally:
            stage.close()
