"""Exchange: conversations, told as what is sent (>) and what the server says (<), and who it belongs to."""

from __future__ import annotations

import pytest

from proxy.wire.exchange import FAILED, IDLE, IN_TRANSACTION, PLAIN, Entry, Exchange

# A script is words: >P is a Parse of the client's, >h:Q a hidden Query, <1 a ParseComplete, <Z:I a ReadyForQuery in
# state I.  Behind each reply stands the kind of the entry that it must belong to, with h: if hidden, or - for none.
CONVERSATIONS = {
    "simple query": ">Q <T=Q <C=Q <Z:I=Q",
    "several results in one query": ">Q <T=Q <C=Q <C=Q <I=Q <Z:I=Q",
    "extended": ">P >B >D >E >S <1=P <2=B <T=D <C=E <Z:I=S",
    "describe statement": ">P >D >S <1=P <t=D <T=D <Z:I=S",
    "no data, suspended, empty": ">D >E >E >S <n=D <s=E <I=E <Z:I=S",
    "error skips to sync": ">P >B >E >S >Q <1=P <E=B <Z:I=S <C=Q <Z:I=Q",
    "error before the sync was sent": ">P <E=P >B >E >S <Z:I=S",
    "error in a query": ">Q <E=Q <Z:E=Q",
    "pipeline of two": ">P >B >E >S >P >B >E >S <1=P <2=B <C=E <Z:I=S <1=P <2=B <C=E <Z:I=S",
    "function call": ">F <V=F <Z:I=F",
    "copy in, simple": ">Q <G=Q >c <C=Q <Z:I=Q",
    "copy in, extended: the sync behind execute is ignored": ">P >B >E >S <1=P <2=B <G=E >c >S <C=E <Z:I=S",
    "copy in, extended, sent blindly": ">P >B >E >S >c >S <1=P <2=B <G=E <C=E <Z:I=S",
    "copy in, client fails it": ">Q <G=Q >f <E=Q <Z:I=Q >Q <C=Q <Z:I=Q",
    "copy in, server fails it": ">P >B >E >S <1=P <2=B <G=E <E=E >S <Z:I=S",
    "late CopyDone is ignored": ">c >Q <C=Q <Z:I=Q",
    "hidden between": ">h:Q >Q <T=h:Q <D=h:Q <C=h:Q <Z:I=h:Q <C=Q <Z:I=Q",
    "hidden in a pipeline": ">P >h:P >h:B >h:E >h:C >B >E >S <1=P <1=h:P <2=h:B <C=h:E <3=h:C <2=B <C=E <Z:I=S",
    "hidden error skips the client's too": ">h:P >h:B >B >E >S <E=h:P <Z:I=S",
    "CopyDone behind a COPY that has failed": ">Q <G=Q <E=Q <Z:I=Q >c >Q <C=Q <Z:I=Q >c",
    "CopyDone behind a COPY that never began": ">Q >c <E=Q <Z:I=Q",
    "notices belong to no one": "<N=- >Q <C=Q <Z:I=Q",
}


def play(script: str) -> Exchange:
    exchange = Exchange()
    for word in script.split():
        if word[0] == ">":
            hidden = word.startswith(">h:")
            kind = ord(word[-1])
            exchange.sent(Entry(kind, hidden=True) if hidden else PLAIN[kind])
            continue
        said, _, expected = word[1:].partition("=")
        kind, _, status = said.partition(":")
        entry = exchange.received(ord(kind), ord(status) if status else 0)
        shown = "-" if entry is None else ("h:" if entry.hidden else "") + chr(entry.kind)
        assert shown == expected, f"{word} in {script}"
    return exchange


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_each_reply_finds_its_owner_and_nothing_stays_owed(name: str) -> None:
    exchange = play(CONVERSATIONS[name])
    assert not exchange.owed
    assert not exchange.skipping


def test_while_the_server_skips_nothing_is_owed() -> None:
    exchange = play(">P <E=P >B >E")
    assert exchange.skipping
    assert not exchange.owed


