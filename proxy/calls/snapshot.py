"""The snapshot of the jobs that statements read, as JSON text: sections, most of them made of one member per job.

A job's members are rendered once for each record of it: between two records only the clock changes them, and that
only while the job runs.  What members say is `clone_engine.records.jobs`; how the text travels is the session's
business.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, Protocol

from clone_engine.jobs.manager import Caller
from clone_engine.records.jobs import Job
from clone_engine.records.shown import listed_json, progress_json, view_row, worker_jobs
from proxy.calls.characters import Codecs, representable
from proxy.calls.signatures import VIEW_SECTION


class Section(NamedTuple):
    """A section with a member per job: the text around the members, and what makes one, for a moment and codecs."""

    opening: str
    member: Callable[[Job, float, Codecs], str]
    closing: str
    timed: bool = True
    """Whether the clock changes the members of jobs that run."""
    keyed: bool = False
    """Whether members are found by the job's number, so that others may be left out."""


class Moment(NamedTuple):
    """The jobs as a caller saw them, by number, and when; for a statement that runs more than once."""

    jobs: Mapping[int, _Rendered]
    time: float


class Records(Protocol):
    """The records of all jobs: the manager's, or what a process without one has learned of them."""

    @property
    def version(self) -> int:
        """Another one after each change."""

    @property
    def jobs(self) -> Collection[Job]:
        """In order of their ids; one that changes is replaced by another."""


class Snapshots:
    """The snapshot, as each caller may see it at the moment of asking.  `clock` returns seconds since the epoch."""

    def __init__(self, records: Records, version: str, clock: Callable[[], float] = time.time) -> None:
        self._records = records
        self._clock = clock
        self._constants = {"v": json.dumps(f"pgclone {version}")}
        self._version = -1
        """The records', of which the following is."""
        self._rendered: dict[int, _Rendered] = {}
        self._owners: frozenset[str] = frozenset()
        self._visible: dict[frozenset[str] | None, dict[int, _Rendered]] = {}

    def __repr__(self) -> str:
        return f"<Snapshots of {len(self._rendered)} jobs>"

    def sections(
        self,
        caller: Caller,
        names: frozenset[str],
        *,
        asked: frozenset[int] | None = None,
        codecs: Codecs = frozenset(),
        since: Moment | None = None,
    ) -> dict[str, str]:
        """The text, in ASCII, of each of the sections, as the caller may see the jobs now.

        `asked`: the numbers of the jobs that are looked up by number, None for any · `codecs`: of the encodings that
        the values have to pass · `since`: shows the jobs of that moment as they were then, beside those that have come
        since.
        """
        seen, now = self._seen_by(caller), self._clock()
        if since:
            seen, now = dict(sorted({**seen, **since.jobs}.items())), since.time
        rows = list(seen.values())
        found = rows if asked is None else [seen[number] for number in sorted(asked) if number in seen]

        def text(name: str) -> str:
            section = SECTIONS[name]
            members = [each.member(name, now, codecs) for each in (found if section.keyed else rows)]
            return section.opening + ",".join(members) + section.closing

        return {name: self._constants.get(name) or text(name) for name in sorted(names)}

    def moment(self, caller: Caller) -> Moment:
        """What the caller sees now, to be shown to a statement each time that it runs."""
        return Moment(self._seen_by(caller), self._clock())

    @property
    def owners(self) -> frozenset[str]:
        """The roles that own jobs now."""
        self._renew()
        return self._owners

    def _seen_by(self, caller: Caller) -> Mapping[int, _Rendered]:
        """What the caller may see, by number and in that order."""
        self._renew()
        whose = caller.whose
        if whose not in self._visible:
            rendered = (self._rendered[job.job_id] for job in self._records.jobs if caller.controls(job))
            self._visible[whose] = {one.job.job_id: one for each in rendered for one in (each, *each.workers)}
        return self._visible[whose]

    def _renew(self) -> None:
        """What was made of the jobs is made again of those that have changed since."""
        if self._version != self._records.version:
            self._version = self._records.version
            self._rendered = {job.job_id: self._of(job) for job in self._records.jobs}
            self._owners = frozenset(job.owner for job in self._records.jobs)
            self._visible = {}

    def _of(self, job: Job) -> _Rendered:
        known = self._rendered.get(job.job_id)
        return known if known and known.job is job else _Rendered(job)


class _Rendered:
    """A record, and the members that were made of it; and its workers, as records of their own."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.workers = tuple(map(_Rendered, worker_jobs(job)))
        self._runs = job.started_at is not None and job.ended_at is None
        self._members: dict[tuple[str, Codecs], str] = {}

    def member(self, name: str, now: float, codecs: Codecs) -> str:
        known = self._members.get((name, codecs))
        if known is None:
            section = SECTIONS[name]
            known = section.member(self.job, now, codecs)
            if not (self._runs and section.timed):
                self._members[name, codecs] = known
        return known


def _values(job: Job, now: float, codecs: Codecs) -> str:
    return _json(list(view_row(job, now).values()), codecs)


def _row(job: Job, now: float, codecs: Codecs) -> str:
    return _json(view_row(job, now), codecs)


def _progress(job: Job, now: float, codecs: Codecs) -> str:
    return f'"{job.job_id}":{_json(progress_json(job, now), codecs)}'


def _listed(job: Job, now: float, codecs: Codecs) -> str:
    return _json(listed_json(job), codecs)[1:-1]  # without its quotes: the members make one string


def _json(value: Any, codecs: Codecs) -> str:
    return json.dumps(representable(value, codecs), separators=(",", ":"))


SECTIONS: Mapping[str, Section] = {
    VIEW_SECTION: Section("[", _values, "]"),
    "d": Section("[", _row, "]"),
    "p": Section("{", _progress, "}", keyed=True),
    "l": Section('"[', _listed, ']"', timed=False),
}
"""j rows of the view as arrays, d the same as objects, p progress by number, l the text of pgclone_jobs(); v, the
version, has no jobs in it."""
