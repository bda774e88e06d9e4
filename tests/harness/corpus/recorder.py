"""A real proxy in front of a real server, with a second, recording job manager behind it.

The proxy listens on a socket of its own and runs in a thread.  Its job manager holds jobs 7 and 8, which never change,
starts nothing, and counts what it was asked; so an answer depends on the statement alone.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import uvloop

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from clone_engine.records.request import CloneRequest, Conninfo
from proxy.calls.handlers import Value
from proxy.calls.narration import Tell, nothing
from proxy.calls.roles import Roles
from proxy.calls.signatures import FUNCTIONS, Call, Signature
from proxy.calls.snapshot import Snapshots
from proxy.config import AuthSettings, LimitSettings, LogSettings, ServerSettings
from proxy.embedded import SUPERUSER
from proxy.interception.interceptor import SqlInterceptor
from proxy.interception.mailbox import Mailboxes
from proxy.login.modes import login_method
from proxy.server import ForSessions, Server
from proxy.session import Session
from proxy.tls.offer import Offer
from proxy.upstream import parse_target

FIRST_JOB = 101
"""The number of the first job that is asked for."""


class TwoJobs:
    """A job manager of two jobs, as they are at a moment."""

    def __init__(self, now: float) -> None:
        running = Job(7, SUPERUSER, "postgres", CloneRequest("schema", "sales"), Conninfo({}), status="pending")
        running = running.to("running", started_at=now - 60)
        other = msgspec.structs.replace(running, job_id=8, request=CloneRequest("table", "hr", "emp"))
        self.jobs = [running, other.to("completed", ended_at=now - 5)]
        self.version = 0


class Recorder:
    """For which time stands still and that starts nothing: every action is noted, and refused where its source conninfo
    is 'bad' (calls.handlers.Actions)."""

    def __init__(self, now: float) -> None:
        self.calls: list[Call] = []
        self._snapshots = Snapshots(TwoJobs(now), "test", lambda: now)

    def intercept(self, session: Session) -> SqlInterceptor:
        """Who answers statements of ours on a session, with this behind it."""
        return SqlInterceptor(session, self._snapshots, self, Roles, Mailboxes(_no_login))

    def whole(self) -> dict[str, Any]:
        """All sections of the snapshot, as values."""
        sections = frozenset(signature.section for signature in FUNCTIONS) - {""}
        texts = self._snapshots.sections(Caller(SUPERUSER, "postgres"), sections)
        return {section: json.loads(text) for section, text in texts.items()}

    def foresee(self, caller: Caller, calls: Iterable[Call]) -> None:
        """Nothing: each is noted when it is performed."""

    async def perform(self, caller: Caller, call: Call, tell: Tell = nothing) -> Value:
        """Note the call."""
        self.calls.append(call)
        if call.arguments.get("source_conninfo") == "bad":
            raise PgError("08001", "pgclone: could not connect to source", hint="This one never can.")
        if call.signature.columns:
            return [one_row(call.signature)]
        return FIRST_JOB - 1 + len(self.calls) if call.signature.returns == "integer" else "OK"


def one_row(signature: Signature) -> dict[str, Any]:
    """What stands for the rows of a set-returning function that is not performed."""
    return {name: 1 if type_ == "bigint" else name for name, type_ in signature.columns}


async def _no_login(caller: Caller) -> Conninfo:
    raise PgError("28000", f'role "{caller.role}" has no way to log in')


@contextmanager
def recording_proxy(target: str, now: float) -> Iterator[tuple[int, Recorder]]:
    """A proxy in front of `target`, at the moment `now` for ever; its port, and what was asked of its job manager."""
    recorder = Recorder(now)
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    ports: list[int] = []

    async def serve() -> None:
        settings, login = ServerSettings(listen_port=0, unix_socket_dir=""), login_method(AuthSettings(), {})
        for_sessions = ForSessions(
            settings, LimitSettings(), LogSettings(), parse_target(target, 10), Offer(), login, recorder.intercept
        )
        server = Server(for_sessions)
        await server.start()
        loops.append(asyncio.get_running_loop())
        ports.append(server.port)
        started.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield ports[0], recorder
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
