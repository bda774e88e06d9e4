"""Through a session, from socket to socket: what names nothing of ours arrives byte for byte, however it was split.

Behind the proxy stands a small server that lets everybody in, keeps what it is sent, and answers every message in kind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from proxy.calls.rewrite import references
from proxy.config import AuthSettings, LimitSettings, LogSettings, ServerSettings
from proxy.login.modes import login_method
from proxy.server import ForSessions, Server
from proxy.tls.offer import Offer
from proxy.upstream import parse_target
from tests.harness.corpus.recorder import Recorder
from tests.harness.wire import message, startup

LET_IN = message(b"R", b"\0\0\0\0") + message(b"Z", b"I")
ANSWERS = {b"Q": b"IZ", b"P": b"1", b"B": b"2", b"D": b"n", b"E": b"I", b"C": b"3", b"S": b"Z"}
"""Types of the answers, by the type of the message."""
FLUSH = message(b"H")
SECONDS = 10

NEARLY = """
SELECT 1 ; , ( ) 'pgclone_cancel(7)' $$pgclone_jobs_view$$ --pgclone_version()
/*pgclone_progress(7)*/ "pgclone_jobs_view" AS pgclone_version FROM t WHERE pgclone.x pgclone_nosuch(1) EXECUTE p
U&"\\0070" U&'pgclone' E'\\'' DEALLOCATE PREPARE BEGIN COMMIT é \x00 \\ pgclone "
"""
TEXTS = st.lists(st.sampled_from([*NEARLY.split(), "\n"]), max_size=12).map(" ".join) | st.text(max_size=30)
BODIES = st.one_of(
    st.tuples(st.just(b"Q"), TEXTS.map(lambda text: text.encode() + b"\0")),
    st.tuples(st.just(b"P"), TEXTS.map(lambda text: b"s\0" + text.encode() + b"\0\0\0")),
    st.tuples(st.sampled_from([b"B", b"D", b"E", b"C", b"S", b"y"]), st.binary(max_size=30)),
)
SCRAPS = [b"Q\0\0\0\x0cpgclone\0", b"P\0\0\0", b"\0", b"X\0\0\0\4", b"S\0\0\0\4", b"B\0\0\0\x20", b"d\0\0\0\5x",
          b"Q\xff\xff\xff\xff", b"E\0\0\0\3"]  # fmt: skip
SPLITS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


class Answering(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self) -> None:
        self.received = b""
        self.messages: list[tuple[bytes, bytes]] = []
        """What is whole of it, but for Flush, which the proxy may send of its own."""
        self.lost = asyncio.Event()
        self._rest: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._rest is None:  # the start-up packet comes in one piece
            self._rest = b""
            self._transport.write(LET_IN)
            return
        self.received += data
        self._rest += data
        while len(self._rest) > 4 and len(self._rest) > (length := int.from_bytes(self._rest[1:5], "big")) >= 4:
            kind, body, self._rest = self._rest[:1], self._rest[5 : length + 1], self._rest[length + 1 :]
            if kind != b"H":
                self.messages.append((kind, body))
            for each in ANSWERS.get(kind, b""):
                self._transport.write(message(bytes([each]), b"I" if each == ord("Z") else b""))

    def say(self, data: bytes) -> None:
        """Send what nobody has asked for."""
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@asynccontextmanager
async def through_a_proxy() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Answering]]:
    """A client that has been let in, and the server's side of its connection."""
    behind = Answering()
    loop = asyncio.get_running_loop()
    answering = await loop.create_server(lambda: behind, "127.0.0.1", 0)
    target = f"host=127.0.0.1 port={answering.sockets[0].getsockname()[1]} sslmode=disable"
    proxy = Server(
        ForSessions(
            ServerSettings(listen_port=0, unix_socket_dir=""),
            LimitSettings(),
            LogSettings(),
            parse_target(target, 10),
            Offer(),
            login_method(AuthSettings(), {}),
            Recorder(time.time()).intercept,
        )
    )
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(startup("someone", "somewhere"))
        assert await reader.readexactly(len(LET_IN)) == LET_IN
        yield reader, writer, behind
    finally:
        writer.close()
        await proxy.stop()
        answering.close()


async def send(writer: asyncio.StreamWriter, data: bytes, splits: list[int]) -> None:
    """Write in pieces of these sizes, again and again, each on its way before the next."""
    at, turn = 0, 0
    while at < len(data):
        size = splits[turn % len(splits)]
        writer.write(data[at : at + size])
        await writer.drain()
        at, turn = at + size, turn + 1


async def conversation(messages: list[tuple[bytes, bytes]], splits: list[int]) -> list[tuple[bytes, bytes]]:
    """What arrives of these messages, the last of which is a Sync."""
    sent = b"".join(message(kind, body) for kind, body in messages)
    ready = sum(kind in (b"Q", b"S") for kind, _ in messages)
    async with through_a_proxy() as (reader, writer, behind), asyncio.timeout(SECONDS):
        await send(writer, sent, splits)
        for _ in range(ready):
            await reader.readuntil(message(b"Z", b"I"))
    return behind.messages


async def any_bytes(data: bytes, splits: list[int]) -> bytes:
    """What arrives of any bytes, the client gone behind them."""
    async with through_a_proxy() as (_, writer, behind), asyncio.timeout(SECONDS):
        await send(writer, data, splits)
        writer.write_eof()
        await behind.lost.wait()
    return behind.received


@given(st.lists(BODIES, max_size=6), SPLITS)
@settings(deadline=None, max_examples=60)
def test_what_names_nothing_of_ours_arrives_as_it_was_sent(
    messages: list[tuple[bytes, bytes]], splits: list[int]
) -> None:
    for kind, body in messages:
        assume(kind not in (b"Q", b"P") or not references(body.decode("utf-8", "replace").rstrip("\0")))
    with capture_logs() as logged:
        arrived = asyncio.run(conversation(sent := [*messages, (b"S", b"")], splits))
    assert arrived == sent
    assert not [each for each in logged if each["log_level"] in ("error", "critical")]


@given(st.binary(max_size=60) | st.lists(st.sampled_from(SCRAPS), max_size=8).map(b"".join), SPLITS)
@settings(deadline=None, max_examples=60)
def test_any_bytes_arrive_as_far_as_they_are_whole(data: bytes, splits: list[int]) -> None:
    with capture_logs() as logged:
        arrived = asyncio.run(any_bytes(data, splits))
    # The proxy may send a Flush of its own where it has to know how a pipeline goes.
    assert data.replace(FLUSH, b"").startswith(arrived.replace(FLUSH, b""))
    assert not [each for each in logged if each["log_level"] in ("error", "critical")]


async def test_settings_without_end_are_passed_on_and_not_kept() -> None:
    """As many as one likes: what it costs does not grow with those that were there before."""
    reported = [message(b"S", b"setting_%d\0on\0" % number) for number in range(50_000)]
    async with through_a_proxy() as (reader, _, behind), asyncio.timeout(SECONDS):
        behind.say(b"".join(reported))
        assert await reader.readexactly(sum(map(len, reported))) == b"".join(reported)
