"""What a client gets through the proxy, beside what PostgreSQL itself would give it.

Two databases with the same tables: one is asked directly and has real functions and views of our names (they are
harness.corpus.oracle's); in front of the other, which has none, is a proxy whose job manager holds the same two jobs, 7
and 8, and starts nothing.
What a client does must come to the same in both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from psycopg.conninfo import make_conninfo

from proxy.embedded import SUPERUSER, Server
from tests.clients.programs import TARGET
from tests.harness.corpus.oracle import COUNT_ANEW, definitions
from tests.harness.corpus.recorder import Recorder, recording_proxy
from tests.harness.servers import Database, fresh_database

T = TypeVar("T")

NOISY = """
CREATE FUNCTION public.noisy(what text) RETURNS text LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''about %'', what USING DETAIL = ''pgclone_jobs_view''; RETURN what; END';
"""


class Place(NamedTuple):
    """Where a client connects to."""

    port: int
    dbname: str
    host: str = "127.0.0.1"
    user: str = SUPERUSER

    def conninfo(self, **more: str) -> str:
        """As libpq reads it."""
        return make_conninfo(**{key: str(value) for key, value in self._asdict().items()}, **more)


class Peers:
    """The two places, and the comparison."""

    def __init__(self, direct: Place, through: Place, count_anew: Callable[[], object]) -> None:
        self.direct = direct
        self.through = through
        self._count_anew = count_anew

    def same(self, work: Callable[[Place], T]) -> T:
        """What `work` comes to, which must be the same in both places: AssertionError if it is not."""
        self._count_anew()
        direct, through = work(self.direct), work(self.through)
        assert through == direct
        return through


@contextmanager
def peers_on(server: Server) -> Iterator[Peers]:
    """Peers in two new databases of a server."""
    with (
        fresh_database(server, "direct") as direct,
        fresh_database(server, "through") as through,
        recording_proxy(through.conninfo(), time.time()) as (port, recorder),
    ):
        direct.execute(definitions(recorder.whole(), direct.server.installation.major))
        for database in (direct, through):
            database.execute(TARGET + NOISY)
        places = Place(server.port, direct.name), Place(port, through.name)
        yield Peers(*places, lambda: _count_anew(direct, recorder))


def _count_anew(direct: Database, recorder: Recorder) -> None:
    direct.execute(COUNT_ANEW)
    recorder.calls.clear()
