"""What every implementation of the relay must do: the bytes, whatever way they are cut, and the state they lead to."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import pytest

from proxy.relay import LONGEST_STATEMENT, Relay
from proxy.wire.exchange import FAILED, IDLE, IN_TRANSACTION, Entry
from proxy.wire.frames import LARGEST
from tests.harness.waiting import wait_until_async
from tests.harness.wire import bind, execute, message, parse, query
from tests.relay.ends import IMPLEMENTATIONS, WHOLE, ends, settle, shown

PIECES = [1, 3, 7, WHOLE]

SYNC, FLUSH, COPY_DONE = message(b"S"), message(b"H"), message(b"c")
COPY_FAIL = message(b"f", b"enough\0")
ROWS = message(b"T", b"\0\0") + message(b"D", b"\0\1\0\0\0\1x") * 3 + message(b"C", b"SELECT 3\0")
ERROR = message(b"E", b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0")
COPY_IN, COPY_OUT = message(b"G", b"\0\0\0"), message(b"H", b"\0\0\0")
COPIED = message(b"C", b"COPY 2\0")
DATA = message(b"d", b"pgclone_jobs()\n") * 2
NOTICE = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0")
STATUS = message(b"S", b"TimeZone\0UTC\0")
NOTIFICATION = message(b"A", b"\0\0\0\7channel\0payload\0")


def ready(status: bytes = b"I") -> bytes:
    return message(b"Z", status)


class State(NamedTuple):
    """What the exchange is to be in at the end."""

    status: int = IDLE
    owed: int = 0
    copying_in: bool = False
    skipping: bool = False
    block: bool | None = False


Said = tuple[str, bytes]
C, S = "client", "server"
EXTENDED = parse("SELECT 1") + bind() + message(b"D", b"P\0") + execute()
ANSWERED = message(b"1") + message(b"2") + ROWS
PREPARE_COPY = parse("COPY t FROM STDIN") + bind() + execute()
COPY_BEGUN = message(b"1") + message(b"2") + COPY_IN

CASES: dict[str, tuple[list[Said], State]] = {
    "a query": ([(C, query("SELECT 1")), (S, ROWS + ready())], State()),
    "a query under way": ([(C, query("SELECT 1")), (S, ROWS)], State(owed=1)),
    "several statements in a query": ([(C, query("SELECT 1; SELECT 2")), (S, ROWS * 2 + ready())], State()),
    "queries behind each other": ([(C, query("SELECT 1") * 3), (S, (ROWS + ready()) * 2)], State(owed=1)),
    "an empty query": ([(C, query("")), (S, message(b"I") + ready())], State()),
    "an error": ([(C, query("SELECT 1/0")), (S, ERROR + ready())], State()),
    "a transaction": (
        [(C, query("BEGIN")), (S, message(b"C", b"BEGIN\0") + ready(b"T"))],
        State(IN_TRANSACTION, block=True),
    ),
    "a failed transaction": ([(C, query("x")), (S, ERROR + ready(b"E"))], State(FAILED, block=True)),
    "notices, settings and notifications among replies": (
        [(C, query("SELECT 1")), (S, NOTICE + STATUS + NOTIFICATION + ROWS + NOTICE + ready())],
        State(),
    ),
    "a notification to one who waits": ([(S, NOTIFICATION + NOTICE + STATUS)], State()),
    "the extended protocol": ([(C, EXTENDED + SYNC), (S, ANSWERED + ready())], State()),
    "flush": ([(C, EXTENDED + FLUSH), (S, ANSWERED), (C, SYNC), (S, ready())], State()),
    "a pipeline": ([(C, (EXTENDED + SYNC) * 3), (S, (ANSWERED + ready()) * 3)], State()),
    "a pipeline that opens a block": (
        [(C, parse("BEGIN") + bind() + execute()), (S, message(b"1") + message(b"2") + message(b"C", b"BEGIN\0"))],
        State(block=True),
    ),
    "a suspended portal": (
        [(C, parse("x") + bind() + execute(rows=1)), (S, message(b"1") + message(b"2") + message(b"s"))],
        State(),
    ),
    "an error in a pipeline": (
        [(C, EXTENDED * 2 + SYNC + EXTENDED + SYNC), (S, ERROR + ready() + ANSWERED + ready())],
        State(),
    ),
    "an error before the Sync": ([(C, EXTENDED), (S, ERROR), (C, EXTENDED)], State(skipping=True)),
    "an error, skipped to the Sync": ([(C, EXTENDED), (S, ERROR), (C, EXTENDED + SYNC), (S, ready())], State()),
    "close and describe": (
        [(C, message(b"D", b"Ss\0") + message(b"C", b"Ss\0") + SYNC),
         (S, message(b"t", b"\0\0") + message(b"n") + message(b"3") + ready())],
        State(),
    ),
    "a function call": (
        [(C, message(b"F", b"\0\0\0\1\0\0\0\0\0\0")), (S, message(b"V", b"\xff\xff\xff\xff") + ready())],
        State(),
    ),
    "COPY out": ([(C, query("COPY t TO STDOUT")), (S, COPY_OUT + DATA + COPY_DONE + COPIED + ready())], State()),
    "COPY out that fails": ([(C, query("COPY t TO STDOUT")), (S, COPY_OUT + DATA + ERROR + ready())], State()),
    "COPY in": (
        [(C, query("COPY t FROM STDIN")), (S, COPY_IN), (C, DATA + COPY_DONE), (S, COPIED + ready())],
        State(),
    ),
    "COPY in under way": ([(C, query("COPY t FROM STDIN")), (S, COPY_IN), (C, DATA)], State(owed=1, copying_in=True)),
    "COPY in, data ahead of the reply": (
        [(C, query("COPY t FROM STDIN") + DATA + COPY_DONE), (S, COPY_IN + COPIED + ready())],
        State(),
    ),
    "COPY in, given up by the client": (
        [(C, query("COPY t FROM STDIN")), (S, COPY_IN), (C, DATA + COPY_FAIL), (S, ERROR + ready())],
        State(),
    ),
    "COPY in, given up by the server": (
        [(C, query("COPY t FROM STDIN")), (S, COPY_IN), (C, DATA), (S, ERROR + ready()), (C, DATA + COPY_DONE),
         (C, query("SELECT 1")), (S, ROWS + ready())],
        State(),
    ),
    "COPY in, extended, Sync and Flush ignored": (
        [(C, PREPARE_COPY + SYNC), (S, COPY_BEGUN), (C, DATA + FLUSH + SYNC + COPY_DONE), (S, COPIED), (C, SYNC),
         (S, ready())],
        State(),
    ),
    "COPY in, extended, given up by the server": (
        [(C, PREPARE_COPY), (S, COPY_BEGUN), (C, DATA), (S, ERROR), (C, DATA + COPY_DONE + SYNC), (S, ready())],
        State(),
    ),
    "COPY in, begun in the middle of a query": (
        [(C, query("SELECT 1; COPY t FROM STDIN; SELECT 1")), (S, ROWS + COPY_IN), (C, DATA + COPY_DONE),
         (S, COPIED + ROWS + ready())],
        State(),
    ),
    "an unknown message": ([(C, message(b"y", b"what")), (S, ERROR)], State()),
    "Terminate": ([(C, query("SELECT 1")), (S, ROWS + ready()), (C, message(b"X"))], State()),
    "a statement that is too long to be looked at": (
        [(C, query("SELECT '" + "pgclone " * (LONGEST_STATEMENT // 7) + "'")), (S, ROWS + ready())],
        State(),
    ),
    "a row that is long": (
        [(C, query("x")), (S, message(b"D", bytes(3 << 20)) + message(b"C", b"SELECT 1\0") + ready())],
        State(),
    ),
    "a length that is impossible": ([(C, b"Q\0\0\0\3" + query("SELECT 1")), (S, ERROR)], State()),
    "a length that is too large": ([(C, b"Q" + (LARGEST + 1).to_bytes(4, "big") + b"x")], State()),
}  # fmt: skip


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("quick", [True, False], ids=["unseen", "looked at"])
@pytest.mark.parametrize("piece", PIECES, ids=["byte by byte", "by three", "by seven", "whole"])
@pytest.mark.parametrize("case", CASES)
async def test_bytes_arrive_as_they_were_sent_and_lead_to_the_state(
    implementation: type[Relay], case: str, piece: int, quick: bool
) -> None:
    said, state = CASES[case]
    size = piece if sum(len(data) for _, data in said) < 10_000 else WHOLE // 3
    async with ends(implementation) as both:
        both.watch.quick = quick
        for who, data in said:
            near, far = (both.client, both.server) if who == C else (both.server, both.client)
            sending = asyncio.create_task(both.send(near, data, size))
            assert await both.receive(far, len(data)) == data
            await sending
        exchange = both.relay.exchange
        found = State(exchange.status, len(exchange.owed), exchange.copying_in, exchange.skipping, exchange.block)
        assert found == state
        assert both.relay.terminated == ((C, message(b"X")) in said)
        assert both.relay.between_messages
        assert not both.waiting(both.client)
        assert not both.waiting(both.server)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_what_is_quick_leads_to_the_same_state_when_cut_in_the_middle(implementation: type[Relay]) -> None:
    """A message in two halves, the second of which is followed by others."""
    sent, reply = query("SELECT 1") * 2, (ROWS + ready()) * 2
    for cut in range(1, len(reply)):
        async with ends(implementation) as both:
            await both.send(both.client, sent, WHOLE)
            assert await both.receive(both.server, len(sent)) == sent
            await both.send(both.server, reply[:cut], WHOLE)
            await both.send(both.server, reply[cut:], WHOLE)
            assert await both.receive(both.client, len(reply)) == reply
            assert not both.relay.exchange.owed


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_errors_and_what_stands_beside_replies_are_shown(implementation: type[Relay]) -> None:
    async with ends(implementation) as both:
        await both.send(both.client, query("a") + query("b"), WHOLE)
        await both.receive(both.server, 14)
        await both.send(both.server, NOTICE + ERROR + ready() + STATUS + ROWS + ready() + ERROR, WHOLE)
        await both.receive(both.client, len(NOTICE + ERROR * 2 + ready() * 2 + STATUS + ROWS))
        assert both.watch.asides == [NOTICE, STATUS]
        assert [(entry and chr(entry.kind), said) for entry, said in both.watch.replies] == [
            ("Q", ERROR),
            (None, ERROR),
        ]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("piece", PIECES)
async def test_what_is_taken_holds_up_what_follows_it(implementation: type[Relay], piece: int) -> None:
    """And the replies to what the watch asks of its own do not reach the client."""
    before, ours, after = query("SELECT 1"), query("pgclone"), query("SELECT 2")
    hidden = query("hidden")
    async with ends(implementation) as both:
        relay, watch = both.relay, both.watch
        watch.quick = False
        watch.taking = lambda kind, taken: relay.hold if taken == ours else None
        await both.send(both.client, before + ours + after, piece)
        assert await both.receive(both.server, len(before)) == before
        await both.send(both.server, ROWS + ready(), piece)
        assert await both.receive(both.client, len(ROWS + ready())) == ROWS + ready()
        relay.ask(hidden, Entry(ord("Q"), hidden=True))
        settled = asyncio.create_task(settle(relay))
        assert await both.receive(both.server, len(hidden)) == hidden
        await both.send(both.server, ROWS + NOTIFICATION + ready(b"T"), piece)
        async with asyncio.timeout(20):
            await settled
        assert await both.receive(both.client, len(NOTIFICATION)) == NOTIFICATION, "of another session, for the client"
        assert relay.exchange.status == IN_TRANSACTION
        relay.tell(NOTICE)
        assert await both.receive(both.client, len(NOTICE)) == NOTICE
        assert not both.waiting(both.server)
        relay.release()
        assert await both.receive(both.server, len(after)) == after
        await both.send(both.server, ROWS + ready(), piece)
        assert await both.receive(both.client, len(ROWS + ready())) == ROWS + ready()
        assert watch.shown[:2] == [before, ours]
        assert not both.waiting(both.client)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_the_copy_of_what_is_taken_is_relayed_while_the_rest_waits(implementation: type[Relay]) -> None:
    ours, after = query("COPY ours FROM STDIN"), query("SELECT 2")
    async with ends(implementation) as both:
        relay, watch = both.relay, both.watch
        watch.quick = False
        watch.taking = lambda kind, taken: relay.hold if taken == ours else None
        await both.send(both.client, ours, WHOLE)
        await wait_until_async(lambda: shown(watch, ours))
        relay.ask(ours, Entry(ord("Q")))
        finishing = asyncio.create_task(relay.finished())
        assert await both.receive(both.server, len(ours)) == ours
        await both.send(both.server, COPY_IN, WHOLE)
        assert await both.receive(both.client, len(COPY_IN)) == COPY_IN
        await both.send(both.client, DATA + COPY_DONE + after, WHOLE)
        assert await both.receive(both.server, len(DATA + COPY_DONE)) == DATA + COPY_DONE
        assert not both.waiting(both.server)
        await both.send(both.server, COPIED + ready(), WHOLE)
        async with asyncio.timeout(20):
            await finishing
        relay.release()
        assert await both.receive(both.server, len(after)) == after


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
async def test_the_end_of_a_statement_is_told_once_it_was_asked_for(implementation: type[Relay]) -> None:
    async with ends(implementation) as both:
        await both.send(both.client, query("a") + query("b"), WHOLE)
        await both.receive(both.server, 14)
        both.relay.watch_end = True
        for _ in range(2):
            await both.send(both.server, ROWS + ready(), WHOLE)
            await both.receive(both.client, len(ROWS + ready()))
            assert both.watch.ends == 1
