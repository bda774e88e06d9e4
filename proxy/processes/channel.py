"""What the first process and a serving process say to each other, as JSON; both run the same program.

Pure: encode and decode only.  Passwords are in Begin, Configure, Foresee and Perform, which is why these travel between
a pair of sockets that nobody else has, and are never logged.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from proxy.calls.handlers import Value
from proxy.calls.narration import Remark
from proxy.calls.signatures import FUNCTIONS, Call
from proxy.config import Settings
from proxy.limits import Guest


class Asked(msgspec.Struct, frozen=True):
    """A call, without what only its statement needs to know."""

    function: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Asked {self.function}>"  # arguments may have a password

    @classmethod
    def of(cls, call: Call) -> Asked:
        return cls(call.signature.name, call.arguments)

    @property
    def call(self) -> Call:
        """The call again.  ValueError if no function has this name and so many arguments."""
        for signature in FUNCTIONS:
            if signature.name == self.function and len(signature.arguments) == len(self.arguments):
                return Call(signature, self.arguments, "", 0)
        raise ValueError(f"no function {self.function} with {len(self.arguments)} arguments")


# To a serving process.


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first message: all it needs.  Nothing else reaches it (no argv, no file).  The records of all jobs follow."""

    place: int
    """Its number among the serving processes, for logs."""
    settings: Settings
    edition: int
    """How many settings there were before these."""


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """Go by other settings from now on."""

    settings: Settings
    edition: int


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """A record of a job, new or in the place of an earlier one."""

    job: Job


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten"):
    """A job whose record is gone."""

    job_id: int


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """Answer with the number, which says that all before it was taken."""

    number: int


class Told(msgspec.Struct, frozen=True, tag="told"):
    """A remark that goes with an action that is being performed."""

    number: int
    remark: Remark


class Returned(msgspec.Struct, frozen=True, tag="returned"):
    """What an action returns."""

    number: int
    value: Value


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The error of an action."""

    number: int
    sqlstate: str
    message: str
    detail: str
    hint: str

    @classmethod
    def by(cls, number: int, error: PgError) -> Refused:
        return cls(number, error.sqlstate, error.message, error.detail, error.hint)

    @property
    def error(self) -> PgError:
        """The error again."""
        return PgError(self.sqlstate, self.message, detail=self.detail, hint=self.hint)


class Entered(msgspec.Struct, frozen=True, tag="entered"):
    """The answer to Enter."""

    number: int
    refused: Refused | None


class Stopped(msgspec.Struct, frozen=True, tag="stopped"):
    """An action was stopped, as was asked."""

    number: int


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Let nobody in any more; the sessions go on."""


class End(msgspec.Struct, frozen=True, tag="end"):
    """End the sessions, and then the process."""


# From a serving process.


class Load(msgspec.Struct, frozen=True, tag="load"):
    """How many connections it has taken so far, and how many of them are open."""

    taken: int
    open: int


class Enter(msgspec.Struct, frozen=True, tag="enter"):
    """May this client be let in?  Entered answers."""

    number: int
    """Of its connection."""
    guest: Guest


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """The client of a connection is there no more."""

    number: int


class Foresee(msgspec.Struct, frozen=True, tag="foresee"):
    """As `calls.handlers.Actions` has it."""

    edition: int
    """Of the settings that counted when the session began."""
    caller: Caller
    calls: tuple[Asked, ...]


class Perform(msgspec.Struct, frozen=True, tag="perform"):
    """Perform an action: Told any number of times, then Returned, Refused or Stopped answers."""

    number: int
    edition: int
    caller: Caller
    asked: Asked


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Nobody waits for this action any more."""

    number: int


class Marked(msgspec.Struct, frozen=True, tag="marked"):
    """The answer to Mark."""

    number: int


# Both ways.


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Do what a CancelRequest asks, if a session of yours has its key; to the first process: find whose it is."""

    number: int
    packet: bytes


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled"):
    """The answer to Cancel: whether a session has the key; what it asks for is done then."""

    number: int
    found: bool


ToServing = (
    Begin
    | Configure
    | Shown
    | Forgotten
    | Mark
    | Told
    | Returned
    | Refused
    | Stopped
    | Entered
    | Cancel
    | Cancelled
    | Close
    | End
)
FromServing = Load | Enter | Leave | Foresee | Perform | Stop | Marked | Cancel | Cancelled


def encode(message: ToServing | FromServing) -> bytes:
    """The message as JSON.  Not by msgspec's own encoder: names that are not UTF-8 hold lone surrogates, which JSON can
    escape and UTF-8 cannot hold."""
    return json.dumps(msgspec.to_builtins(message)).encode()


def decode_to_serving(data: bytes) -> ToServing:
    """The message of the first process; ValueError for anything else."""
    return msgspec.convert(json.loads(data), ToServing)  # type: ignore[no-any-return]  # a union is no type to mypy


def decode_from_serving(data: bytes) -> FromServing:
    """The message of a serving process; ValueError for anything else."""
    return msgspec.convert(json.loads(data), FromServing)  # type: ignore[no-any-return]  # as above
