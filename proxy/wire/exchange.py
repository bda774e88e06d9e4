"""What the server still owes, and to whom each of its messages belongs.

A connection's protocol state as a queue: every message sent to the server puts an Entry behind the others, and the
server's replies take entries off in order (protocol chapter 54.2).  An entry says whether its replies are the
client's or the proxy's own (hidden), and what is to be changed in them.  Pure: the session reads and writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile

from clone_engine.records.errors import PgError
from proxy.wire.frames import HEADER, head_at

IDLE, IN_TRANSACTION, FAILED = b"ITE"
# Types of messages, looked at for each one that passes: of the client, then of the server.
SYNC = ord("S")
READY, ERROR, COPY_IN, COMPLETE = b"ZEGC"
# The server's, that nobody has to look at: rows, COPY data, and what begins and ends these (H CopyOutResponse,
# c CopyDone); A is NotificationResponse, V FunctionCallResponse, W CopyBothResponse.
QUIET = frozenset(b"DdAcHVW")
# Those that are looked at, or change more than the front of the queue: errors, notices, settings, COPY's beginning.
SPECIAL = frozenset(b"ENSG")
# How tags begin that may open or end a transaction block.
OF_TRANSACTIONS = (b"BEGIN", b"START", b"COMMIT", b"ROLLBACK", b"PREPARE")

# Replies that complete an entry, by the kind of message that asked for them.  Query and Sync end with ReadyForQuery.
COMPLETES: dict[int, bytes] = {
    ord("P"): b"1",
    ord("B"): b"2",
    ord("C"): b"3",
    ord("D"): b"Tn",
    ord("E"): b"CIs",
    ord("S"): b"Z",
    ord("Q"): b"Z",
    ord("F"): b"Z",
}
# CopyDone and CopyFail get no reply of their own; their entries mark where the client left COPY mode.
COPY_ENDS = frozenset(b"cf")
TERMINATE = ord("X")
# The client's that mean more than one entry more.
NOT_PLAIN = COPY_ENDS | {TERMINATE}
EXTENDED = frozenset(b"PBCDE")
# Behind them nothing is skipped because of an error before.
ENDS = frozenset(b"QSF")
KEPT_ROWS = 1
# An empty deque takes 600 bytes, of which thousands of idle sessions need not have two.
NOTHING: deque[tuple[Entry, int]] = deque()


@dataclass(slots=True, eq=False)
class Entry:
    """One message sent to the server.

    `hidden` entries are the proxy's own: their replies do not reach the client.  `position` maps an error position in
    the text sent to one in the client's text.  `replacement` takes the place of the server's ErrorResponse.
    """

    kind: int
    hidden: bool = False
    position: Callable[[int], int] | None = None
    replacement: PgError | None = None
    drop_parameter: bool = False
    """The ParameterDescription counts a parameter that the client does not know."""
    extra_parameter: bool = False
    """So do the server's complaints about the number of parameters."""
    alias: tuple[bytes, bytes] | None = None
    """The hidden name of a statement in this message, and the client's, which the server's complaints are to have."""
    swallows: bytes = b""
    """Types of the replies that are not for the client; its other replies are."""
    repeated: bool = False
    """Its statement is run more than once: what a function in it did would be done each time."""
    notice: str = ""
    """Takes the place of what the server's notice says that something exists already (42710)."""
    on_tag: Callable[[bytes], None] | None = None
    """Called with the body of each CommandComplete."""
    undo: Callable[[], None] | None = None
    """Called if the server does not do what the message says: it fails, or is skipped behind an error."""
    rows: list[bytes] = field(default_factory=list)
    """Bodies of the DataRows of a hidden entry; at most KEPT_ROWS, since a collect pass may yield any number."""
    error: bytes | None = None
    """Body of the ErrorResponse to this entry, where it is hidden or `swallows` anything."""
    warned: bool = False
    """The server has sent a notice while this hidden entry was in front."""

    @property
    def names(self) -> bool:
        """Whether it changes what a name stands for, if the server does what its message says."""
        return self.undo is not None or self.on_tag is not None


PLAIN: dict[int, Entry] = {kind: Entry(kind) for kind in (*COMPLETES, *COPY_ENDS)}
"""Entries for messages that are forwarded and whose replies need no look: shared, since they keep nothing."""


