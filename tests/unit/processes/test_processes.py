"""Several processes, joined in memory: what is sent arrives, and actions that are far away do what near ones do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec
import pytest

from clone_engine.jobs.manager import Caller
from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Job, Progress, Worker
from clone_engine.records.request import CloneRequest, Conninfo, Options
from proxy.calls.handlers import Value
from proxy.calls.names import functions
from proxy.calls.narration import Remark, Tell, nothing
from proxy.calls.signatures import Call
from proxy.config import JobSettings, LimitSettings, ServerSettings, Settings
from proxy.processes.channel import (
    Asked,
    Begin,
    Cancel,
    Cancelled,
    Close,
    Configure,
    Foresee,
    FromServing,
    Load,
    Mark,
    Marked,
    Perform,
    Refused,
    Returned,
    Shown,
    Stop,
    Told,
    ToServing,
    decode_from_serving,
    decode_to_serving,
    encode,
)
from proxy.processes.desk import Desk
from proxy.processes.editions import Editions
from proxy.processes.mirror import Mirror
from proxy.processes.remote import RemoteActions

NOT_UTF8 = b"caf\xe9".decode("utf-8", "surrogateescape")
CALLER = Caller(
    NOT_UTF8,
    "app",
    admin=True,
    backend=-7,
    member_of=frozenset({"a", "b"}),
    server={"host": "h"},
    credential=Conninfo({"password": "S3cret"}),
)
CANCEL = Call(functions(None, "pgclone_cancel")[0], {"job_id": 1}, "key", 3)
JOB = Job(
    7, "alice", "app", CloneRequest("schema", "s", options=Options(columns=("a",), conditions={"t": "x > 1"})),
    Conninfo({"host": "h"}), status="running", progress=Progress("copying data", workers=(Worker("x", "s", "t"),)),
    started_at=1.5,
)  # fmt: skip
SETTINGS = Settings(ServerSettings(target="password=secret", processes=3), JobSettings(admin_roles=("dba", "é")))

OTHER = msgspec.structs.replace(SETTINGS, server=ServerSettings(target="port=1"))

TO_SERVING: list[ToServing] = [
    Begin(2, SETTINGS, 0),
    Configure(SETTINGS, 1),
    Close(),
    Shown(JOB),
    Mark(3),
    Told(4, Remark("WARNING", "line\nbreak", "01000", "hint")),
    Returned(5, "OK"),
    Returned(6, 2**40),
    Returned(7, [{"table_name": NOT_UTF8, "source_rows": 1, "match": None}]),
    Refused.by(8, PgError("42P01", "message", detail="detail", hint="hint")),
    Cancel(9, bytes(range(256))),
]
FROM_SERVING: list[FromServing] = [
    Load(9, 4),
    Foresee(1, CALLER, (Asked.of(CANCEL), Asked.of(CANCEL))),
    Perform(1, 0, CALLER, Asked("verify", {"source_conninfo": "\ud800 password='x y'", "schema_name": None})),
    Stop(1),
    Marked(3),
    Cancelled(4, found=True),
]


@pytest.mark.parametrize("message", TO_SERVING, ids=lambda message: type(message).__name__)
def test_what_the_first_process_says_arrives(message: ToServing) -> None:
    assert decode_to_serving(encode(message)) == message


@pytest.mark.parametrize("message", FROM_SERVING, ids=lambda message: type(message).__name__)
def test_what_a_serving_process_says_arrives(message: FromServing) -> None:
    assert decode_from_serving(encode(message)) == message


def test_the_first_process_does_not_take_its_own_messages() -> None:
    with pytest.raises(ValueError, match="end"):
        decode_from_serving(encode(decode_to_serving(b'{"type": "end"}')))


@pytest.mark.parametrize("name", ["pgclone_verify", "pgclone_schema", "pgclone_clear_jobs"])
def test_a_call_keeps_its_signature(name: str) -> None:
    for signature in functions(None, name):
        arguments = {argument.name: None for argument in signature.arguments}
        assert Asked.of(Call(signature, arguments, "key", 1)).call == Call(signature, arguments, "", 0)


def test_a_mirror_shows_what_it_was_told_last_in_the_order_of_numbers() -> None:
    mirror = Mirror()
    first, second = JOB, msgspec.structs.replace(JOB, job_id=8)
    versions = [mirror.version]
    for change in (lambda: mirror.show(first), lambda: mirror.show(second)):
        change()
        versions.append(mirror.version)
    done = first.to("completed", ended_at=2.0)
    mirror.show(done)
    assert list(mirror.jobs) == [done, second]
    mirror.forget(7)
    assert list(mirror.jobs) == [second]
    assert len(set(versions)) == len(versions)


def test_a_reload_that_changes_nothing_for_open_sessions_makes_no_edition() -> None:
    editions = Editions()
    first, second = Scripted(refuse), Scripted(fail)
    limits = msgspec.structs.replace(SETTINGS, limits=LimitSettings(5))
    numbers = [editions.add(settings, first) for settings in (SETTINGS, limits)]
    assert [*numbers, editions.add(OTHER, second), editions.add(SETTINGS, Scripted(fail))] == [0, 0, 1, 0]
    assert (editions[0], editions[1]) == (first, second)
    assert repr(editions) == "<2 Editions>"


Script = Callable[[Tell], Awaitable[Value]]


class Scripted:
    """Actions that a script performs, and what was foreseen."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.foreseen: list[tuple[Caller, list[Call]]] = []

    def foresee(self, caller: Caller, calls: Iterable[Call]) -> None:
        self.foreseen.append((caller, list(calls)))

    async def perform(self, caller: Caller, call: Call, tell: Tell = nothing) -> Value:
        return await self.script(tell)


