"""Frames: where messages begin and end, however the bytes arrive."""

from __future__ import annotations

from struct import pack

import pytest

from proxy.wire.frames import STREAM, FrameReader


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + pack("!I", len(body) + 4) + body


QUERY, PARSE, BIND, DATA, SYNC = (message(k, b) for k, b in ((b"Q", b"select 1\0"), (b"P", b"\0select $1\0\0\0"),
    (b"B", b"\0\0" + b"x" * 300), (b"d", b"row\n"), (b"S", b"")))  # fmt: skip

STREAMS = {
    "one query": (QUERY,),
    "two queries": (QUERY, QUERY),
    "extended": (PARSE, BIND, SYNC),
    "copy data between": (QUERY, DATA, DATA, message(b"c"), QUERY),
    "empty body": (SYNC, SYNC, SYNC),
    "data only": (DATA, DATA),
}


def read(pieces: list[bytes]) -> tuple[bytes, list[int]]:
    """All spans joined, and the kinds announced."""
    reader = FrameReader(frozenset(b"d"), frozenset(b"B"))
    out, kinds = b"", []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.next()) is not None:
            out += reader.data[frame.start : frame.end]
            if frame.kind != STREAM:
                kinds.append(frame.kind)
    return out, kinds


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 100_000])
@pytest.mark.parametrize("name", STREAMS)
def test_any_split_gives_the_same_bytes_and_messages(name: str, size: int) -> None:
    whole = b"".join(STREAMS[name])
    out, kinds = read([whole[i : i + size] for i in range(0, len(whole), size)])
    assert out == whole
    assert kinds == [m[0] for m in STREAMS[name] if m[:1] != b"d"]


def test_a_message_that_is_looked_at_is_given_whole() -> None:
    reader = FrameReader(frozenset())
    reader.feed(QUERY[:-1])
    assert reader.next() is None
    reader.feed(QUERY[-1:] + QUERY[:3])
    frame = reader.next()
    assert frame is not None
    assert reader.data[frame.start : frame.end] == QUERY
    assert reader.next() is None


def test_quiet_messages_in_a_batch_come_as_one_span() -> None:
    reader = FrameReader(frozenset(b"d"))
    reader.feed(DATA * 1000 + QUERY)
    assert reader.next() == (STREAM, 0, len(DATA) * 1000)
    assert reader.next() == (ord("Q"), len(DATA) * 1000, len(DATA) * 1000 + len(QUERY))


def test_a_streamed_message_is_announced_by_its_beginning() -> None:
    reader = FrameReader(frozenset(), frozenset(b"B"))
    reader.feed(BIND[:50])
    assert reader.next() == (ord("B"), 0, 50)
    reader.feed(BIND[50:] + SYNC)
    assert reader.next() == (STREAM, 0, len(BIND) - 50)
    assert reader.next() == (ord("S"), len(BIND) - 50, len(BIND) - 50 + len(SYNC))


def test_a_message_larger_than_most_is_announced_by_its_beginning() -> None:
    reader = FrameReader(frozenset(), most=100)
    small, large = message(b"Q", b"x" * 90), message(b"Q", b"y" * 200)
    reader.feed(small + large[:50])
    assert reader.next() == (ord("Q"), 0, len(small))
    assert not reader.streaming
    assert reader.next() == (ord("Q"), len(small), len(small) + 50)
    assert reader.streaming
    reader.feed(large[50:] + small)
    assert reader.next() == (STREAM, 0, len(large) - 50)
    assert not reader.streaming
    assert reader.next() == (ord("Q"), len(large) - 50, len(large) - 50 + len(small))


def test_whole_gives_quiet_messages_one_by_one() -> None:
    reader = FrameReader(frozenset(b"D"))
    reader.feed(message(b"D", b"1") + message(b"D", b"2"))
    assert [reader.next(whole=True), reader.next(whole=True)] == [(ord("D"), 0, 6), (ord("D"), 6, 12)]


def test_bytes_fed_while_messages_wait_are_not_forgotten() -> None:
    # A paused reader gets more bytes; an earlier large message must not make it wait for as many again.
    reader = FrameReader(frozenset())
    large = message(b"Q", b"x" * 5000)
    reader.feed(large[:10])
    assert reader.next() is None
    reader.feed(large[10:] + QUERY)
    assert reader.next() == (ord("Q"), 0, len(large))
    reader.feed(SYNC)
    kinds = []
    while (frame := reader.next()) is not None:
        kinds.append(frame.kind)
    assert kinds == [ord("Q"), ord("S")]


@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_length_passes_everything_on_to_the_server(length: int) -> None:
    reader = FrameReader(frozenset())
    reader.feed(QUERY + b"Q" + pack("!I", length) + b"rest")
    assert reader.next() == (ord("Q"), 0, len(QUERY))
    frame = reader.next()
    assert frame is not None
    assert frame.kind == STREAM
    assert reader.out_of_step
    reader.feed(QUERY)
    assert reader.next() == (STREAM, 0, len(QUERY))
