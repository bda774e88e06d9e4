"""Runs files of client messages with the behaviour expected of the proxy (tests/corpus; the format stands there).

The proxy is a real one, on sockets of its own in a thread, in front of a real server; only its job manager is a
second, recording one: it holds jobs 7 and 8, starts nothing, and counts what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from clone_engine.errors import PgError
from clone_engine.jobs import Job
from clone_engine.manager import Caller
from clone_engine.request import CloneRequest, Conninfo
from proxy.calls.handlers import Answer, Handlers
from proxy.calls.signatures import Call
from proxy.config import ServerSettings
from proxy.embedded import SUPERUSER, free_port
from proxy.interception.interceptor import SqlInterceptor
from proxy.server import Server
from proxy.session import Session
from proxy.upstream import parse_target
from tests.harness.wire import Client, bind, execute, message

CODECS = {"UTF8": "utf-8", "LATIN1": "latin-1", "SJIS": "shift_jis"}


@dataclass(frozen=True)
class Case:
    """One message of a corpus file."""

    name: str
    protocol: str
    """simple or ext."""
    parameters: tuple[Any, ...]
    expectations: tuple[tuple[str, str], ...]
    """(what, value), with `_S_` replaced by a blank: ('rows=', '1')."""
    sql: str

    @property
    def group(self) -> str:
        """Cases of one group run in order in one session."""
        return self.name.partition(".")[0]


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


CHECKS = {
    "rows=": lambda seen, value: seen.rows == int(value),
    "rows>=": lambda seen, value: seen.rows >= int(value),
    "col=": lambda seen, value: seen.column == value,
    "type=": lambda seen, value: seen.type == int(value),
    "val=": lambda seen, value: (seen.value if seen.value is not None else "NULL") == value,
    "error=": lambda seen, value: seen.error.get("C") == value,
    "pos=": lambda seen, value: seen.error.get("P") == value,
    "tag=": lambda seen, value: seen.tag == value,
    "tx=": lambda seen, value: seen.status == value,
    "jobs=": lambda seen, value: seen.actions == int(value),
}


def read(path: Path) -> list[Case]:
    """The cases of a corpus file, in order; those for both protocols come twice."""
    cases: list[Case] = []
    for block in re.split(r"^--@ ", _without_comments(path.read_text(encoding="utf-8")), flags=re.M)[1:]:
        header, _, sql = block.partition("\n")
        name, protocol, expected, _ = (part.strip() for part in header.split("|", 3))
        kind, _, parameters = protocol.partition(" ")
        for each in ("simple", "ext") if kind == "both" else (kind,):
            values = tuple(json.loads(parameters or "[]"))
            cases.append(Case(name, each, values, _expectations(expected), sql.removesuffix("\n")))
    return cases


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--#")).rstrip("\n") + "\n"


def _expectations(text: str) -> tuple[tuple[str, str], ...]:
    found = [re.match(r"(\w+>?=)(.*)", word) for word in text.split()]
    pairs = [(match[1], match[2].replace("_S_", " ")) for match in found if match]
    if not any(what == "jobs=" for what, _ in pairs):
        pairs.append(("jobs=", "0"))
    return tuple(pairs)


def failures(case: Case, seen: Seen) -> list[str]:
    """What of the expectations does not hold, in words; [] if all do."""
    wrong = [f"{what}{value}" for what, value in case.expectations if not CHECKS[what](seen, value)]
    if seen.error and not any(what == "error=" for what, _ in case.expectations):
        wrong.append("no error")
    return [f"{case.name} ({case.protocol}): expected {', '.join(wrong)}; got {seen}"] if wrong else []


def run(case: Case, client: Client, codec: str, recorder: Recorder) -> Seen:
    """Send the case's message, and say what came back."""
    before = len(recorder.calls)
    client.send(_message(case, codec))
    seen = Seen()
    fresh = True
    for kind, body in client.until_ready():
        if fresh and kind in (b"T", b"D", b"H", b"C", b"n"):
            seen = Seen(error=seen.error)
            fresh = False
        _note(seen, kind, body, codec)
        fresh = fresh or kind == b"C"
    seen.actions = len(recorder.calls) - before
    return seen


def _message(case: Case, codec: str) -> bytes:
    sql = case.sql.encode(codec)
    if case.protocol == "simple":
        return message(b"Q", sql + b"\0")
    values = [None if value is None else str(value).encode(codec) for value in case.parameters]
    asked = message(b"P", b"\0" + sql + b"\0\0\0") + bind("", "", *values) + message(b"D", b"P\0")
    return asked + execute() + message(b"S")


def _note(seen: Seen, kind: bytes, body: bytes, codec: str) -> None:
    if kind == b"T":
        if int.from_bytes(body[:2], "big"):
            end = body.index(b"\0", 2)
            seen.column = body[2:end].decode(codec)
            seen.type = int.from_bytes(body[end + 7 : end + 11], "big")
    elif kind in (b"D", b"d"):
        if kind == b"D" and not seen.rows and body[:2] != b"\0\0":
            size = int.from_bytes(body[2:6], "big", signed=True)
            seen.value = None if size < 0 else body[6 : 6 + size].decode(codec)
        seen.rows += 1
    elif kind == b"C":
        seen.tag = body[:-1].decode()
    elif kind == b"E":
        seen.error = {part[:1].decode(): part[1:].decode(codec, "replace") for part in body.split(b"\0") if part}
    elif kind == b"Z":
        seen.status = body.decode()


class TwoJobs:
    """A job manager of two jobs."""

    def __init__(self) -> None:
        now = time.time()
        running = Job(7, SUPERUSER, "postgres", CloneRequest("schema", "sales"), Conninfo({}), status="pending")
        running = running.to("running", started_at=now - 60)
        other = msgspec.structs.replace(running, job_id=8, request=CloneRequest("table", "hr", "emp"))
        self.jobs = [running, other.to("completed", ended_at=now - 5)]

    def visible(self, caller: Caller) -> list[Job]:
        """Both jobs, whoever asks."""
        return self.jobs


class Recorder(Handlers):
    """Handlers that start nothing: every action is noted, and refused where its source conninfo is 'bad'."""

    def __init__(self) -> None:
        super().__init__(TwoJobs(), None, Conninfo({}), "test")  # type: ignore[arg-type]  # all that is asked
        self.calls: list[Call] = []

    async def perform(self, caller: Caller, call: Call) -> Answer:
        """Note the call."""
        self.calls.append(call)
        if call.arguments.get("source_conninfo") == "bad":
            raise PgError("08001", "pgclone: could not connect to source", hint="This one never can.")
        return Answer(100 + len(self.calls) if call.signature.returns == "integer" else "cancelled")


@contextmanager
def recording_proxy(target: str) -> Iterator[tuple[int, Recorder]]:
    """A proxy in front of `target`; its port, and what was asked of its job manager."""
    port, recorder = free_port(), Recorder()
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    def intercept(session: Session) -> SqlInterceptor:
        return SqlInterceptor(session, recorder, frozenset())

    async def serve() -> None:
        server = Server(ServerSettings(listen_port=port, unix_socket_dir=""), parse_target(target, 10), intercept)
        await server.start()
        loops.append(asyncio.get_running_loop())
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield port, recorder
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
