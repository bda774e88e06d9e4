"""What a stub on the server says to the proxy, and what it is replied.

Anyone who can run SQL can say the same, so everything is checked.  Pure: messages are `interception.call_backs`, the
stub's side is proxy/stubs/*.sql.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.characters import Codecs, representable
from proxy.calls.narration import Remark
from proxy.calls.recording import PYTHON_TYPES
from proxy.calls.signatures import FUNCTIONS, Argument, Call

SQLSTATE = "PGCAL"
"""Of the messages of severity INFO in which stubs speak."""

FIRST_OID, LAST_OID = 16384, 2**32 - 1  # numbers below are the server's own objects


Reply = dict[str, Any]
"""What a stub is replied, as JSON has it."""


class Word(NamedTuple):
    """What a stub has said: that it wants to call, or what it calls."""

    number: int
    """The large object in which it looks for the reply."""
    secret: str = ""
    function: str = ""
    arguments: Mapping[str, Any] = {}


def read(datatype: bytes) -> Word | None:
    """The word in the data type field of a message; None for what is none, or says only that a stub is still there."""
    try:
        said = json.loads(b64decode(datatype))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or type(said.get("number")) is not int:
        return None
    word = Word(said["number"], said.get("secret", ""), said.get("function", ""), said.get("arguments", {}))
    types = (isinstance(word.secret, str), isinstance(word.function, str), isinstance(word.arguments, dict))
    return word if FIRST_OID <= word.number <= LAST_OID and all(types) else None


def called(word: Word) -> Call:
    """The call.  PgError 42883 if there is no such function."""
    for signature in FUNCTIONS:
        if signature.name == word.function and {a.name for a in signature.arguments} == word.arguments.keys():
            if not all(_fits(word.arguments[a.name], a, signature.strict) for a in signature.arguments):
                break
            return Call(signature, dict(word.arguments), "", 0)
    raise refusals.stub_of_another_version(word.function)


def _fits(value: Any, argument: Argument, strict: bool) -> bool:
    return (value is None and not strict) or type(value) is PYTHON_TYPES[argument.type]


def looked_up(call: Call, snapshot: Mapping[str, Any], *, lenient: bool) -> Any:
    """What a reading function gives: its section of the snapshot, or the member for its one argument.

    PgError P0002 for a job that is not there, or None if `lenient`.
    """
    section = snapshot[call.signature.section]
    if not call.arguments:
        return section
    (job_id,) = call.arguments.values()
    if str(job_id) not in section and not lenient:
        raise refusals.unknown_job(job_id)
    return section.get(str(job_id))


def value_reply(value: Any, remarks: Sequence[Remark] = ()) -> Reply:
    """The reply to a call that was answered: a value, or rows as objects; and what the stub raises beside it.

    Without what is said of single objects, of which there may be any number.
    """
    raised = [remark._asdict() for remark in remarks if remark.severity != "DEBUG1"]
    return {"value": value, "remarks": [{n: text.replace("\0", "") for n, text in each.items()} for each in raised]}


def error_reply(error: PgError) -> Reply:
    """The reply to a call that was refused."""
    fields = {"sqlstate": error.sqlstate, "message": error.message, "detail": error.detail, "hint": error.hint}
    # jsonb cannot hold a NUL.
    return {"error": {name: text.replace("\0", "") for name, text in fields.items()}}


def encoded(reply: Reply, codecs: Codecs) -> bytes:
    """The reply as the stub reads it, in characters that the codecs have: the server refuses JSON with others."""
    return json.dumps(representable(reply, codecs)).encode()
