"""How many jobs may run at once, and which of those that wait is the next one.

Pure: the manager keeps the queue and starts what `next_to_run` names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

import msgspec

from clone_engine.records.jobs import Job
from clone_engine.records.request import Conninfo

DEFAULT_PORT = "5432"


class Limits(msgspec.Struct, frozen=True):
    """Jobs that run at once.  0 of a role or of a source: as many as `running` allows."""

    running: int = 4
    per_role: int = 0
    """Of one role in one database of the target."""
    per_source: int = 0
    """From one database of one source server."""


def next_to_run(
    waiting: Iterable[Job], running: Collection[Job], limits: Limits, reached: Callable[[Job], Conninfo]
) -> Job | None:
    """The first of `waiting`, which is in order, that no limit holds back; None if there is none.

    `reached` tells how a job connects to its source.

    A job that its role's or its source's limit holds back lets those behind it pass.
    """
    if len(running) >= limits.running:
        return None
    roles = Counter(map(role_of, running))
    sources = Counter(source_of(reached(job)) for job in running)

    def free(job: Job) -> bool:
        of_role, of_source = roles[role_of(job)], sources[source_of(reached(job))]
        return _room(of_role, limits.per_role) and _room(of_source, limits.per_source)

    return next(filter(free, waiting), None)


def role_of(job: Job) -> tuple[str, str]:
    """Whose job it is, for the limit of a role."""
    return job.owner, job.database


def source_of(source: Conninfo) -> tuple[str, str, str]:
    """Where rows come from, for the limit of a source: by address if known, since hosts have several names."""
    given = source.parameters
    host = given.get("hostaddr") or given.get("host", "")
    return host, given.get("port") or DEFAULT_PORT, given.get("dbname") or given.get("user", "")


def _room(used: int, limit: int) -> bool:
    return limit == 0 or used < limit