class Pair:
    """A serving process' actions, and the first process' desk, joined in memory."""

    def __init__(self, script: Script) -> None:
        self.near = Scripted(script)
        self.editions = Editions()
        self.editions.add(SETTINGS, self.near)
        self.settled = asyncio.Event()
        self.settled.set()
        self.remote = RemoteActions(lambda message: self._to_desk(encode(message)), 0)
        self.desk = Desk(self.editions, lambda message: self._back(encode(message)), self._settle)

    async def _settle(self) -> None:
        await self.settled.wait()

    def _to_desk(self, data: bytes) -> None:
        message = decode_from_serving(data)
        assert isinstance(message, Foresee | Perform | Stop)
        self.desk.take(message)

    def _back(self, data: bytes) -> None:
        message = decode_to_serving(data)
        assert not isinstance(message, Begin | Shown | Mark | Cancel | Cancelled)
        self.remote.answered(message)  # type: ignore[arg-type]  # what is left are answers


async def refuse(tell: Tell) -> Value:
    raise PgError("P0002", "pgclone: job 1 not found", detail="d", hint="h")


async def fail(tell: Tell) -> Value:
    raise RuntimeError("secret")


async def for_ever(tell: Tell) -> Value:
    tell(Remark("NOTICE", "begun"))
    await asyncio.Event().wait()
    return "never"


async def finish_all_the_same(tell: Tell) -> Value:
    try:
        return await for_ever(tell)
    except asyncio.CancelledError:
        return "done"


async def remark(tell: Tell) -> Value:
    tell(Remark("NOTICE", "one"))
    tell(Remark("DEBUG1", "two"))
    return 101


async def test_values_and_remarks_come_back_in_order() -> None:
    pair, heard = Pair(remark), list[Remark]()
    assert await pair.remote.perform(CALLER, CANCEL, heard.append) == 101
    assert [each.text for each in heard] == ["one", "two"]


async def test_what_is_foreseen_is_foreseen_over_there() -> None:
    pair = Pair(remark)
    pair.remote.foresee(CALLER, [CANCEL])
    assert pair.near.foreseen == [(CALLER, [CANCEL._replace(key="", site=0)])]


async def test_a_refusal_comes_back_whole() -> None:
    with pytest.raises(PgError) as refused:
        await Pair(refuse).remote.perform(CALLER, CANCEL)
    error = refused.value
    assert (error.sqlstate, error.message, error.detail, error.hint) == ("P0002", "pgclone: job 1 not found", "d", "h")


async def test_a_defect_is_an_error_that_tells_nothing_else() -> None:
    with pytest.raises(PgError) as refused:
        await Pair(fail).remote.perform(CALLER, CANCEL)
    assert (refused.value.sqlstate, refused.value.message) == (
        "XX000",
        "pgclone: internal error of the proxy: RuntimeError",
    )


async def begun(pair: Pair) -> asyncio.Task[Value]:
    """A call, once it is being performed."""
    heard = asyncio.Event()
    task = asyncio.create_task(pair.remote.perform(CALLER, CANCEL, lambda _: heard.set()))
    await asyncio.wait_for(heard.wait(), 5)
    return task


async def test_who_waits_no_more_has_the_action_stopped() -> None:
    pair = Pair(for_ever)
    task = await begun(pair)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
    assert repr(pair.desk) == "<Desk, 0 actions under way>"
    assert repr(pair.remote) == "<RemoteActions, 0 under way>"


async def test_what_was_done_before_it_could_be_stopped_is_done() -> None:
    task = await begun(Pair(finish_all_the_same))
    task.cancel()
    assert await asyncio.wait_for(task, 5) == "done"


async def test_a_process_that_dies_stops_its_actions() -> None:
    pair = Pair(for_ever)
    task = await begun(pair)
    pair.desk.close()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


@pytest.mark.parametrize("script", [remark, refuse])
async def test_no_answer_is_given_before_all_know_what_was_changed(script: Script) -> None:
    pair = Pair(script)
    pair.settled.clear()
    task = asyncio.create_task(pair.remote.perform(CALLER, CANCEL))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    pair.settled.set()
    await asyncio.wait([task], timeout=5)
    assert task.done()


async def test_an_action_is_performed_under_the_settings_of_its_session() -> None:
    async def first(tell: Tell) -> Value:
        return "first"

    async def second(tell: Tell) -> Value:
        return "second"

    pair = Pair(first)
    assert pair.editions.add(OTHER, Scripted(second)) == 1
    assert await pair.remote.under(1).perform(CALLER, CANCEL) == "second"
    assert await pair.remote.perform(CALLER, CANCEL) == "first"
