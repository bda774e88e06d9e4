"""A copier: a process with one connection to the source and one to the target, which does one step after another.

It is forked by `crew.py` and told what to do in the records of `copier_channel.py`.  What failed it begins anew, on new
connections, only if it is told to: whether the target still has what the step builds on is known to the job process.
SIGTERM, from the job process or because that has died, ends what it does on both servers within a moment.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import psycopg

from clone_engine.planning.large_objects import copy_large_objects
from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Copy, Journal, LargeObjects, Plan, Run, Statement, reported_key
from clone_engine.running import copier_channel as records
from clone_engine.running.relay import relay
from clone_engine.servers.connect import BEGIN_COPY, Side, cancel, connect, prepare_session
from clone_engine.servers.journal import Entry, as_entry, entry, insert
from clone_engine.servers.server_error import NO_LOCK, from_psycopg, tolerable

Planner = Callable[[psycopg.Connection, psycopg.Connection, str, Start, Sequence[str]], Plan]
"""`plan.prepare`: source, target, snapshot, what the job is, keys of what earlier jobs have done."""

NEWS_INTERVAL: Final = 0.25
"""Seconds between two Moved records.  Users look a few times a second at most."""
CHILD_TIMEOUT: Final = 0.3
"""Seconds that pg_dump gets to cancel its own query before it is killed."""
COLLISIONS: Final = frozenset({"40001", "40P01"})
"""A deadlock with others, or what they changed at the same moment: the server's advice is to try again."""
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts, in which those who wait for a lock behind us get it."""
LAST_RESORT: Final = 3
"""Seconds from SIGTERM to the end of a copier that has lost its job process and is stuck."""


class Stop(BaseException):
    """SIGTERM came.  Not an Exception, so that nothing takes it for a failure of what was going on."""


class StepError(Exception):
    """A step has failed at an object; its transaction is rolled back or can never commit."""

    def __init__(self, error: PgError, object_: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.object = object_


def serve(channel: socket.socket, start: Start, planner: Planner) -> None:
    """Do what the records on `channel` ask until it ends or SIGTERM comes.  Leaves no connection."""
    signal.signal(signal.SIGTERM, _stop)
    copier = Copier(channel, start, planner)
    try:
        copier.work()
    except (Stop, OSError):  # OSError: the job process has gone
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        copier.cancel()
    finally:
        copier.close()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(LAST_RESORT)  # whose default action ends the process, whatever it is stuck in
    _stop_children()
    raise Stop


def _stop_children() -> None:
    """SIGTERM to the copier's process group (itself ignores it), and a moment: pg_dump then cancels its query."""
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + CHILD_TIMEOUT
    with suppress(ChildProcessError):
        while time.monotonic() < deadline and not os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(0.01)


