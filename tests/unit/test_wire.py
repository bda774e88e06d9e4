"""The long wire of the benchmarks: all that is sent arrives, in order, and no sooner than it may."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from bench.clones.wiring import Wire, wired
from tests.harness.waiting import under_way

ROUND_TRIP = 30.0
RATE = 20.0
LIMIT = 20.0
"""Seconds; whatever takes as long is lost."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        yield server


@pytest.fixture
def wire(listening: socket.socket) -> Iterator[Wire]:
    with wired(listening.getsockname()[1], ROUND_TRIP, RATE) as made:
        yield made


@pytest.fixture
def client(wire: Wire) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", wire.port), LIMIT) as connected:
        yield connected


@pytest.fixture
def server(listening: socket.socket, client: socket.socket) -> Iterator[socket.socket]:
    accepted, _ = listening.accept()
    accepted.settimeout(LIMIT)
    with accepted:
        yield accepted


def everything(end: socket.socket) -> bytes:
    """What comes, to the end."""
    return b"".join(iter(lambda: end.recv(1 << 16), b""))


def test_all_arrives_in_order_and_takes_its_time(client: socket.socket, server: socket.socket) -> None:
    there, back = random.Random(1).randbytes(2_000_000), random.Random(2).randbytes(3_000_001)
    since = time.monotonic()
    with under_way(lambda: send(client, there)), under_way(lambda: send(server, back)):
        with under_way(lambda: everything(server)) as arrived:
            assert everything(client) == back
        assert arrived.result() == there
    assert time.monotonic() - since >= len(back) / (RATE * 1e6)


def test_an_answer_takes_a_round_trip(client: socket.socket, server: socket.socket) -> None:
    client.sendall(b"first")
    assert server.recv(100) == b"first"
    for _ in range(3):
        since = time.monotonic()
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        server.sendall(b"answer")
        assert client.recv(100) == b"answer"
        assert time.monotonic() - since >= ROUND_TRIP / 1000


def test_what_follows_at_once_is_under_way_at_the_same_time(client: socket.socket, server: socket.socket) -> None:
    """Each at a round trip's distance from the other would be seconds."""
    times = []
    for number in range(100):
        times.append(time.monotonic())
        client.sendall(bytes([number]))
    arrived = b""
    while len(arrived) < 100:
        arrived += server.recv(100)
        assert time.monotonic() - times[len(arrived) - 1] >= ROUND_TRIP / 2000
    assert arrived == bytes(range(100))


def test_one_direction_may_end_before_the_other(client: socket.socket, server: socket.socket) -> None:
    send(client, b"all that I have to say")
    assert everything(server) == b"all that I have to say"
    send(server, b"an answer nevertheless")
    assert everything(client) == b"an answer nevertheless"


def test_a_cut_connection_is_cut_on_the_other_side(client: socket.socket, server: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert everything(server) == b""


def test_who_does_not_read_stops_the_other(client: socket.socket, server: socket.socket) -> None:
    """And nothing is lost."""
    data, sent = random.Random(3).randbytes(40_000_000), 0
    server.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while sent < len(data):
            sent += server.send(data[sent : sent + (1 << 16)])
    assert sent < len(data)
    server.shutdown(socket.SHUT_WR)
    assert everything(client) == data[:sent]


def test_a_client_is_let_go_if_there_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nobody = probe.getsockname()[1]
    with wired(nobody, ROUND_TRIP, RATE) as wire, socket.create_connection(("127.0.0.1", wire.port), LIMIT) as client:
        assert everything(client) == b""


def test_it_counts_how_often_a_client_waits(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    for _ in range(3):
        client.sendall(b"ab")
        assert server.recv(100) == b"ab"
        server.sendall(b"c")
        assert client.recv(100) == b"c"
    assert wire.seen() == [(3, 6, 3)]
    assert wire.seen() == []


def send(end: socket.socket, data: bytes) -> None:
    """And nothing more."""
    end.sendall(data)
    end.shutdown(socket.SHUT_WR)
