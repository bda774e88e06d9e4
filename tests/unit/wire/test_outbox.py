"""What is gathered goes out in order and in one write."""

from __future__ import annotations

import asyncio
from typing import cast

from proxy.transports import Outbox, Span


class Written:
    """A transport that notes each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.writes.append(data)


def test_one_write_for_all_that_was_gathered() -> None:
    written = Written()
    outbox = Outbox(cast(asyncio.Transport, written))
    span = Span(outbox)
    data = b"abcdef"
    span.add(data, 0, 2)
    span.add(data, 2, 4)
    span.flush()
    outbox.write(b"-")
    span.add(data, 4, 6)
    span.flush()
    assert written.writes == []
    for _ in range(2):
        outbox.flush()
        assert written.writes == [b"abcd-ef"]


def test_what_was_gathered_for_a_transport_that_is_closed_is_dropped() -> None:
    written = Written()
    outbox = Outbox(cast(asyncio.Transport, written))
    outbox.write(b"a")
    written.closing = True
    outbox.flush()
    written.closing = False
    outbox.flush()
    assert written.writes == []