@pytest.mark.parametrize(
    ("script", "status"), [(">Q <Z:T=Q", IN_TRANSACTION), (">Q <E=Q <Z:E=Q", FAILED), (">Q <Z:I=Q", IDLE)]
)
def test_status_is_that_of_the_last_ready_for_query(script: str, status: int) -> None:
    assert play(script).status == status


@pytest.mark.parametrize(
    ("before", "tag", "block"),
    [
        (IDLE, b"BEGIN\0", True),
        (IDLE, b"START TRANSACTION\0", True),
        (IN_TRANSACTION, b"COMMIT\0", None),  # may be COMMIT AND CHAIN
        (IN_TRANSACTION, b"ROLLBACK\0", None),  # may be ROLLBACK TO SAVEPOINT
        (IN_TRANSACTION, b"COMMIT PREPARED\0", True),
        (IN_TRANSACTION, b"PREPARE TRANSACTION\0", False),
        (IDLE, b"SELECT 1\0", False),
    ],
)
def test_tags_tell_of_blocks_within_a_pipeline(before: int, tag: bytes, block: bool | None) -> None:
    exchange = Exchange()
    exchange.sent(PLAIN[ord("S")])
    exchange.received(ord("Z"), before)
    exchange.completed(PLAIN[ord("E")], tag)
    assert exchange.block is block


def test_what_completes_in_a_failed_transaction_ends_the_failure() -> None:
    exchange = play(">Q <E=Q <Z:E=Q")
    assert exchange.failed
    exchange.completed(PLAIN[ord("E")], b"ROLLBACK\0")
    assert not exchange.failed


def test_a_block_that_the_client_begins_is_known_until_ready_for_query() -> None:
    exchange = Exchange()
    exchange.completed(Entry(ord("E"), hidden=True), b"BEGIN\0")
    assert not exchange.begun
    exchange.completed(PLAIN[ord("E")], b"BEGIN\0")
    assert exchange.begun
    exchange.received(ord("Z"), IN_TRANSACTION)
    assert not exchange.begun


def test_what_the_server_does_not_do_is_taken_back_the_last_first() -> None:
    taken_back: list[str] = []

    def entry(kind: str) -> Entry:
        return Entry(ord(kind), undo=lambda: taken_back.append(kind))

    exchange = Exchange()
    for each in (entry("P"), entry("B"), entry("E"), entry("C")):
        exchange.sent(each)
    exchange.received(ord("1"))
    exchange.received(ord("E"))
    assert taken_back == ["C", "E", "B"]
    exchange.sent(entry("D"))
    assert taken_back[3:] == ["D"]
    exchange.sent(PLAIN[ord("S")])
    exchange.received(ord("Z"))
    exchange.sent(entry("P"))
    exchange.received(ord("1"))
    assert taken_back[3:] == ["D"]


def test_a_hidden_rollback_to_a_savepoint_leaves_the_block_open() -> None:
    exchange = Exchange()
    exchange.completed(PLAIN[ord("E")], b"BEGIN\0")
    exchange.completed(Entry(ord("E"), hidden=True), b"ROLLBACK\0")
    assert exchange.block


def test_names_that_hang_on_replies_to_come() -> None:
    exchange = Exchange()
    naming = Entry(ord("P"), undo=lambda: None)
    exchange.sent(naming)
    assert (exchange.naming, exchange.naming_ended) == (True, False)
    exchange.sent(PLAIN[ord("S")])
    assert exchange.naming_ended
    exchange.received(ord("1"))
    assert (exchange.naming, exchange.naming_ended) == (False, False)
    exchange.received(ord("Z"))
    for kind in "PS":
        exchange.sent(Entry(ord(kind), undo=lambda: None) if kind == "P" else PLAIN[ord(kind)])
    exchange.received(ord("E"))  # which skips it
    assert not exchange.naming
    exchange.received(ord("Z"))
    exchange.sent(Entry(ord("Q"), on_tag=lambda tag: None))
    assert exchange.naming_ended
    exchange.received(ord("C"))
    exchange.received(ord("Z"))
    assert not exchange.naming
