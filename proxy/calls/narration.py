"""What whoever waits for a clone is told meanwhile: warnings of what is lost, progress now and then, each object.

Pure but for the clock it is given: news of the job in, remarks out.  Which remarks a session wants to see is its
client_min_messages; how they travel is the session's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from clone_engine.planning.conflict import LEFT
from clone_engine.records.channel import Advanced, FromJob, Reported
from clone_engine.records.jobs import Job, Outcome, Progress
from clone_engine.records.report import named

SUCCESS, WARNING = "00000", "01000"
LEVELS = ("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")
"""The values of client_min_messages, from the one that shows most."""
SHORTEST_PAUSE = 1.0
"""Seconds between two remarks on progress, and before the first: a clone that is done by then needs none."""
LONGEST_PAUSE = 5.0
"""Seconds after which there is one though the phase is the same."""
MOST_WARNINGS = 100
"""A thousand tables of a role that the target lacks are a thousand warnings; the rest are counted."""


class Remark(NamedTuple):
    """One message beside the result of a call."""

    severity: Literal["DEBUG1", "NOTICE", "WARNING"]
    text: str
    sqlstate: str = SUCCESS
    hint: str = ""

    @property
    def wire_severity(self) -> str:
        """As servers call it in messages, where all debug levels are one."""
        return "DEBUG" if self.severity == "DEBUG1" else self.severity

    def shown(self, least: str) -> bool:
        """Whether a session whose client_min_messages is `least` gets it."""
        return least not in LEVELS or LEVELS.index(self.severity.lower()) >= LEVELS.index(least)


Tell = Callable[[Remark], None]


class Narrator:
    """Tells of one job.  `clock` returns seconds; only differences count."""

    def __init__(self, job: Job, tell: Tell, clock: Callable[[], float]) -> None:
        self._job = job
        self._tell = tell
        self._clock = clock
        self._last = clock()
        self._phase = ""
        self._warnings = 0
        self._schemas: set[str] = set()

    def hear(self, message: FromJob) -> None:
        """Take news of the job's process."""
        match message:
            case Advanced(progress):
                self._advanced(progress)
            case Reported(outcome):
                for remark in self._remarks(outcome):
                    self._tell(remark)

    def completed(self) -> None:
        """The job is completed: what is to be said in the end."""
        if self._warnings > MOST_WARNINGS:
            text = f"pgclone: {self._warnings - MOST_WARNINGS} more warnings are not shown"
            self._tell(Remark("WARNING", text, WARNING, self._where()))
        request = self._job.request
        if request.kind == "database":
            text = f"pgclone: database clone complete — {len(self._schemas)} schemas cloned"
            self._tell(Remark("NOTICE", text))
        elif request.kind == "database_create":
            text = f"pgclone: database clone complete — target database {request.target_database} ready"
            self._tell(Remark("NOTICE", text))

    def _advanced(self, progress: Progress) -> None:
        pause = SHORTEST_PAUSE if progress.phase != self._phase else LONGEST_PAUSE
        if progress.phase in {"", "completed"} or self._clock() - self._last < pause:
            return
        self._last, self._phase = self._clock(), progress.phase
        how_far = f"{progress.tables_completed} of {progress.tables_total} tables, {progress.rows_copied} rows"
        counts = f", {progress.pct_complete:.1f} %, {how_far}" if progress.tables_total else ""
        self._tell(Remark("NOTICE", f"pgclone: job {self._job.job_id}: {progress.phase}{counts}"))

    def _remarks(self, outcome: Outcome) -> Iterator[Remark]:
        if outcome.object == f"database {self._job.request.target_database}":
            yield from _of_database(outcome, self._job.request.target_database)
        elif outcome.result == "done":
            apart = named(outcome.object)
            self._schemas.add(apart.name if apart.kind == "schema" else apart.schema)
            self._schemas.discard("")
            yield Remark("DEBUG1", f"pgclone: {outcome.object}: {outcome.message or 'done'}")
        elif outcome.message == LEFT:  # as was asked for
            yield Remark("NOTICE", f"pgclone: {outcome.object}: {outcome.message}")
        elif outcome.result == "skipped":
            yield from self._warning(outcome)

    def _warning(self, outcome: Outcome) -> Iterator[Remark]:
        self._warnings += 1
        if self._warnings <= MOST_WARNINGS:
            hint = self._where() if self._warnings == 1 else ""
            yield Remark("WARNING", f"pgclone: {outcome.object}: {outcome.message}", outcome.sqlstate or WARNING, hint)

    def _where(self) -> str:
        return f"SELECT * FROM pgclone_job_objects({self._job.job_id}) tells of every object."


def _of_database(outcome: Outcome, name: str) -> Iterator[Remark]:
    """In the original's words."""
    if outcome.result == "failed":
        return
    made = outcome.result == "done"
    yield Remark(
        "NOTICE", f"pgclone: created database {name}" if made else
        f"pgclone: database {name} already exists, cloning into it"
    )  # fmt: skip
    yield Remark("NOTICE", f"pgclone: starting database clone from source into {name} ...")


def nothing(_: Remark) -> None:
    """For calls of which nobody wants to hear."""
