"""Sends the cases of a corpus on one connection, and says what came back and what of it was not expected.

Knows the wire format, not who answers: it may be a proxy or a server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from proxy.wire.encodings import codec_of
from tests.harness.corpus.cases import NOT_CHECKED, Case
from tests.harness.wire import Client, bind, execute, message

LIMIT = 20.0
"""Seconds for the answer to one message.  The slowest takes less than one; a loaded machine may need several."""

Messages = list[tuple[bytes, bytes]]


@dataclass
class Seen:
    """The last result of a message, its error, and the transaction status after it."""

    rows: int = 0
    column: str | None = None
    type: int | None = None
    value: str | None = None
    tag: str | None = None
    error: dict[str, str] = field(default_factory=dict)
    status: str = ""
    actions: int = 0

    def __str__(self) -> str:
        value = "NULL" if self.rows and self.value is None else self.value
        shown = {"rows": self.rows, "col": self.column, "type": self.type, "val": value, "tag": self.tag,
                 "error": self.error.get("C"), "pos": self.error.get("P"), "message": self.error.get("M"),
                 "tx": self.status, "jobs": self.actions}  # fmt: skip
        return " ".join(f"{name}={value}" for name, value in shown.items() if value not in (None, ""))


CHECKS: dict[str, Callable[[Seen, Any], bool]] = {
    "rows=": lambda seen, value: seen.rows == value,
    "rows>=": lambda seen, value: seen.rows >= value,
    "col=": lambda seen, value: seen.column == value,
    "type=": lambda seen, value: seen.type == value,
    "val=": lambda seen, value: (seen.value if seen.value is not None else "NULL") == value,
    "error=": lambda seen, value: seen.error.get("C") == value,
    "pos=": lambda seen, value: seen.error.get("P") == str(value),
    "tag=": lambda seen, value: seen.tag == value,
    "tx=": lambda seen, value: seen.status == value,
    "jobs=": lambda seen, value: seen.actions == value,
}


class LostError(Exception):
    """The connection has ended, or did not answer in time; nothing more can be asked on it."""


class Talk:
    """One connection and what it says."""

    def __init__(self, port: int, user: str, database: str, limit: float = LIMIT) -> None:
        """LostError if there is no connection."""
        self._limit = limit
        try:
            self._client = Client("127.0.0.1", port, user, database)
        except OSError as error:
            raise LostError(f"no connection: {error}") from None
        self._codec = "utf-8"
        if self._client.closed:
            raise LostError("the connection was refused")

    def close(self) -> None:
        """Disconnect."""
        self._client.socket.close()

    def ask(self, case: Case) -> Messages:
        """Send the message of a case; all that comes back.  LostError if not all of it comes."""
        self._client.send(self._message(case))
        until, said = time.monotonic() + self._limit, Messages()
        while not said or said[-1][0] != b"Z":
            said.append(self._receive(until))
            if said[-1][0] == b"G":  # there is nothing to be copied; the Sync sent before has been ignored
                self._client.send(message(b"c") + (message(b"S") if case.protocol == "ext" else b""))
        return said

    def seen(self, said: Messages) -> Seen:
        """What the messages mean; the client's encoding is taken from them, too."""
        seen, fresh = Seen(), True
        for kind, body in said:
            if fresh and kind in (b"T", b"D", b"H", b"C", b"n"):
                seen, fresh = Seen(error=seen.error), False
            self._note(seen, kind, body)
            fresh = fresh or kind == b"C"
        return seen

    def _receive(self, until: float) -> tuple[bytes, bytes]:
        self._client.socket.settimeout(max(until - time.monotonic(), 0.001))
        try:
            received = self._client.receive()
        except TimeoutError:
            raise LostError(f"no answer within {self._limit:g} seconds") from None
        if received is None:
            raise LostError("the connection was closed")
        return received

    def _message(self, case: Case) -> bytes:
        sql = case.sql.encode(self._codec)
        if case.protocol == "simple":
            return message(b"Q", sql + b"\0")
        values = [None if value is None else _text(value).encode(self._codec) for value in case.parameters]
        asked = message(b"P", b"\0" + sql + b"\0\0\0") + bind("", "", *values) + message(b"D", b"P\0")
        return asked + execute() + message(b"S")

    def _note(self, seen: Seen, kind: bytes, body: bytes) -> None:
        if kind == b"T":
            if int.from_bytes(body[:2], "big"):
                end = body.index(b"\0", 2)
                seen.column = self._decoded(body[2:end])
                seen.type = int.from_bytes(body[end + 7 : end + 11], "big")
        elif kind in (b"D", b"d"):
            if kind == b"D" and not seen.rows and body[:2] != b"\0\0":
                size = int.from_bytes(body[2:6], "big", signed=True)
                seen.value = None if size < 0 else self._decoded(body[6 : 6 + size])
            seen.rows += 1
        elif kind == b"C":
            seen.tag = body[:-1].decode()
        elif kind == b"E":
            seen.error = {part[:1].decode(): self._decoded(part[1:]) for part in body.split(b"\0") if part}
        elif kind == b"S" and body.startswith(b"client_encoding\0"):
            self._codec = codec_of(body.split(b"\0")[1].decode())
        elif kind == b"Z":
            seen.status = body.decode()

    def _decoded(self, data: bytes) -> str:
        return data.decode(self._codec, "replace")


def unmet(case: Case, seen: Seen) -> list[str]:
    """What of the expectations does not hold, in words; [] if all do."""
    checked = [(what, value) for what, value in case.expectations if what not in NOT_CHECKED]
    wrong = [f"{what}{value}" for what, value in checked if not CHECKS[what](seen, value)]
    if seen.error and not any(what == "error=" for what, _ in case.expectations):
        wrong.append("no error")
    return wrong


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
