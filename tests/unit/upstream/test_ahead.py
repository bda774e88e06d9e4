"""Connections that are opened ahead, with a listener that says what it was told in place of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from clone_engine.records.errors import PgError
from proxy.upstream.ahead import Ahead
from proxy.upstream.opening import Opener, RefusedError, UnreachableError
from proxy.upstream.places import Place, Route
from proxy.upstream.tls import read_tls
from proxy.wire import messages
from tests.harness.waiting import wait_until_async

PACKET = b"hello"
WELCOME = b"R\0\0\0\x08\0\0\0\0"
REFUSED = messages.encode_error(PgError("28000", "not today"), "utf-8", "FATAL")
SECONDS, LONG = 20.0, 3600.0


class Listener:
    """Answers a connection's first bytes with what `answer` was when it was accepted."""

    def __init__(self) -> None:
        self.answer = WELCOME
        self.count = 0
        self.open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.route = Route(Place("127.0.0.1", "", self._server.sockets[0].getsockname()[1]), "127.0.0.1", False)

    async def stop(self) -> None:
        self.close_all()
        self._server.close()
        await self._server.wait_closed()

    def close_all(self) -> None:
        for writer in list(self.open):
            writer.close()

    async def is_empty(self) -> bool:
        return not self.open

    async def has_spare(self) -> None:
        """Returns when two clients have come and gone, and a third connection is open."""
        await wait_until_async(self._has_spare)

    async def _has_spare(self) -> bool:
        return self.count == 3 and len(self.open) == 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        self.open.add(writer)
        answer = self.answer
        if await reader.read(100):
            writer.write(answer)
            await reader.read(1)
        writer.close()
        self.open.discard(writer)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    started = Listener()
    await started.start()
    yield started
    await started.stop()


def ahead_of(most: int = 16, seconds: float = LONG) -> Ahead:
    return Ahead(Opener(read_tls({"sslmode": "disable"})), most, seconds)


async def come(ahead: Ahead, listener: Listener) -> None:
    opened, route = await ahead.open(listener.route, PACKET)
    assert route == listener.route
    assert await opened.inbox.message(100) == WELCOME
    opened.abort()


async def test_a_single_client_has_a_single_connection(listener: Listener) -> None:
    await come(ahead_of(), listener)
    assert listener.count == 1


async def with_spare(ahead: Ahead, listener: Listener) -> Ahead:
    """Two clients have come and gone, and one connection waits."""
    await come(ahead, listener)
    await come(ahead, listener)
    await listener.has_spare()
    return ahead


async def test_a_client_soon_after_another_has_the_next_one_s_opened(listener: Listener) -> None:
    await with_spare(ahead_of(), listener)
    assert listener.count == 3


async def test_which_that_one_takes(listener: Listener) -> None:
    ahead = await with_spare(ahead_of(), listener)
    [spare] = listener.open
    opened, _ = await ahead.open(listener.route, PACKET)
    assert opened.transport.get_extra_info("sockname") == spare.get_extra_info("peername")
    opened.abort()


async def test_a_connection_for_something_else_is_a_new_one(listener: Listener) -> None:
    """As for a CancelRequest, which nothing is answered to."""
    ahead = await with_spare(ahead_of(), listener)
    for _ in range(2):
        async with asyncio.timeout(SECONDS):
            opened, _ = await ahead.open(listener.route, b"")
        opened.abort()
    assert listener.count == 5


async def test_there_are_no_more_than_may_be(listener: Listener) -> None:
    ahead = ahead_of(most=0)
    for _ in range(3):
        await come(ahead, listener)
    assert listener.count == 3


async def test_one_that_nobody_takes_is_closed(listener: Listener) -> None:
    ahead, clients = ahead_of(seconds=0.25), 0
    while listener.count == clients:
        await come(ahead, listener)
        clients += 1
    await wait_until_async(listener.is_empty)
    assert repr(ahead) == "<Ahead 0 connections>"


async def test_in_the_end_none_waits_and_none_is_opened(listener: Listener) -> None:
    ahead = await with_spare(ahead_of(), listener)
    ahead.close()
    await wait_until_async(listener.is_empty)
    await come(ahead, listener)
    await come(ahead, listener)
    assert listener.count == 5


async def test_one_that_the_server_has_closed_is_no_harm(listener: Listener) -> None:
    ahead = await with_spare(ahead_of(), listener)
    listener.close_all()
    await come(ahead, listener)


async def test_what_an_old_one_is_refused_a_new_one_may_not_be(listener: Listener) -> None:
    listener.answer = REFUSED
    ahead = ahead_of()
    for _ in range(2):
        with pytest.raises(RefusedError):
            await ahead.open(listener.route, PACKET)
    await listener.has_spare()
    listener.answer = WELCOME
    await come(ahead, listener)


async def test_a_server_that_is_gone_is_told_to_those_who_come(listener: Listener) -> None:
    ahead = ahead_of()
    await listener.stop()
    for _ in range(3):
        with pytest.raises(UnreachableError):
            await ahead.open(listener.route, PACKET)
