"""What every implementation of the relay must bound: what it keeps, and for how long it has the thread to itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from proxy.relay import BACKLOG, Relay
from proxy.transports import WRITE_BUFFER
from tests.harness.waiting import wait_until_async
from tests.harness.wire import message, query
from tests.relay.ends import IMPLEMENTATIONS, WHOLE, Ends, ends, shown

MANY = 200_000
"""Messages that take a while."""


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("who", ["client", "server"])
async def test_who_does_not_read_stops_the_other(implementation: type[Relay], who: str) -> None:
    """Memory is bounded, nothing is lost, and it goes on."""
    bulk, copy_in = message(b"d", bytes(1 << 16)) * 400, message(b"G", b"\0\0\0")
    async with ends(implementation) as both:
        near, far = (both.client, both.server) if who == "client" else (both.server, both.client)
        if who == "client":
            await both.send(both.client, query("COPY t FROM STDIN"), WHOLE)
            await both.receive(both.server, 23)
            await both.send(both.server, copy_in, WHOLE)
            await both.receive(both.client, len(copy_in))
        sent = await send_until_full(near, bulk)
        assert sent < WRITE_BUFFER + (4 << 20)
        rest = asyncio.create_task(both.send(near, bulk[sent:], WHOLE))
        assert await both.receive(far, len(bulk)) == bulk
        await rest


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_what_waits_behind_work_is_bounded(implementation: type[Relay]) -> None:
    ours, bulk = query("pgclone"), query("x" * 100_000) * 300
    async with ends(implementation) as both:
        relay, watch = both.relay, both.watch
        watch.quick = False
        watch.taking = lambda kind, taken: relay.hold if taken == ours else None
        await both.send(both.client, ours, WHOLE)
        await wait_until_async(lambda: shown(watch, ours))
        sent = await send_until_full(both.client, bulk)
        assert sent < BACKLOG + (2 << 20)
        rest = asyncio.create_task(both.send(both.client, bulk[sent:], WHOLE))
        relay.release()
        assert await both.receive(both.server, len(bulk)) == bulk
        await rest


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_what_waits_is_bounded_however_often_some_of_it_goes_on(implementation: type[Relay]) -> None:
    ours = query("pgclone" + " " * 1000)
    rounds, bulk = 100, ours * 30_000
    async with ends(implementation) as both:
        relay, watch = both.relay, both.watch
        watch.quick = False
        watch.taking = lambda kind, taken: relay.hold
        sent = 0
        for _ in range(rounds):
            sent += await send_until_full(both.client, bulk[sent:])
            relay.release()
        assert len(watch.shown) == rounds + 1
        assert sent < BACKLOG + (2 << 20)


async def in_one_turn(both: Ends, feed: Callable[[bytes], None], data: bytes, reads: socket.socket) -> int:
    """How much of it is passed on before others have their turn; all of it arrives in the end."""
    rest = asyncio.create_task(both.receive(reads, len(data)))
    feed(data)
    turn = len(both.watch.shown) + len(both.watch.replies)
    assert await rest == data
    return turn


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_who_sends_many_messages_lets_others_have_their_turn(implementation: type[Relay]) -> None:
    async with ends(implementation) as both:
        both.watch.quick = False
        assert 0 < await in_one_turn(both, both.relay.client_data, query("a") * MANY, both.server) < MANY
        assert len(both.watch.shown) == MANY


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_a_server_that_sends_many_does_so_too(implementation: type[Relay]) -> None:
    error = message(b"E", b"SERROR\0C22012\0Mno\0\0")
    async with ends(implementation) as both:
        assert 0 < await in_one_turn(both, both.relay.server_data, error * MANY, both.client) < MANY
        assert len(both.watch.replies) == MANY


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("large", [True, False])
async def test_what_comes_during_the_others_turn_stays_behind(implementation: type[Relay], large: bool) -> None:
    """Also where everything before has been passed on already."""
    first = message(b"d", bytes(WHOLE)) if large else query("a") * MANY
    async with ends(implementation) as both:
        both.watch.quick = large
        rest = asyncio.create_task(both.receive(both.server, len(first) + 14))
        both.relay.client_data(first)
        both.relay.client_data(query("b"))
        both.relay.client_data(query("c"))
        assert await rest == first + query("b") + query("c")
        assert len(both.relay.exchange.owed) == (2 if large else MANY + 2)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_nothing_is_kept_when_it_is_closed(implementation: type[Relay]) -> None:
    async with ends(implementation) as both:
        both.watch.quick = False
        both.watch.taking = lambda kind, taken: both.relay.hold
        data = bytearray(query("a") * MANY)
        both.relay.client_data(bytes(data))
        both.relay.close()
        both.relay.release()
        assert len(both.watch.shown) == 1


async def send_until_full(end: socket.socket, data: bytes) -> int:
    """Send until nothing is taken any more although the relay has had many turns; how much was."""
    sent = turns = 0
    while turns < 200 and sent < len(data):
        await asyncio.sleep(0)
        try:
            sent += end.send(data[sent : sent + (1 << 18)])
            turns = 0
        except BlockingIOError:
            turns += 1
    return sent
