"""What stubs say, which anyone can say."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.call_backs import Word, called, encoded, error_reply, looked_up, read, value_reply
from proxy.calls.narration import Remark

N = 70000


def said(message: Any) -> bytes:
    return b64encode(json.dumps(message).encode())


def test_a_wish_and_a_call_are_read() -> None:
    assert read(said({"number": N})) == Word(N)
    full = {"number": N, "secret": "ab", "function": "progress", "arguments": {"job_id": 1}}
    assert read(said(full)) == Word(N, "ab", "progress", {"job_id": 1})


@pytest.mark.parametrize(
    "detail",
    [
        b"", b"no base64!", b64encode(b"no JSON"), b64encode(b"\xff"), said([]), said({}), said("x"),
        said({"number": "1"}),
        said({"number": True}), said({"number": 1}), said({"number": 2**32}), said({"number": N, "secret": 1}),
        said({"number": N, "function": []}), said({"number": N, "arguments": []}), b64encode(b"[" * 100_000),
    ],
)  # fmt: skip
def test_anything_else_is_no_word(detail: bytes) -> None:
    assert read(detail) is None


def call_of(function: str, **arguments: Any) -> Any:
    return called(Word(N, "ab", function, arguments))


def test_a_call_is_checked_against_the_table() -> None:
    call = call_of("schema_async", source_conninfo="c", schema_name="s", include_data=True, options=None)
    assert (call.signature.name, call.arguments["options"]) == ("schema_async", None)
    assert call_of("version").signature.flat == "pgclone_version"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("nosuch", {}), ("jobs_view", {}), ("version", {"a": 1}), ("progress", {}), ("progress", {"job_id": "1"}),
        ("progress", {"job_id": True}), ("progress", {"job_id": None}), ("progress", {"job": 1}),
        ("schema_async", {"source_conninfo": "c", "schema_name": "s", "include_data": "true", "options": None}),
    ],
)  # fmt: skip
def test_what_is_not_in_the_table_is_refused(function: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(PgError) as refused:
        call_of(function, **arguments)
    assert refused.value.sqlstate == "42883"
    assert "install-stubs" in refused.value.hint


def test_reads_are_looked_up_in_the_snapshot() -> None:
    snapshot = {"p": {"7": "seven"}, "v": "pgclone 1"}
    assert looked_up(call_of("version"), snapshot, lenient=False) == "pgclone 1"
    assert looked_up(call_of("progress", job_id=7), snapshot, lenient=False) == "seven"
    assert looked_up(call_of("progress", job_id=8), snapshot, lenient=True) is None
    with pytest.raises(PgError, match="job 8 not found"):
        looked_up(call_of("progress", job_id=8), snapshot, lenient=False)


def test_replies_are_ascii_and_without_nul() -> None:
    said = Remark("WARNING", "n", "01000")
    reply = encoded(value_reply("█", [said, Remark("DEBUG1", "of an object")]), frozenset())
    assert json.loads(reply.decode("ascii")) == {"value": "█", "remarks": [said._asdict()]}
    assert json.loads(encoded(value_reply([{"a": "█ä€"}]), frozenset({"iso8859-1"})))["value"] == [{"a": "#ä?"}]
    reply = encoded(error_reply(PgError("22023", "a\0b", detail="ä")), frozenset())
    assert json.loads(reply.decode("ascii")) == {
        "error": {"sqlstate": "22023", "message": "ab", "detail": "ä", "hint": ""}
    }
