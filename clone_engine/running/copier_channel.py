"""The records that a job process and its copiers say to each other: one JSON object a line, over a socket pair.

Pure: encode and decode only.  Credentials are not among them: a copier has them from the process it was forked from.
"""

from __future__ import annotations

import msgspec

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Journal, Plan


class Open(msgspec.Struct, frozen=True, tag="open"):
    """The first record: the snapshot that all work is done on; '' for none.  Another one takes its place."""

    snapshot: str = ""


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """Make the plan; answered by Prepared or Failed."""

    done: tuple[str, ...] = ()
    """The keys of what earlier jobs have done."""


class Work(msgspec.Struct, frozen=True, tag="work"):
    """Do a step, or several small ones of one kind, in one transaction; answered by Moved as often as there is news,
    Committing, and Finished; or by Failed."""

    steps: tuple[AnyStep, ...]
    journal: Journal
    """Where its entry goes."""
    refused: tuple[str, ...] = ()
    """Objects that the target has refused to make in earlier steps."""


ToCopier = Open | Prepare | Work


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """The copier has opened a connection: the backend's process id, so that it can be ended if the copier cannot."""

    side: str
    pid: int


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """The plan."""

    plan: Plan


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """Rows and bytes of the one step under way so far; the rows are an estimate."""

    rows: int
    bytes: int


class Committing(msgspec.Struct, frozen=True, tag="committing"):
    """COMMIT comes next.  Before this record the steps have surely not been committed."""


class Result(msgspec.Struct, frozen=True):
    """What a step has done."""

    rows: int = 0
    bytes: int = 0
    outcomes: tuple[Outcome, ...] = ()


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The steps have been committed; what each has done."""

    results: tuple[Result, ...]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A step, or the plan, has failed and left nothing, nor have those beside it, unless COMMIT was on its way.  The
    copier has closed its connections."""

    object: str
    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: PgError, object_: str) -> Failed:
        """The record of an error at an object (`kind name`, or '')."""
        return cls(object_, error.sqlstate, error.message, error.detail, error.hint)


FromCopier = Connected | Prepared | Moved | Committing | Finished | Failed

_encoder = msgspec.json.Encoder()
_to_copier: msgspec.json.Decoder[ToCopier] = msgspec.json.Decoder(ToCopier)
_from_copier: msgspec.json.Decoder[FromCopier] = msgspec.json.Decoder(FromCopier)


def encode(record: ToCopier | FromCopier) -> bytes:
    """One line, newline included."""
    return _encoder.encode(record) + b"\n"


def decode_to_copier(line: bytes) -> ToCopier:
    """The record in a line from the job process."""
    return _to_copier.decode(line)


def decode_from_copier(line: bytes) -> FromCopier:
    """The record in a line from a copier."""
    return _from_copier.decode(line)
