"""Query messages that name something of ours.

Reads are forwarded as one rewritten Query, also when it holds several statements.  With an action in it the string
goes statement by statement, inside a hidden transaction block where PostgreSQL would have had an implicit one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.recording import CLEAR_ANSWER, CLEAR_ANSWER_ALONE
from proxy.calls.rewrite import Rendered, Rewritten, join
from proxy.calls.snapshot import Moment
from proxy.interception.context import Collected, Context, ServerError
from proxy.interception.passes import collect
from proxy.interception.prepared import noting
from proxy.interception.replies import REJECT, client_error, rejected
from proxy.wire import messages
from proxy.wire.encodings import Text, decode
from proxy.wire.exchange import FAILED, IDLE, PLAIN, Entry
from proxy.wire.frames import HEADER

ONLY_IN_BLOCKS = {
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "RELEASE SAVEPOINT",
    "ROLLBACK TO": "ROLLBACK TO SAVEPOINT",
    "COMMIT AND CHAIN": "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN": "ROLLBACK AND CHAIN",
}
"""Commands that PostgreSQL refuses outside a transaction block that was begun, by their names in the error."""
NO_BLOCK = "there is no transaction in progress"
NO_ACTIVE_TRANSACTION = "25P01"


class SimpleQueries:
    """Answers Query messages on one session."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._session = context.session

    # --- hidden commands (context.Commands) ---------------------------------------------------------------

    async def command(self, sql: str) -> list[str | None]:
        """Run one statement as a hidden Query; the columns of its first row, or [].  ServerError if refused."""
        return self._context.columns(await self.hidden(sql.encode()))

    async def hidden(self, sql: bytes, position: Callable[[int], int] | None = None) -> Entry:
        """Run a hidden Query; its entry, all replies noted.  ServerError if the server refuses it."""
        entry = Entry(ord("Q"), hidden=True, position=position)
        self._session.ask(messages.query(sql), entry)
        await self._session.settled()
        if entry.error is not None:
            raise ServerError(entry)
        return entry

    async def roll_back(self) -> None:
        """End the transaction block that the proxy has begun.  A CancelRequest may strike ROLLBACK as any command."""
        while self._session.exchange.status != IDLE:
            with suppress(ServerError):
                await self.command("ROLLBACK")

    # --- Query --------------------------------------------------------------------------------------------

    async def query(self, frame: bytes) -> None:
        """Answer a Query message that has passed the byte filter."""
        text = decode(frame[HEADER:-1], self._context.codec)
        await self._context.drained()
        if self._context.unheard or not await self._context.names_ours(text.text):
            self._forward_plain(frame)
            return
        try:
            statements = await self._context.plan(text.text, self, extended=False)
        except PgError as refusal:
            self._reject(refusal)
            return
        except ServerError as error:
            self._session.tell(client_error(error.entry, error.entry.error or b"", self._context.codec))
            self._session.tell(messages.ready(self._session.exchange.status))
            return
        if not statements:
            self._forward_plain(frame)
        elif any(statement.kind == "action" or statement.notice for statement in statements):
            await _Script(self._context, self, text, statements).run()
        else:
            self._forward_reads(text, statements)

    def deallocate(self, frame: bytes, given_back: Sequence[str | None]) -> None:
        """Forward a Query that gives back prepared statements."""
        self._session.ask(frame, Entry(ord("Q"), on_tag=self._context.prepared.noting((), given_back)))

    def _forward_plain(self, frame: bytes) -> None:
        given_back = self._context.deallocations(frame[HEADER:-1])
        if given_back:
            self.deallocate(frame, given_back)
        else:
            self._session.ask(frame, PLAIN[ord("Q")])

    def _forward_reads(self, text: Text, statements: Sequence[Rewritten]) -> None:
        data = self._context.literal(self._context.data(statements))
        rendered = join([statement.render(data) for statement in statements])
        self.forward(rendered, text.codec, noting(self._context.prepared, statements, text.codec))

    def forward(self, rendered: Rendered, codec: str, on_tag: Callable[[bytes], None] | None = None) -> Entry:
        """Send rewritten text as a Query of the client's; the entry that is owed for it."""
        entry = Entry(ord("Q"), position=rendered.client_position, on_tag=on_tag)
        self._session.ask(messages.query(rendered.text.encode(codec)), entry)
        return entry

    def _reject(self, refusal: PgError) -> None:
        self._session.ask(messages.query(REJECT.encode()), rejected(refusal))


