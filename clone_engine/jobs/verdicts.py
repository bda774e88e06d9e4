"""How a job ends, and why a call on a job is refused: the decisions and their words.

Pure: records in, records and errors out.  The manager asks, and writes what is decided.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from clone_engine.records.channel import Ended
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import MAX_PCT_RUNNING, RESUMABLE, Job, Progress, Status

Asked = Literal["", "cancel", "shutdown"]
"""Why a job was asked to stop, if it was."""


MAX_CRASHES = 3
"""A job that a crash of the proxy has interrupted so often in a row may be what crashes it: it waits for its owner."""


class Verdict(NamedTuple):
    """The final state of a job; SQLSTATE and error are '' unless something is to be said."""

    status: Status
    sqlstate: str = ""
    error: str = ""
    to_go_on: bool = False
    crashes: int = 0


def verdict(job: Job, asked: Asked, ended: Ended | None, ending: str, *, source_known: bool) -> Verdict:
    """How `job` ends, from its process's last word (None: it had none) and the way the process ended; `source_known` as
    for `interrupted`.

    What the process says of the clone counts more than what was asked of it: a job that completes in the moment in
    which it is cancelled is completed.
    """
    if ended and ended.status == "completed":
        return Verdict("completed")
    if ended and ended.status == "failed":
        return Verdict("failed", ended.sqlstate or "XX000", ended.error or "job failed without a message")
    if asked == "cancel":
        left = f"job process did not stop by itself ({ending}); what it was doing may be left half done"
        return Verdict("cancelled", "", "" if ended else left)
    if asked == "shutdown":
        return interrupted(job, by="a shutdown", source_known=source_known)
    what = "was stopped from outside" if ended else f"exited unexpectedly ({ending})"
    return Verdict("failed", "58000", f"job process {what}; go on with pgclone_resume({job.job_id}){_left(job)}")


def interrupted(job: Job, *, by: Literal["a restart", "a shutdown"], source_known: bool) -> Verdict:
    """How a job ends that the proxy did not live to see finished; `source_known`: also when the proxy starts again."""
    crashed = by == "a restart" and job.started_at is not None  # one that waited cannot have been the cause
    crashes = job.crashes + crashed
    tired = crashed and crashes >= MAX_CRASHES
    go_on = f"go on with pgclone_resume({job.job_id})"
    if tired:
        go_on = f"{crashes} times in a row with nothing done in between, so it waits for you: {go_on}"
    if not source_known:
        go_on = f"its source password is lost, so pgclone_resume({job.job_id}) cannot go on; call the function again"
    sqlstate = {"a restart": "57P02", "a shutdown": "57P01"}[by]
    error = f"interrupted by {by} of the proxy; {go_on}{_left(job)}"
    return Verdict("failed", sqlstate, error, source_known and not tired, crashes)


def store_failed(sqlstate: str, job_id: int) -> Verdict:
    """How a job ends that could not begin because the store could not take it."""
    what = "is full" if sqlstate == "53100" else "failed"
    reason = f"the proxy's job store {what}; the proxy's log has the reason; go on with pgclone_resume({job_id})"
    return Verdict("failed", sqlstate, reason)


def _left(job: Job) -> str:
    """What a job that was killed may have left on the target beside its clone; resuming it drops that."""
    builds_beside = job.request.options.conflict in {"replace", "rename"} and job.started_at is not None
    return f"; a schema pgclone_job_{job.job_id}_… may be left on the target" if builds_beside else ""


def running_progress(progress: Progress) -> Progress:
    """Progress as a running job may show it."""
    pct = min(max(progress.pct_complete, 0.0), MAX_PCT_RUNNING)
    return msgspec.structs.replace(progress, pct_complete=pct)


def final_progress(progress: Progress, status: Status) -> Progress:
    """Progress as a finished job shows it; a failed one keeps the phase in which it failed."""
    if status == "completed":
        return msgspec.structs.replace(progress, phase="completed", pct_complete=100.0)
    if status == "cancelled":
        return msgspec.structs.replace(progress, phase="cancelled")
    return progress


def failure(job: Job) -> PgError:
    """The error for whoever has waited for `job`, which is failed or cancelled."""
    resume = f"pgclone_resume({job.job_id})"
    if job.status == "cancelled":
        text, what, hint = f"pgclone: job {job.job_id} was cancelled", job.error, f"Use {resume} to go on with it."
        return PgError("57014", text, detail=what, hint=hint)
    message, detail, hint = _fields(job.error)
    return PgError(
        job.sqlstate,
        message,
        detail=f"{detail}Job {job.job_id} has failed; what was complete stays.",
        hint=f"{hint}Use {resume} to go on when the cause is removed; pgclone_jobs_view shows how far it came.",
    )


def _fields(error: str) -> tuple[str, str, str]:
    """Message, detail and hint in the text that a failed job keeps; the last two end with a new line, or are ''."""
    found = re.fullmatch(r"(.*?)(?:\nDETAIL:  (.*?))?(?:\nHINT:  (.*))?", error, re.DOTALL)
    assert found
    return found[1], f"{found[2]}\n" if found[2] else "", f"{found[3]}\n" if found[3] else ""


def check_resumable(job: Job, database: str, successor: Job | None, successor_seen: bool) -> None:
    """PgError 55000 if `job` cannot be resumed from `database`; `successor` is the job that already goes on from it, of
    which a caller who may not see it is told no more than that."""
    if job.status not in RESUMABLE:
        detail, hint = f'Its status is "{job.status}".', "Only failed and cancelled jobs can be resumed."
    elif job.database != database:
        detail = f'It clones into database "{job.database}", and this is "{database}".'
        hint = f"Connect to that database and call pgclone_resume({job.job_id}) there."
    elif successor and not successor_seen:
        detail = "A job of another role already goes on from it."
        hint = f'Ask the roles that may resume jobs of role "{job.owner}".'
    elif successor:
        detail = f'Job {successor.job_id} already goes on from it; its status is "{successor.status}".'
        hint = f"Look at job {successor.job_id} in pgclone_jobs_view."
    else:
        return
    raise PgError("55000", f"pgclone: job {job.job_id} is not resumable", detail=detail, hint=hint)


def secret_lost(job_id: int) -> PgError:
    """The error for a resume that lacks the source's password."""
    return PgError(
        "28000",
        f"pgclone: the source password of job {job_id} is no longer known",
        detail="The proxy was restarted since, and its store has none that it could open with its key.",
        hint='Call the clone function again with the conninfo; {"conflict": "replace"} redoes tables that exist.',
    )


def secret_of_another(job: Job) -> PgError:
    """The error for a resume by a role that would log in to the source with a password that is not its own."""
    return PgError(
        "42501",
        f"pgclone: permission denied to resume job {job.job_id}",
        detail=f'It logs in to its source with a password that role "{job.owner}" has given.',
        hint=f'Role "{job.owner}" can resume it.  Or call the clone function with a conninfo of your own; '
        '{"conflict": "replace"} redoes tables that exist.',
    )


def not_found(job_id: int) -> PgError:
    """The error for a job that does not exist or is none of the caller's business; which of the two is not said."""
    return PgError("P0002", f"pgclone: job {job_id} not found", hint="pgclone_jobs_view lists your jobs.")
