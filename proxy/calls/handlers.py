"""What the functions that do something answer, through the job manager; those that read are answered by `snapshot`.

Between a statement and the engine: it knows neither SQL text nor bytes.  A new function is a row in
`signatures.FUNCTIONS` and, for an action, a method here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from clone_engine.asking.arguments import build_request
from clone_engine.asking.source import read_source
from clone_engine.jobs.manager import Caller, Manager
from clone_engine.jobs.verdicts import failure
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job
from clone_engine.records.report import object_rows
from clone_engine.records.request import Kind
from clone_engine.servers.verify import verify
from proxy.auth import Credentials
from proxy.calls.narration import Narrator, Remark, Tell, nothing
from proxy.calls.signatures import Call
from proxy.sources.access import SourceAccess

T = TypeVar("T")


Value = int | str | list[dict[str, Any]]
"""What an action returns; a list holds the rows of a set-returning function, by column."""


class Actions(Protocol):
    """What performs the calls of a session."""

    def foresee(self, caller: Caller, calls: Iterable[Call]) -> None:
        """These calls of one function are about to be performed, one after another.

        Jobs that they cancel are all asked to stop at once: no one of them is to start because another has ended.
        """

    async def perform(self, caller: Caller, call: Call, tell: Tell = nothing) -> Value:
        """Do what a recorded call asks; what it returns.  `tell` is given the messages that go with it, in order.

        PgError if it is refused; then nothing has been started.  When whoever waits for a clone is cancelled, so is
        the clone.
        """


class Handlers:
    """Performs calls on behalf of a caller (Actions).  `clock` returns seconds; only differences count."""

    def __init__(
        self,
        manager: Manager,
        credentials: Credentials,
        sources: SourceAccess,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manager = manager
        self._credentials = credentials
        self._sources = sources
        self._clock = clock
        self._under_way: set[asyncio.Task[Any]] = set()
        self._actions: Mapping[str, Callable[[Caller, dict[str, Any], Tell], Awaitable[Value]]] = {
            "table": partial(self._clone, "table"),
            "table_ex": partial(self._clone, "table"),
            "schema": partial(self._clone, "schema"),
            "schema_ex": partial(self._clone, "schema"),
            "functions": partial(self._clone, "functions"),
            "database": partial(self._clone, "database"),
            "database_create": partial(self._clone, "database_create"),
            "table_async": partial(self._start, "table"),
            "schema_async": partial(self._start, "schema"),
            "cancel": self._cancel,
            "resume": self._resume,
            "clear_jobs": self._clear_jobs,
            "verify": self._verify,
            "job_objects": self._job_objects,
        }

    def __repr__(self) -> str:
        return f"<Handlers of {self._manager!r}>"

    def foresee(self, caller: Caller, calls: Iterable[Call]) -> None:
        with suppress(PgError):  # of a job that does not exist: those behind it are not to be cancelled
            for call in calls:
                if call.signature.name == "cancel":
                    self._manager.begin_cancel(caller, call.arguments["job_id"])

    async def perform(self, caller: Caller, call: Call, tell: Tell = nothing) -> Value:
        return await self._actions[call.signature.name](caller, call.arguments, tell)

    async def _start(self, kind: Kind, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        job = await asyncio.shield(await self._submit(kind, caller, arguments))
        return job.job_id

    async def _clone(self, kind: Kind, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        """Start a job and wait for its end.  When whoever waits is cancelled, the job is."""
        submitting = await self._submit(kind, caller, arguments, waits=True)
        try:
            submitted = await asyncio.shield(submitting)
            narrator = Narrator(submitted, tell, self._clock)
            job = await self._manager.wait(submitted.job_id, narrator.hear)
        except asyncio.CancelledError:
            if not self._manager.stopping:  # else the job is interrupted, and its record says so
                await self._to_its_end(self._stop(caller, submitting))
            raise
        if job.status != "completed":
            raise failure(job)
        narrator.completed()
        return "OK"

    async def _submit(
        self, kind: Kind, caller: Caller, arguments: dict[str, Any], waits: bool = False
    ) -> asyncio.Task[Job]:
        """The manager's work of accepting a job, once there is nothing that the call could be refused for."""
        request = build_request(kind, arguments)
        source = read_source(arguments["source_conninfo"], caller.role)
        target = await self._credentials.login(caller)
        reached = await self._sources.reached(caller, source, target)
        return self._kept(self._manager.submit(caller, request, source, target, waits, reached))

    async def _stop(self, caller: Caller, submitting: asyncio.Task[Job]) -> None:
        """Cancel the job that is being submitted, and wait for its end.  Nothing happens if it is not accepted."""
        with suppress(PgError):
            await self._manager.cancel(caller, (await submitting).job_id)

    async def _cancel(self, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        return await self._to_its_end(self._manager.cancel(caller, arguments["job_id"]))

    async def _resume(self, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        source = self._manager.source_to_resume(caller, arguments["job_id"])  # before a login is tried
        target = await self._credentials.login(caller)
        reached = await self._sources.reached(caller, source, target)
        return await self._to_its_end(self._manager.resume(caller, arguments["job_id"], target, reached))

    async def _clear_jobs(self, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        cleared = await self._to_its_end(self._manager.clear(caller))
        tell(Remark("NOTICE", f"pgclone: cleared {cleared} finished job slots"))
        return cleared

    async def _verify(self, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        source = read_source(arguments["source_conninfo"], caller.role)
        target = await self._credentials.login(caller)
        rows = await verify(await self._sources.reached(caller, source, target), target, arguments.get("schema_name"))
        return [row._asdict() for row in rows]

    async def _job_objects(self, caller: Caller, arguments: dict[str, Any], tell: Tell) -> Value:
        outcomes = await self._manager.outcomes(caller, arguments["job_id"])
        job = self._manager.find(caller, arguments["job_id"])
        # In a thread: of ten thousand tables it takes a while, and the other sessions need not wait for it.
        return await asyncio.to_thread(object_rows, job, outcomes)

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what the manager does.  A client that leaves does not stop it half way, memory and store
        telling two stories."""
        return await asyncio.shield(self._kept(work))

    def _kept(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that goes on whoever leaves."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that a refusal that nobody waits for any more is not called a defect