class _Script:
    """A Query with an action in it, statement by statement; one ReadyForQuery at its end."""

    def __init__(self, context: Context, simple: SimpleQueries, text: Text, statements: Sequence[Rewritten]) -> None:
        self._context = context
        self._session = context.session
        self._simple = simple
        self._codec = text.codec
        self._statements = statements
        self._hidden_block = False
        self._failed = False

    @property
    def _status(self) -> int:
        return self._session.exchange.status

    async def run(self) -> None:
        """Answer the Query, its ReadyForQuery included."""
        for statement in self._statements:
            if self._failed:
                break
            try:
                await self._open_block(statement)
            except ServerError as error:
                self._tell_error(error.entry)
                break
            if self._hidden_block and statement.control:
                await self._in_hidden_block(statement)
            elif statement.kind == "action":
                await self._action(statement)
            else:
                await self._forward(statement, self._context.data([statement]))
        if self._hidden_block:
            await self._end_block()
        self._session.tell(messages.ready(self._status))

    async def _open_block(self, statement: Rewritten) -> None:
        if self._status == IDLE:
            self._hidden_block = False  # a COMMIT or ROLLBACK of the client's has ended it
            if len(self._statements) > 1 and not statement.control:
                await self._simple.command("BEGIN")
                self._hidden_block = True

    async def _in_hidden_block(self, statement: Rewritten) -> None:
        """Control of transactions where PostgreSQL has but an implicit block."""
        if statement.control == "BEGIN":
            await self._take_over(statement)
        elif statement.control in ONLY_IN_BLOCKS:
            await self._reject(refusals.only_in_blocks(ONLY_IN_BLOCKS[statement.control]))
        else:
            self._session.tell(messages.encode_notice(NO_BLOCK, self._codec, "WARNING", NO_ACTIVE_TRANSACTION))
            await self._forward(statement, self._context.data([statement]))

    async def _take_over(self, statement: Rewritten) -> None:
        """A BEGIN inside the hidden block makes it the client's, as PostgreSQL does with its implicit one."""
        try:
            if statement.modes:
                await self._simple.command(f"SET TRANSACTION {statement.modes}")
        except ServerError as error:
            self._tell_error(error.entry)
        else:
            self._hidden_block = False
            self._session.tell(messages.message(b"C", b"BEGIN\0"))

    async def _end_block(self) -> None:
        try:
            if not self._failed and self._status != IDLE:
                await self._simple.command("COMMIT")
        except ServerError as error:
            self._tell_error(error.entry)
        await self._simple.roll_back()

    async def _forward(self, statement: Rewritten, data: str) -> None:
        rendered = statement.render(self._context.literal(data))
        entry = self._simple.forward(rendered, self._codec, noting(self._context.prepared, [statement], self._codec))
        entry.swallows, entry.notice, entry.repeated = b"Z", statement.notice, statement.kind == "action"
        await self._session.finished()
        self._failed = entry.error is not None

    async def _action(self, statement: Rewritten) -> None:
        if self._status == FAILED:
            await self._forward(statement, self._context.data([statement]))
            return
        alone = self._status == IDLE
        moment = self._context.moment()
        try:
            if alone:
                await self._simple.command("BEGIN")
            try:
                calls = await self._collect(statement, moment)
            except (ServerError, PgError):
                await self._undo(alone)
                raise
            await self._undo(alone)
            results = await self._context.perform(self._simple, calls, statement)
            await self._simple.command(CLEAR_ANSWER_ALONE if alone else CLEAR_ANSWER)
        except ServerError as error:
            self._tell_error(error.entry)
        except PgError as refusal:
            await self._reject(refusal)
        else:
            await self._forward(statement, self._context.data([statement], results, moment))

    async def _undo(self, alone: bool) -> None:
        """Nothing of the collect pass may stay; in the client's own block its failure must."""
        if alone:
            await self._simple.roll_back()

    async def _collect(self, statement: Rewritten, moment: Moment) -> Collected:
        rendered = statement.render(self._context.literal(self._context.data([statement], since=moment)))

        async def record() -> None:
            await self._simple.hidden(rendered.text.encode(self._codec), rendered.client_position)

        return await collect(self._simple, record, statement)

    def _tell_error(self, entry: Entry) -> None:
        self._failed = True
        assert entry.error is not None
        self._session.tell(client_error(entry, entry.error, self._codec))

    async def _reject(self, refusal: PgError) -> None:
        self._failed = True
        entry = rejected(refusal)
        entry.swallows = b"Z"
        self._session.ask(messages.query(REJECT.encode()), entry)
        await self._session.settled()
