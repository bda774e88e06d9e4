"""Runs the statements of steps within an open transaction, many in one message.

Each message costs its way to the server and back, and most statements take less than that.  What fails is known all the
same: a server answers to each statement of a message, and goes no further than the first error.  Those that may take
long have a message each, so that the server's views show which it is at.  What steps are, and their transactions, are
`copier.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, NamedTuple

import psycopg
from psycopg import generators, pq

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import Run, Statement
from clone_engine.servers.server_error import from_psycopg, tolerable

MOST: Final = 100
"""Statements of one message."""
LONGEST: Final = 1 << 16
"""Characters of one message, if it has more than one statement."""
SYNTAX_ERROR: Final = "42601"


class StepError(Exception):
    """A step has failed at an object; its transaction is rolled back or can never commit."""

    def __init__(self, error: PgError, object_: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.object = object_


@contextmanager
def failing_at(object_: str) -> Iterator[None]:
    """What fails within the block fails the step, at this object."""
    try:
        yield
    except PgError as error:
        raise StepError(error, object_) from None
    except psycopg.Error as error:
        raise StepError(from_psycopg(error), object_) from None


class _Wanted(NamedTuple):
    """A statement, and the place of its step among the steps."""

    statement: Statement
    place: int

    @property
    def guarded(self) -> bool:
        """Whether the step goes on if it fails."""
        return self.statement.tolerated or bool(self.statement.optional)

    @property
    def sql(self) -> tuple[str, ...]:
        """What the server is sent: commands that it answers to one by one."""
        if not self.guarded:
            return (self.statement.sql,)
        return ("SAVEPOINT pgclone_statement", self.statement.sql, "RELEASE SAVEPOINT pgclone_statement")


def run_statements(
    target: psycopg.Connection, steps: Sequence[Run], refused: Collection[str] = ()
) -> list[tuple[Outcome, ...]]:
    """Run the statements of steps, in order, within the open transaction; for each step what became of its objects.

    A tolerated statement does not fail its step.  `refused` are objects that earlier steps could not make; what needs
    one of them is left out.
    StepError at the object of the statement that does fail.
    """
    missing = set(refused)
    most = MOST if len(steps) > 1 or steps[0].small or not steps[0].weight else 1
    outcomes: list[list[Outcome]] = [[] for _ in steps]
    left = [_Wanted(statement, place) for place, step in enumerate(steps) for statement in step.statements]
    while left:
        message = list(_message(left[:most], missing))
        if not message:
            statement, place = left.pop(0)
            lacking = next(need for need in statement.needs if need in missing)
            if statement.object:
                missing.add(statement.object)
                words = f"needs {lacking}, which could not be made"
                outcomes[place].append(Outcome(statement.object, "skipped", message=words))
            continue
        done, error = _send(target, message)
        for statement, place in islice(left, done):
            if statement.object:
                outcomes[place].append(Outcome(statement.object, "done"))
        del left[:done]
        if error:
            statement, place = left.pop(0)
            missing.add(statement.object)
            outcomes[place].append(Outcome(statement.object, "skipped", error.sqlstate, error.message))
    return [tuple(found) for found in outcomes]


def _message(left: Sequence[_Wanted], missing: set[str]) -> Iterator[_Wanted]:
    """The first of these statements, as many as go into one message and lack nothing."""
    size = 0
    for wanted in left:
        size += len(wanted.statement.sql)
        if not missing.isdisjoint(wanted.statement.needs) or (size > LONGEST and wanted is not left[0]):
            return
        yield wanted


def _send(target: psycopg.Connection, message: Sequence[_Wanted]) -> tuple[int, PgError | None]:
    """How many statements of the message are done, and the error, tolerated and undone, of the one behind them.

    StepError if it is not tolerated.
    """
    alone = len(message) == 1
    commands = [message[0].statement.sql] if alone else [sql for wanted in message for sql in wanted.sql]
    if not alone or message[0].guarded:
        commands.append("RELEASE SAVEPOINT pgclone_message")
        with failing_at(""):
            target.execute("SAVEPOINT pgclone_message")
    answered, failure = _answers(target, commands)
    if failure is None:
        return len(message), None
    error, done = from_psycopg(failure), 0
    if not (alone or answered) and error.sqlstate == SYNTAX_ERROR:
        # It may be in any of them, for the server reads the whole message before it begins.
        _undo(target, "message")
        return _send(target, message[:1])
    while done < len(message) - 1 and answered >= len(message[done].sql):
        answered -= len(message[done].sql)
        done += 1
    at = message[done].statement
    if not (error.sqlstate in at.optional or (at.tolerated and tolerable(error.sqlstate))):
        raise StepError(error, at.object)
    _undo(target, "message" if alone else "statement")
    return done, error


def _undo(target: psycopg.Connection, savepoint: str) -> None:
    """Undo what was done since the `message` or the `statement` began; there is no savepoint any more then."""
    with failing_at(""):
        target.execute(f"ROLLBACK TO SAVEPOINT pgclone_{savepoint}; RELEASE SAVEPOINT pgclone_message".encode())


def _answers(target: psycopg.Connection, commands: Sequence[str]) -> tuple[int, psycopg.Error | None]:
    """How many of these commands, sent as one message, the server says are done; its error if not all."""
    try:
        target.pgconn.send_query("\n;".join(commands).encode())  # behind a comment, too
        results = target.wait(generators.execute(target.pgconn))
    except psycopg.Error as error:  # the connection is lost
        return 0, error
    last = results[-1]
    if last.status != pq.ExecStatus.FATAL_ERROR:
        return len(results), None
    return len(results) - 1, psycopg.errors.error_from_result(last)