class Exchange:
    """The queue of what the server owes, and the transaction status that follows from its replies.

    `status` is the byte of the last ReadyForQuery.  In the middle of a pipeline the tags tell more: `block` says
    whether a transaction block is open, None where they do not tell (ROLLBACK may be one to a savepoint, COMMIT may
    chain); `failed` whether the transaction is; `begun` whether the client has opened a block since the last
    ReadyForQuery.  `skipping` says that the server ignores everything up to the next Sync, `copying_in` that it reads
    COPY data.
    """

    __slots__ = ("_ends", "_naming", "begun", "block", "copying_in", "failed", "owed", "skipping", "status")

    def __init__(self) -> None:
        self.owed: deque[Entry] = deque()
        self.status = IDLE
        self.block: bool | None = False
        self.failed = False
        self.begun = False
        self.skipping = False
        self.copying_in = False
        # The entries owed that name something, in order, each with the number of ends that were sent before it: kept,
        # since a pipeline may be long and this is asked for each of its messages.
        self._naming: deque[tuple[Entry, int]] = NOTHING
        self._ends = 0

    def __repr__(self) -> str:
        return f"<Exchange {chr(self.status)} {len(self.owed)} owed{' skipping' if self.skipping else ''}>"

    @property
    def front(self) -> Entry | None:
        """The entry to which the server's next reply belongs."""
        return self.owed[0] if self.owed else None

    @property
    def naming(self) -> bool:
        """Whether what some name stands for hangs on replies that are to come."""
        return bool(self._naming)

    @property
    def naming_ended(self) -> bool:
        """As `naming`, for what is sent next too: it is not skipped if the server refuses to change the name."""
        return bool(self._naming) and self._naming[0][1] < self._ends

    def sent(self, entry: Entry) -> None:
        """Note that the message of `entry` goes to the server."""
        kind = entry.kind
        if self.skipping:
            if kind != SYNC:
                _undo([entry])
                return
            self.skipping = False
        if self.copying_in:
            if kind in COPY_ENDS:
                self.copying_in = False
            # Sync and Flush are ignored in COPY-in mode, so that a client may send Sync right behind Execute.
            _undo([entry])
            return
        if kind in COPY_ENDS and not self.owed:
            return  # the server has given the COPY up meanwhile, and ignores it
        self.owed.append(entry)
        if entry.names:
            if not self._naming:
                self._naming = deque()
            self._naming.append((entry, self._ends))
        if kind in ENDS:
            self._ends += 1

    def sent_plain(self, data: bytes) -> bool:
        """As `sent`, for bytes that are whole messages with PLAIN entries, in a fraction of the time.

        False if they are not, or the state is one in which more has to be thought of; nothing is noted then.
        """
        if self.copying_in or self.skipping:
            return False
        entries = []
        position, size = 0, len(data)
        while size - position >= HEADER:
            kind, length = head_at(data, position)
            if length < 4 or kind in NOT_PLAIN:
                return False
            entry = PLAIN.get(kind)
            if entry is not None:
                entries.append(entry)
            position += 1 + length
        if position != size:
            return False
        self.owed.extend(entries)
        return True

    def received_plain(self, data: bytes) -> int:
        """As `received` and `completed`, for the messages at the beginning of `data` that need no look; how many bytes
        these are.  Takes a fraction of the time.

        They end before one of the SPECIAL types, one that is not whole, and the reply to an entry that is not PLAIN.
        """
        owed = self.owed
        position, size = 0, len(data)
        last = size - HEADER
        while position <= last:
            kind, length = head_at(data, position)
            end = position + 1 + length
            if end > size or length < 4:
                break
            if kind in QUIET:
                position = end
                continue
            if not owed or kind in SPECIAL:
                break
            entry = owed[0]
            if entry is not PLAIN.get(entry.kind):
                break
            if kind == COMPLETE:
                if data.startswith(OF_TRANSACTIONS, position + HEADER):
                    self.completed(entry, data[position + HEADER : end])
                self.failed = False
            if kind == READY or kind in COMPLETES[entry.kind]:
                self._took(kind, data[end - 1])
            position = end
        return position

    def _took(self, kind: int, status: int) -> None:
        """The reply has come that completes the front entry."""
        owed = self.owed
        if kind == READY:
            self.status, self.block, self.failed, self.begun = status, status != IDLE, status == FAILED, False
        owed.popleft()
        while owed and owed[0].kind in COPY_ENDS:
            owed.popleft()

    def received(self, kind: int, status: int = IDLE) -> Entry | None:
        """Note a reply of the server; the entry it belongs to, or None for one that nobody asked for.

        `status` is the byte of a ReadyForQuery.
        """
        owed = self.owed
        if kind == READY:
            self.status, self.block, self.failed, self.begun = status, status != IDLE, status == FAILED, False
        if not owed:
            return None
        entry = owed[0]
        if kind == READY:
            self._gone(owed.popleft())
        elif kind == ERROR:
            self._failed(entry)
        elif kind == COPY_IN:
            self._copy_in(entry)
        elif entry.kind in EXTENDED and kind in COMPLETES[entry.kind]:
            self._gone(owed.popleft())
        while owed and owed[0].kind in COPY_ENDS:
            owed.popleft()
        return entry

    def completed(self, entry: Entry, tag: bytes) -> None:
        """Note the tag of a CommandComplete, which may open or end a transaction block within a pipeline."""
        self.failed = False  # nothing but what ends a failed transaction, or goes back in it, is completed there
        if entry.hidden and tag.startswith(b"ROLLBACK"):
            return  # the proxy's own: always to a savepoint here, else the next ReadyForQuery tells
        if tag.startswith((b"BEGIN", b"START TRANSACTION")):
            self.block = True
            self.begun = not entry.hidden
        elif tag.startswith((b"COMMIT\0", b"ROLLBACK\0")):
            self.block = None
        elif tag.startswith(b"PREPARE TRANSACTION"):
            self.block = False

    def _failed(self, entry: Entry) -> None:
        self.copying_in = False
        if entry.kind not in EXTENDED:
            return
        owed = self.owed
        skipped = list(takewhile(lambda each: each.kind != SYNC, owed))
        for _ in skipped:
            self._gone(owed.popleft())
        self.skipping = not owed
        _undo(skipped)

    def _gone(self, entry: Entry) -> None:
        """It is owed no more, and was the first that was."""
        if self._naming and self._naming[0][0] is entry:
            self._naming.popleft()

    def _copy_in(self, entry: Entry) -> None:
        """COPY-in has begun: what was sent behind `entry` up to CopyDone or CopyFail is ignored by the server."""
        behind = list(self.owed)[1:]
        self.owed.clear()
        self.owed.append(entry)
        ends = next((i for i, e in enumerate(behind) if e.kind in COPY_ENDS), None)
        ignored = behind[:ends]
        self._naming = deque(each for each in self._naming if each[0] not in ignored)
        _undo(ignored)
        if ends is None:
            self.copying_in = True
        else:
            self.owed.extend(behind[ends + 1 :])


def _undo(entries: list[Entry]) -> None:
    """Take back what these messages would have done, the last one first."""
    for entry in reversed(entries):
        if entry.undo is not None:
            entry.undo()
