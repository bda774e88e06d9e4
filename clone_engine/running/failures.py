"""The failures of a job and their words: what failed, where, and what is to be done."""

from __future__ import annotations

from clone_engine.records.errors import PgError
from clone_engine.records.steps import AnyStep, Run, reported_key
from clone_engine.running.copier_channel import Failed
from clone_engine.running.crew import Member
from clone_engine.servers.server_error import transient

REFUSALS = ("0A", "22", "42")
"""SQLSTATE classes of a server that cannot take what it is given."""


class JobError(Exception):
    """The first failure of a job: the error, and the object (`kind name`, or '') at which it came."""

    def __init__(self, error: PgError, object_: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.object = object_


def failure_of(record: Failed, advice: str = "") -> JobError:
    """The copier's failure; with `advice` for a hint if it is the statement's or a value's, and there is none."""
    hint = record.hint or (advice if record.sqlstate.startswith(REFUSALS) else "")
    if transient(record.sqlstate):
        hint = hint or "Resume the job when the server is there."
    error = PgError(record.sqlstate, record.message, detail=record.detail, hint=hint)
    return JobError(error, record.object)


def death_of(member: Member, step: AnyStep) -> JobError:
    """What a job fails with whose copier was killed at a step that cannot be done again."""
    error = PgError(
        "58000",
        f"pgclone: copier process {member.pid} ended unexpectedly",
        detail="Its step was not committed.",
        hint="It may have been killed for want of memory. Resume the job.",
    )
    return JobError(error, _object(step))


def taken_back(step: AnyStep) -> JobError:
    """What a job fails with if the target has lost a step too often."""
    words = "pgclone: the target was restarted, and has lost the step"
    return JobError(PgError("08006", words, hint="Resume the job."), _object(step))


def _object(step: AnyStep) -> str:
    if isinstance(step, Run):
        return next((statement.object for statement in step.statements if statement.object), "")
    return reported_key(step)
