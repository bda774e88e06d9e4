"""A job process as a test drives it: started with a Start line, listened to, cancelled, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from psycopg.conninfo import conninfo_to_dict

from clone_engine.records.channel import (
    Cancel,
    Done,
    Ended,
    Forerunner,
    FromJob,
    Keep,
    Kept,
    Reported,
    Start,
    ToJob,
    Undone,
    decode_from_job,
    encode,
)
from clone_engine.records.request import CloneRequest, Conninfo, Options
from clone_engine.records.steps import Plan
from clone_engine.servers.journal import ROWS
from tests.harness.processes import children
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

ROOT = Path(__file__).parents[2]
JOB_ID = 41
M = TypeVar("M")


class JobRun:
    """One job process, and all that it has said so far in `said`."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, keeps: bool, errors: Path) -> None:
        self.process = process
        self.name = name
        """What it calls its things on the target."""
        self.keeps = keeps
        self.said: list[FromJob] = []
        self._errors = errors
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(decode_from_job(line))
            if self.keeps and isinstance(said := self.said[-1], Keep):
                self._tell(Kept(said.number))

    def all(self, kind: type[M]) -> list[M]:
        """What it has said of one kind."""
        return [message for message in list(self.said) if isinstance(message, kind)]

    def wait(self, seconds: float = 60) -> Ended:
        """Its Ended line, behind which nothing may come, and exit code 0."""
        assert self.process.wait(seconds) == 0, self.errors()
        self._reader.join(5)
        ended = self.said[-1]
        assert isinstance(ended, Ended)
        return ended

    def cancel(self) -> None:
        self._tell(Cancel())

    def _tell(self, message: ToJob) -> None:
        assert self.process.stdin
        with suppress(OSError):  # it has gone
            self.process.stdin.write(encode(message))
            self.process.stdin.flush()

    def hang_up(self) -> None:
        """What the process sees when the manager dies."""
        assert self.process.stdin
        self.process.stdin.close()

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text()

    def copiers(self) -> list[int]:
        """Process ids of its children."""
        return children(self.process.pid)

    def outcomes(self) -> dict[str, tuple[str, str]]:
        return {m.outcome.object: (m.outcome.result, m.outcome.sqlstate) for m in self.all(Reported)}

    def keys(self) -> tuple[str, ...]:
        """All that it has told for a job that goes on from it."""
        return tuple(m.key for m in self.all(Done))

    def done(self) -> tuple[str, ...]:
        """What of that are steps and tables."""
        return tuple(key for key in self.keys() if not key.startswith(ROWS))


class Clone:
    """Runs plans from one database to another, and tells who is still there behind them."""

    def __init__(self, source: Database, target: Database, directory: Path) -> None:
        self.source = source
        self.target = target
        self._directory = directory
        self._runs: list[JobRun] = []

    def run(
        self,
        plan: Plan,
        parallel: int = 1,
        *,
        before_planning: tuple[str, ...] = (),
        consistent: bool = True,
        **more: Any,
    ) -> JobRun:
        """A started job process that is given its plan; `more` are fields of its Start line, or `environment`."""
        file = self._directory / "plan.json"
        file.write_bytes(msgspec.json.encode(plan))
        more.setdefault("request", CloneRequest("schema", "shop", options=Options(consistent=consistent)))
        return self._start(["-m", "tests.integration.hand_planned", str(file), *before_planning], parallel, **more)

    def request(self, request: CloneRequest, parallel: int = 1, **more: Any) -> JobRun:
        """A started job process as the manager starts it."""
        return self._start(["-m", "clone_engine.running.job_process"], parallel, request=request, **more)

    def while_changing(self, request: CloneRequest, sql: str, before: str, parallel: int = 1, **more: Any) -> JobRun:
        """A started job process on whose source `sql` is run while it plans; `changing_source.py` says when."""
        return self._start(["-m", "tests.integration.changing_source", sql, before], parallel, request=request, **more)

    def _start(
        self, command: list[str], parallel: int, *, environment: Mapping[str, str] | None = None, **more: Any
    ) -> JobRun:
        name = f"pgclone_job_{JOB_ID}_{len(self._runs):08x}"
        keeps = more.pop("keeps", True)
        if after := more.pop("after", None):
            more |= self._going_on(after)
        start = {"source": as_conninfo(self.source), "target": as_conninfo(self.target), "name": name, **more}
        errors = self._directory / f"stderr{len(self._runs)}"
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}}
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                env=kept | dict(environment or {}),
            )
        assert process.stdin
        process.stdin.write(encode(Start(job_id=JOB_ID, parallel=parallel, **start)))
        process.stdin.flush()
        self._runs.append(JobRun(process, name, keeps, errors))
        return self._runs[-1]

    def _going_on(self, run: JobRun) -> dict[str, Any]:
        """The fields of a Start line that goes on from `run`."""
        earlier = self._runs[self._runs.index(run) :: -1]
        done = dict[str, None]()
        for one in reversed(earlier):
            done |= dict.fromkeys(one.keys())
            for gone in one.all(Undone):
                done.pop(gone.key, None)
        owner = as_conninfo(self.target).parameters["user"]
        return {"done": tuple(done), "earlier": tuple(Forerunner(one.name, owner) for one in earlier)}

    def backends(self, state: str = "%") -> list[tuple[str, int]]:
        """(side, pid) of the job's server processes."""
        query = f"SELECT pid FROM pg_stat_activity WHERE application_name = 'pgclone: job {JOB_ID}' AND datname = "
        return [
            (side, pid)
            for side, database in (("source", self.source), ("target", self.target))
            for (pid,) in database.rows(f"{query} '{database.name}' AND state LIKE '{state}'")
        ]

    def assert_gone(self, seconds: float = 3) -> None:
        """No server process of the job is left, nor will be in a moment (backends exit behind their connection)."""
        wait_until(lambda: not self.backends(), seconds, "the job's backends to be gone")

    def close(self) -> None:
        for run in self._runs:
            with suppress(OSError):
                run.process.kill()
            run.process.wait()
            for pipe in (run.process.stdin, run.process.stdout):
                with suppress(OSError):
                    assert pipe
                    pipe.close()


@contextmanager
def cloning(source: Database, target: Database, directory: Path) -> Iterator[Clone]:
    """A Clone whose processes are ended at the end."""
    clone = Clone(source, target, directory)
    try:
        yield clone
    finally:
        clone.close()


def as_conninfo(database: Database, **more: str) -> Conninfo:
    given = conninfo_to_dict(database.conninfo(**more))
    return Conninfo({k: str(v) for k, v in given.items() if v is not None})
