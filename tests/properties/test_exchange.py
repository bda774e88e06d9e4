"""The quick way through the exchange leads where the other leads, whatever is said and however it is cut."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.exchange import COMPLETE, PLAIN, QUIET, READY, Exchange
from proxy.wire.frames import HEADER
from tests.harness.wire import message

SENT = st.lists(st.sampled_from([bytes([kind]) for kind in b"QPBDECSFHXydcf"]), max_size=8)
TAGS = st.sampled_from([b"SELECT 1", b"BEGIN", b"START TRANSACTION", b"COMMIT", b"ROLLBACK", b"PREPARE TRANSACTION",
                        b"PREPARE", b"INSERT 0 1", b"COMMIT PREPARED", b""])  # fmt: skip
REPLIES = st.one_of(
    st.sampled_from([bytes([kind]) for kind in b"123nTtsIDdHcVAW"]).map(lambda kind: message(kind, b"x")),
    TAGS.map(lambda tag: message(b"C", tag + b"\0")),
    st.sampled_from([message(b"Z", status) for status in (b"I", b"T", b"E")]),
    st.sampled_from([message(b"E", b"\0"), message(b"N", b"\0"), message(b"G", b"\0\0\0")]),
)
ROUNDS = st.lists(st.tuples(SENT, st.lists(REPLIES, max_size=8)), max_size=4)


def state(exchange: Exchange) -> tuple[object, ...]:
    """All that it knows."""
    return (
        [entry.kind for entry in exchange.owed],
        exchange.status,
        exchange.block,
        exchange.failed,
        exchange.begun,
        exchange.skipping,
        exchange.copying_in,
    )


def send_one(exchange: Exchange, kind: int) -> None:
    if kind in PLAIN:
        exchange.sent(PLAIN[kind])


def receive_one(exchange: Exchange, reply: bytes) -> None:
    """As the relay does with a message that is looked at."""
    kind = reply[0]
    if kind in QUIET or kind in b"NS":
        return
    entry = exchange.received(kind, reply[-1] if kind == READY else 0)
    if entry is not None and kind == COMPLETE:
        exchange.completed(entry, reply[HEADER:])


@given(ROUNDS, st.integers(0, 30))
@settings(deadline=None, max_examples=400)
def test_the_quick_way_leads_to_the_same_state(rounds: Sequence[tuple[list[bytes], list[bytes]]], cut: int) -> None:
    slow, quick = Exchange(), Exchange()
    for kinds, replies in rounds:
        for kind in kinds:
            send_one(slow, kind[0])
        if not quick.sent_plain(b"".join(message(kind) for kind in kinds)):
            for kind in kinds:
                send_one(quick, kind[0])
        assert state(quick) == state(slow)
        for reply in replies:
            receive_one(slow, reply)
        data = b"".join(replies)
        while data:
            # All, or all but the end of the last one, which is not whole then.
            part = data[: max(len(data) - cut, 0)]
            passed = quick.received_plain(part)
            if passed == 0:
                size = 1 + int.from_bytes(data[1:HEADER], "big")
                receive_one(quick, data[:size])
                passed = size
            data = data[passed:]
        assert state(quick) == state(slow)