class Copier:
    """One copier's connections and its end of the channel."""

    def __init__(self, channel: socket.socket, start: Start, planner: Planner) -> None:
        self._channel = channel
        self._start = start
        self._planner = planner
        self._snapshot = ""
        self._connections: dict[Side, psycopg.Connection] = {}
        self._settled = True  # whether the target session has its own settings only

    def __repr__(self) -> str:
        return f"<Copier of job {self._start.job_id}, connected to {', '.join(self._connections) or 'nothing'}>"

    def work(self) -> None:
        """Take records until the channel ends.  OSError if the job process has gone."""
        with self._channel.makefile("rb") as lines:
            for line in lines:
                self._take(records.decode_to_copier(line))

    def cancel(self) -> None:
        """Ask both servers to end what they do for this copier."""
        for connection in self._connections.values():
            cancel(connection)

    def close(self) -> None:
        """Close both connections; what was not committed is gone."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._settled = True

    def _take(self, record: records.ToCopier) -> None:
        """Do what the record asks, and answer."""
        try:
            match record:
                case records.Open(snapshot):
                    self.close()
                    self._snapshot = snapshot
                case records.Prepare(done):
                    self._send(records.Prepared(self._prepare(done)))
                case records.Work(step, journal, refused):
                    self._send(self._do(step, journal, refused))
        except StepError as failed:
            self.close()
            self._send(records.Failed.of(failed.error, failed.object))

    def _send(self, record: records.FromCopier) -> None:
        self._channel.sendall(records.encode(record))

    def _prepare(self, done: Sequence[str]) -> Plan:
        with failing_at(""):
            plan = self._planner(
                self._connection("source"),
                self._connection("target"),
                self._snapshot,
                self._start,
                done,
            )
        self._settled = False
        return plan

    def _do(self, step: AnyStep, journal: Journal, refused: Collection[str]) -> records.Finished:
        """Do a step in one transaction, and leave its entry in the journal with it.

        It is tried again, a few times, where it failed for what others do at the same time.
        """
        attempt = 1
        while True:
            try:
                return self._try(step, journal, refused)
            except StepError as failed:
                if attempt >= _attempts(step, failed.error.sqlstate):
                    raise
            if not isinstance(step, Run):  # a COPY was left in the middle
                self.close()
            time.sleep(min(0.1 * 2**attempt, LONGEST_PAUSE))
            attempt += 1

    def _try(self, step: AnyStep, journal: Journal, refused: Collection[str]) -> records.Finished:
        with failing_at(""):
            target = self._connection("target")
            if not self._settled:
                prepare_session(target, "target")
        self._settled = isinstance(step, Copy)
        object_ = "" if isinstance(step, Run) else reported_key(step)
        if not isinstance(step, Run):
            with failing_at(object_):
                self._connection("source")
        with failing_at(object_):
            target.execute(BEGIN_COPY if isinstance(step, Copy) else "BEGIN")
            try:
                done = self._done(step, target, refused)
            except (PgError, StepError, psycopg.Error):
                with suppress(psycopg.Error):
                    target.execute("ROLLBACK")
                raise
            return self._committed(step, done, journal, target)

    def _done(self, step: AnyStep, target: psycopg.Connection, refused: Collection[str]) -> records.Finished:
        """Do a step within the open transaction."""
        match step:
            case Copy():
                if step.replica:
                    target.execute("SET LOCAL session_replication_role = replica")
                if step.frozen:
                    target.execute(step.empty.encode())
                source, meter = self._connection("source"), Meter(self._send)
                copied = relay(source, target, step.copy_out, step.copy_in, meter, binary=step.binary)
                return records.Finished(copied.rows, copied.bytes)
            case LargeObjects():
                return self._large_objects(step, target)
            case _:
                return records.Finished(outcomes=tuple(run_statements(target, step, refused)))

    def _large_objects(self, step: LargeObjects, target: psycopg.Connection) -> records.Finished:
        outcomes: list[Outcome] = []
        meter = Meter(self._send)
        moved = 0
        for news in copy_large_objects(self._connection("source"), target, step):
            if isinstance(news, Outcome):
                outcomes.append(news)
            else:
                moved += news
                meter(0, news)
        return records.Finished(bytes=moved, outcomes=tuple(outcomes))

    def _committed(
        self, step: AnyStep, done: records.Finished, journal: Journal, target: psycopg.Connection
    ) -> records.Finished:
        """Commit, unless the step turns out to have been done before; what is there then."""
        before = self._entered(step, done, journal, target)
        self._send(records.Committing())
        ending = "ROLLBACK" if before else "COMMIT"
        if target.execute(ending).statusmessage != ending:
            raise PgError("25P02", "pgclone: the target rolled the step back instead of committing it")
        return records.Finished(before.rows, 0, before.outcomes) if before else done

    def _entered(
        self, step: AnyStep, done: records.Finished, journal: Journal, target: psycopg.Connection
    ) -> Entry | None:
        """Make the entry of a step; the one that is there already, left by a copier that was thought to be dead."""
        if target.execute(insert(journal, step, done.rows, done.outcomes).encode()).rowcount:
            return None
        row = target.execute(entry(journal, step.key).encode()).fetchone()
        return as_entry(row[0]) if row else None

    def _connection(self, side: Side) -> psycopg.Connection:
        if side not in self._connections:
            conninfo = self._start.source if side == "source" else self._start.destination
            connection = self._connections[side] = connect(conninfo, side, self._start.job_id)
            self._send(records.Connected(side, connection.info.backend_pid))
            if side == "source" and self._snapshot:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                connection.execute(b"SET TRANSACTION SNAPSHOT '%s'" % self._snapshot.encode())
        return self._connections[side]


def _attempts(step: AnyStep, sqlstate: str) -> int:
    """How often a step may be tried that failed so: for about a minute if it is patient."""
    if sqlstate in COLLISIONS:
        return 5
    return 25 if sqlstate == NO_LOCK and isinstance(step, Run) and step.patient else 1


@contextmanager
def failing_at(object_: str) -> Iterator[None]:
    """What fails within the block fails the step, at this object."""
    try:
        yield
    except PgError as error:
        raise StepError(error, object_) from None
    except psycopg.Error as error:
        raise StepError(from_psycopg(error), object_) from None


def run_statements(target: psycopg.Connection, step: Run, refused: Collection[str] = ()) -> Iterator[Outcome]:
    """Run the statements of a step within the open transaction; what became of each object that they name.

    A tolerated statement does not fail the step.  `refused` are objects that earlier steps could not make; what needs
    one of them is left out.
    StepError at the object of the statement that does.
    """
    missing = set(refused)
    for statement in step.statements:
        lacking = next((need for need in statement.needs if need in missing), "")
        if lacking:
            if statement.object:
                missing.add(statement.object)
                yield Outcome(statement.object, "skipped", message=f"needs {lacking}, which could not be made")
            continue
        with failing_at(statement.object):
            error = _run(target, statement)
        if error:
            missing.add(statement.object)
            yield Outcome(statement.object, "skipped", error.sqlstate, error.message)
        elif statement.object:
            yield Outcome(statement.object, "done")


def _run(target: psycopg.Connection, statement: Statement) -> PgError | None:
    """Run one statement; its error if that does not fail the step, with its effects undone."""
    if not (statement.tolerated or statement.optional):
        target.execute(statement.sql.encode())
        return None
    target.execute("SAVEPOINT pgclone_statement")
    try:
        target.execute(statement.sql.encode())
    except psycopg.Error as error:
        refused = from_psycopg(error)
        tolerated = refused.sqlstate in statement.optional or (statement.tolerated and tolerable(refused.sqlstate))
        if not tolerated:
            raise
        target.execute("ROLLBACK TO SAVEPOINT pgclone_statement")
        return refused
    target.execute("RELEASE SAVEPOINT pgclone_statement")
    return None


class Meter:
    """Adds up what moved, and says so now and then."""

    def __init__(self, send: Callable[[records.FromCopier], None]) -> None:
        self._send = send
        self._rows = self._bytes = 0
        self._next = 0.0  # the first rows are news at once

    def __call__(self, rows: int, size: int) -> None:
        self._rows += rows
        self._bytes += size
        if (now := time.monotonic()) >= self._next:
            self._next = now + NEWS_INTERVAL
            self._send(records.Moved(self._rows, self._bytes))
