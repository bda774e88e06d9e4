"""A copier: a process with one connection to the source and one to the target, which does one step after another, or
several small ones at once.

It is forked by `crew.py` and told what to do in the records of `copier_channel.py`.  What failed it begins anew, on new
connections, only if it is told to: whether the target still has what the step builds on is known to the job process.
SIGTERM, from the job process or because that has died, ends what it does on both servers within a moment.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import FrameType
from typing import Final

import msgspec
import psycopg

from clone_engine.planning.large_objects import copy_large_objects
from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Copy, Journal, LargeObjects, Plan, Run, reported_key
from clone_engine.running import copier_channel as records
from clone_engine.running.copy_stream import Copying
from clone_engine.running.executing import StepError, failing_at, run_statements
from clone_engine.running.relay import relay
from clone_engine.servers.connect import BEGIN_COPY, LOCK_TIMEOUT, Side, cancel, connect, prepare_session
from clone_engine.servers.journal import Entry, as_entry, entry, insert
from clone_engine.servers.server_error import NO_LOCK

Planner = Callable[[psycopg.Connection, psycopg.Connection, str, Start, Sequence[str]], Plan]
"""`plan.prepare`: source, target, snapshot, what the job is, keys of what earlier jobs have done."""

NEWS_INTERVAL: Final = 0.25
"""Seconds between two Moved records.  Users look a few times a second at most."""
COLLISIONS: Final = frozenset({"40001", "40P01"})
"""A deadlock with others, or what they changed at the same moment: the server's advice is to try again."""
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts, in which those who wait for a lock behind us get it."""
LAST_RESORT: Final = 3
"""Seconds from SIGTERM to the end of a copier that has lost its job process and is stuck."""


class Stop(BaseException):
    """SIGTERM came.  Not an Exception, so that nothing takes it for a failure of what was going on."""


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
    os.killpg(0, signal.SIGTERM)  # pg_dump then cancels its query; the copier ignores it
    raise Stop


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
                case records.Work(steps, journal, refused):
                    self._send(self._do(steps, journal, refused))
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

    def _do(self, steps: Sequence[AnyStep], journal: Journal, refused: Collection[str]) -> records.Finished:
        """Do steps in one transaction, and leave their entries in the journal with it.

        One that is alone is tried again, a few times, where it failed for what others do at the same time.
        """
        attempt = 1
        while True:
            try:
                return self._try(steps, journal, refused)
            except StepError as failed:
                if len(steps) > 1 or attempt >= _attempts(steps[0], failed.error.sqlstate):
                    raise
            if not isinstance(steps[0], Run):  # a COPY was left in the middle
                self.close()
            time.sleep(min(0.1 * 2**attempt, LONGEST_PAUSE))
            attempt += 1

    def _try(self, steps: Sequence[AnyStep], journal: Journal, refused: Collection[str]) -> records.Finished:
        with failing_at(""):
            target = self._connection("target")
            if not self._settled:
                prepare_session(target, "target")
        first = steps[0]
        self._settled = isinstance(first, Copy)
        object_ = "" if isinstance(first, Run) else reported_key(first)
        if not isinstance(first, Run):
            with failing_at(object_):
                self._connection("source")
        with failing_at(object_):
            target.execute(BEGIN_COPY if isinstance(first, Copy) else "BEGIN")
            try:
                done = self._done(steps, target, refused)
            except (PgError, StepError, psycopg.Error):
                with suppress(psycopg.Error):
                    target.execute("ROLLBACK")
                raise
            return self._committed(steps, done, journal, target)

    def _done(
        self, steps: Sequence[AnyStep], target: psycopg.Connection, refused: Collection[str]
    ) -> tuple[records.Result, ...]:
        """Do steps of one kind within the open transaction."""
        match steps[0]:
            case LargeObjects() as alone:
                return (self._large_objects(alone, target),)
            case Copy():
                return self._copied([step for step in steps if isinstance(step, Copy)], target)
            case _:
                runs = [step for step in steps if isinstance(step, Run)]
                return tuple(records.Result(outcomes=each) for each in run_statements(target, runs, refused))

    def _copied(self, steps: Sequence[Copy], target: psycopg.Connection) -> tuple[records.Result, ...]:
        first = steps[0]
        if first.replica:
            target.execute("SET LOCAL session_replication_role = replica")
        if first.frozen_in and _emptied(target, first):
            first = msgspec.structs.replace(first, copy_in=first.frozen_in)
            steps = (first,)
        # How far several are is not worth saying: they are small.
        moved = Meter(self._send) if len(steps) == 1 else _unsaid
        copies = [Copying(step.copy_out, step.copy_in, step.binary) for step in steps]
        copied = relay(self._connection("source"), target, copies, moved)
        return tuple(records.Result(each.rows, each.bytes) for each in copied)

    def _large_objects(self, step: LargeObjects, target: psycopg.Connection) -> records.Result:
        outcomes: list[Outcome] = []
        meter = Meter(self._send)
        moved = 0
        for news in copy_large_objects(self._connection("source"), target, step):
            if isinstance(news, Outcome):
                outcomes.append(news)
            else:
                moved += news
                meter(0, news)
        return records.Result(bytes=moved, outcomes=tuple(outcomes))

    def _committed(
        self,
        steps: Sequence[AnyStep],
        results: tuple[records.Result, ...],
        journal: Journal,
        target: psycopg.Connection,
    ) -> records.Finished:
        """Commit, unless a step turns out to have been done before; what is there then."""
        before = self._entered(steps, results, journal, target)
        self._send(records.Committing())
        ending = "ROLLBACK" if before else "COMMIT"
        if target.execute(ending).statusmessage != ending:
            raise PgError("25P02", "pgclone: the target rolled the step back instead of committing it")
        return records.Finished((records.Result(before.rows, 0, before.outcomes),) if before else results)

    def _entered(
        self,
        steps: Sequence[AnyStep],
        results: Sequence[records.Result],
        journal: Journal,
        target: psycopg.Connection,
    ) -> Entry | None:
        """Make the entries of steps; that of one alone if it is there already, left by a copier that was thought to be
        dead."""
        made = [insert(journal, step, done.rows, done.outcomes) for step, done in zip(steps, results, strict=True)]
        cursor = target.execute(";\n".join(made).encode())
        rows = cursor.rowcount
        while cursor.nextset():
            rows += cursor.rowcount
        if rows == len(steps):
            return None
        if len(steps) > 1:
            raise PgError("55000", "pgclone: a copier that was thought to be dead has done one of the steps")
        row = target.execute(entry(journal, steps[0].key).encode()).fetchone()
        return as_entry(row[0]) if row else None

    def _connection(self, side: Side) -> psycopg.Connection:
        if side not in self._connections:
            conninfo = self._start.source if side == "source" else self._start.destination
            snapshot = self._snapshot if side == "source" else ""
            connection = self._connections[side] = connect(conninfo, side, self._start.job_id, snapshot)
            self._send(records.Connected(side, connection.info.backend_pid))
        return self._connections[side]


def _attempts(step: AnyStep, sqlstate: str) -> int:
    """How often a step may be tried that failed so: for about a minute if it is patient."""
    if sqlstate in COLLISIONS:
        return 5
    return 25 if sqlstate == NO_LOCK and isinstance(step, Run) and step.patient else 1


def _emptied(target: psycopg.Connection, step: Copy) -> bool:
    """Whether the table, which has no rows, could be emptied; not while somebody else looks at it."""
    target.execute("SAVEPOINT pgclone_emptying; SET LOCAL lock_timeout = '100ms'")
    try:
        target.execute(step.empty.encode())
    except psycopg.errors.LockNotAvailable:
        target.execute("ROLLBACK TO SAVEPOINT pgclone_emptying; RELEASE SAVEPOINT pgclone_emptying")
        return False
    target.execute(f"RELEASE SAVEPOINT pgclone_emptying; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
    return True


def _unsaid(_rows: int, _size: int) -> None:
    """For what is done in a moment."""


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
