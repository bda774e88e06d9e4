"""The lines that the manager and a job process say to each other: one JSON object a line, over pipes.

Pure: encode and decode only.  Who reads and writes the pipes is `children.py` (manager's end) and
`job_process.py` (the other).  A Start line holds the credentials, which is why it travels over a pipe and is
never logged.
"""

from __future__ import annotations

import msgspec

from clone_engine.records.jobs import Outcome, Progress
from clone_engine.records.request import CloneRequest, Conninfo


class Forerunner(msgspec.Struct, frozen=True):
    """A job that another one goes on from."""

    name: str
    """As in its Start line."""
    owner: str
    """The role that its things on the target belong to."""


class Start(msgspec.Struct, frozen=True, tag="start"):
    """The first line to a job process: all it needs.  Nothing else reaches it (no argv, no environment)."""

    job_id: int
    request: CloneRequest
    source: Conninfo
    target: Conninfo
    parallel: int
    """The number of copiers, decided: at least 1."""
    name: str
    """What the job calls the things that it makes for itself on the target; no other job's name is the same."""
    retry_for: float = 60.0
    """Seconds for which a server that is lost is tried again; 0 fails the job at once."""
    waited_by: int = 0
    """The process id of the target's backend whose statement waits for the job; 0 if none does."""
    done: tuple[str, ...] = ()
    """Keys of the steps that earlier jobs finished; they are not done again."""
    earlier: tuple[Forerunner, ...] = ()
    """The job that this one goes on from, the one that that one went on from, and so forth."""

    @property
    def destination(self) -> Conninfo:
        """How to reach the database that the clone goes into: the caller's (`target`), or the one that is created."""
        if not self.request.target_database:
            return self.target
        return Conninfo(self.target.parameters | {"dbname": self.request.target_database})


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop: cancel what the servers are doing, undo what is half done, answer Ended(cancelled)."""


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """The answer to Keep: what was said before it is in the store."""

    number: int
    """Of that Keep; none is 0."""


ToJob = Start | Cancel | Kept


class Advanced(msgspec.Struct, frozen=True, tag="progress"):
    """The newest progress; at least twice a second while data flows."""

    progress: Progress


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A step of the plan has been committed on the target.  For data, one such line per complete table, with the key
    `table schema.name`; the keys of its parts are never sent."""

    key: str


class Undone(msgspec.Struct, frozen=True, tag="undone"):
    """What Done said of a key, this job's or one that it goes on from, is no longer true."""

    key: str


class Reported(msgspec.Struct, frozen=True, tag="object"):
    """What became of one object."""

    outcome: Outcome


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """Save all that was said so far, and answer Kept: what tells the same on the target is about to be removed."""

    number: int
    """A new one each time: a late answer to an earlier question is none to a later one."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last line of a job process.  `error` is '' exactly when `status` is completed or cancelled."""

    status: str
    """completed, failed or cancelled."""
    sqlstate: str = ""
    error: str = ""


FromJob = Advanced | Done | Undone | Reported | Keep | Ended

_encoder = msgspec.json.Encoder()
_to_job: msgspec.json.Decoder[ToJob] = msgspec.json.Decoder(ToJob)
_from_job: msgspec.json.Decoder[FromJob] = msgspec.json.Decoder(FromJob)


def encode(message: ToJob | FromJob) -> bytes:
    """One line, newline included.  JSON escapes newlines, so a line is always one message."""
    return _encoder.encode(message) + b"\n"


def decode_to_job(line: bytes) -> ToJob:
    """The message in a line from the manager; msgspec.DecodeError or ValidationError for anything else."""
    return _to_job.decode(line)


def decode_from_job(line: bytes) -> FromJob:
    """The message in a line from a job process; msgspec.DecodeError or ValidationError for anything else."""
    return _from_job.decode(line)
