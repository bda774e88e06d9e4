"""Parse, Bind, Describe, Execute, Close and Sync for statements that name something of ours.

A rewritten statement has one hidden parameter behind the client's, which each Bind fills with the snapshot of that
moment; so a statement that was parsed once is fresh at every use.  An action is collected and performed at the first
Execute of its portal.  Hidden messages have names of their own and no Sync, which would end the pipeline's
transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_hex
from typing import Any

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.confidential import PARAMETER
from proxy.calls.filter import may_name_ours
from proxy.calls.recording import CLEAR_ANSWER, UNANSWERED
from proxy.calls.rewrite import Rewritten
from proxy.calls.snapshot import Moment
from proxy.interception.context import Context, ServerError
from proxy.interception.passes import collect
from proxy.interception.prepared import Named, Ours, Undo, noting
from proxy.interception.replies import REJECT, client_error
from proxy.wire import messages
from proxy.wire.encodings import decode
from proxy.wire.exchange import FAILED, IDLE, PLAIN, Entry
from proxy.wire.frames import HEADER
from proxy.wire.messages import JSONB_OID, Bind, Execute, Parse, ProtocolError

VOID_OID = 2278
INTEGER_OIDS = frozenset({0, 20, 21, 23})
"""Of parameters that hold a job's number: undeclared, which the server makes an integer, int8, int2, int4."""
# The count in Parse and Bind has 16 bits (chapter 54.7), so a statement may leave no room for a hidden parameter.
MOST_PARAMETERS = 65535
NAMING = frozenset(b"PBDEC")
"""Messages with names of statements and portals."""

ACTIVE_TRANSACTION = b"25001"
NO_PARAMETERS = Bind(b"", b"", (), (), b"\0\0")
SHOW_WARNINGS = (
    "SELECT pg_catalog.current_setting('client_min_messages'),"
    " pg_catalog.set_config('client_min_messages', 'warning', true)"
)

Work = Callable[[], Coroutine[Any, Any, None] | None]
"""What is to be done with a message in place of forwarding it: at once, or with the client waiting."""


@dataclass(slots=True)
class Portal:
    """A portal that was bound to one of ours."""

    ours: Ours
    bind: Bind
    """With stand-ins in place of confidential parameters."""
    secrets: dict[str, str]
    """Their values."""
    syncs: int
    """How many Syncs the client had sent when it was bound."""
    answered: bool = False


class ExtendedQueries:
    """Answers the extended protocol's messages on one session."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._session = context.session
        self._prepared = context.prepared
        self._portals: Named[bytes, Portal] = Named()
        # A client may use any name, a fixed prefix of ours included.
        prefix = b"pgclone_proxy_" + token_hex(4).encode()
        self._names = (b"%s_%d" % (prefix, number) for number in itertools.count(1))
        self._syncs = 0
        self.promoted = False
        """Whether a hidden BEGIN has made the pipeline's implicit transaction a block."""
        self._on: dict[int, Callable[[bytes], Work | None]] = {
            ord("P"): self._on_parse,
            ord("B"): self._on_bind,
            ord("D"): self._on_describe,
            ord("E"): self._on_execute,
            ord("C"): self._on_close,
            ord("S"): self._on_sync,
        }

    @property
    def active(self) -> bool:
        """Whether any message may be about something of ours."""
        return bool(self._prepared or self._portals or self.promoted) or self._session.exchange.naming

    def work(self, kind: int, frame: bytes) -> Work | None:
        """What a whole message needs; None if it is to be forwarded as it came."""
        handler = self._on.get(kind)
        if handler is None:
            return None
        if kind in NAMING and self._session.exchange.naming_ended:
            return partial(self._when_known, kind, frame)
        try:
            return handler(frame)
        except ProtocolError:
            return None  # the server's to complain about

    async def _when_known(self, kind: int, frame: bytes) -> None:
        await self._context.drained()
        work = self.work(kind, frame)
        if work is None:
            self._ask(frame, PLAIN[kind])
        elif (waiting := work()) is not None:
            await waiting

    # --- messages -----------------------------------------------------------------------------------------

    def _on_parse(self, frame: bytes) -> Work | None:
        may_be_ours = may_name_ours(frame, prepared=self._prepared.may_be_executed)
        if not may_be_ours and not self._prepared:
            return None
        parse = messages.decode_parse(frame[HEADER:])
        if may_be_ours and not self._context.plainly_not_ours(parse.sql):
            return partial(self._parse, frame)
        return partial(self._parse_plain, frame, parse) if self._concerns_ours(parse) else None

    def _concerns_ours(self, parse: Parse) -> bool:
        """Whether it takes the name of a prepared statement of ours, or gives one back."""
        taken = self._prepared.get(self._text_of(parse.statement)) is not None
        return taken or bool(self._context.deallocations(parse.sql))

    def _on_bind(self, frame: bytes) -> Work | None:
        self._forget_portals()
        portal, statement = messages.bind_names(frame[HEADER:])
        ours = self._statement(statement)
        if ours is None:
            return partial(self._close, frame, ord("B"), self._portals, portal) if self._portals.get(portal) else None
        if ours.rewritten.kind == "action" and ours.in_sql:
            # What would have to be run twice is the text of a PREPARE.
            return partial(self._reject, next(self._names), refusals.execute_in_parse())
        bind, secrets = _concealed(messages.decode_bind(frame[HEADER:]), ours)
        bound = self._bind_asking if self._context.rights_to_ask else self._bind
        return partial(bound, Portal(_asking(ours, bind), bind, secrets, self._syncs))

    def _statement(self, name: bytes) -> Ours | None:
        return self._prepared.get(self._text_of(name))

    def _text_of(self, name: bytes) -> str:
        return decode(name, self._context.codec).text

    def _forget_portals(self) -> None:
        """Forget the portals that have ended with their transaction: drivers need not close them."""
        exchange = self._session.exchange
        if self._portals and exchange.status == IDLE and not exchange.owed:
            self._portals.keep(lambda portal: portal.syncs == self._syncs)

    def _on_describe(self, frame: bytes) -> Work | None:
        what, name = messages.decode_target(frame[HEADER:])
        ours = self._statement(name) if what == b"S" else None
        if ours is None or not ours.number:
            return None
        return partial(self._ask, frame, Entry(ord("D"), drop_parameter=True))

    def _on_execute(self, frame: bytes) -> Work | None:
        execute = messages.decode_execute(frame[HEADER:])
        portal = self._portals.get(execute.portal)
        if portal is None:
            return None
        if portal.ours.rewritten.kind == "action" and not portal.answered:
            return partial(self._execute, portal, execute, frame)
        entry = _entry("E", portal.ours)
        entry.on_tag = noting(self._prepared, [portal.ours.rewritten], portal.ours.codec)
        return partial(self._ask, frame, entry)

    def _on_close(self, frame: bytes) -> Work | None:
        what, name = messages.decode_target(frame[HEADER:])
        if what == b"S":
            return partial(self._close, frame, ord("C"), self._prepared, self._text_of(name))
        return partial(self._close, frame, ord("C"), self._portals, name)

    def _close(self, frame: bytes, kind: int, named: Named[Any, Any], name: Any) -> None:
        """Forward a message after which the name is none of ours."""
        self._ask(frame, Entry(kind, undo=named.put(name, None)))

    def _on_sync(self, frame: bytes) -> Work | None:
        self._syncs += 1
        return partial(self.finish, frame) if self.promoted else None

    def _ask(self, message: bytes, entry: Entry) -> None:
        self._session.ask(message, entry)

    # --- Parse and Bind -----------------------------------------------------------------------------------

    async def _parse(self, frame: bytes) -> None:
        try:
            parse = messages.decode_parse(frame[HEADER:])
        except ProtocolError:
            self._ask(frame, PLAIN[ord("P")])
            return
        text = decode(parse.sql, self._context.codec)
        plan = await self._plan(parse, text.text) if await self._context.names_ours(text.text) else []
        if plan is None:
            return
        if len(plan) != 1:
            self._parse_plain(frame, parse)
            return
        ours = self._ours(plan[0], parse, text.codec)
        sql, entry = ours.rendered.text.encode(text.codec), _entry("P", ours)
        entry.undo = self._prepared.put(self._text_of(parse.statement), ours)
        self._ask(parse._replace(sql=sql, types=ours.types).encode(), entry)

    def _parse_plain(self, frame: bytes, parse: Parse) -> None:
        """Forward a Parse of what is not ours; a DEALLOCATE is taken for executed."""
        taken_back = [self._prepared.put(self._text_of(parse.statement), None)]
        taken_back += [self._prepared.deallocate(name) for name in self._context.deallocations(parse.sql)]

        def undo() -> None:
            for each in reversed(taken_back):
                each()

        self._ask(frame, Entry(ord("P"), undo=undo))

    async def _plan(self, parse: Parse, sql: str) -> list[Rewritten] | None:
        """The rewritten statements; [] to forward the message; None if it has been answered."""
        await self._context.drained()
        if self._context.unheard:
            return []
        voids = frozenset(number for number, oid in enumerate(parse.types, 1) if oid == VOID_OID)
        try:
            return await self._context.plan(sql, self, extended=True, void_parameters=voids)
        except ServerError as error:
            self._tell_error(error.entry)
        except PgError as refusal:
            self._reject(parse.statement, refusal)
        return None

    def _ours(self, rewritten: Rewritten, parse: Parse, codec: str) -> Ours:
        number = max(rewritten.parameters, len(parse.types)) + 1
        if not rewritten.parameter_ok or number > MOST_PARAMETERS:
            data = self._context.data([rewritten])
            return Ours(rewritten, rewritten.render(self._context.literal(data)), parse.types, 0, codec)
        types = parse.types + (0,) * (number - 1 - len(parse.types)) + (JSONB_OID,)
        return Ours(rewritten, rewritten.render(f"${number}::pg_catalog.jsonb"), types, number, codec)

    async def _bind_asking(self, portal: Portal) -> None:
        """Bind, once the server has said whose jobs the caller may see by now."""
        await self._context.drained()
        try:
            if not (self._context.unheard or self._session.exchange.failed):
                await self._ask_rights()
        except ServerError as error:
            self._tell_error(error.entry)
        except PgError as refusal:
            self._reject(next(self._names), refusal)
        else:
            self._bind(portal)

    async def _ask_rights(self) -> None:
        await self._context.ask_rights(self.command)
        self._context.check_role()

    def _bind(self, portal: Portal) -> None:
        ours, bind = portal.ours, portal.bind
        # An action gets its results when it is executed; without them this portal can only fail, not answer.
        results = UNANSWERED if ours.rewritten.kind == "action" else None
        data = self._context.data([ours.rewritten], results)
        undo = self._portals.put(bind.portal, portal)
        if ours.number and len(bind.parameters) < MOST_PARAMETERS:
            entry = _entry("B", ours)
            entry.undo = undo
            self._ask(_filled(bind, ours, data).encode(), entry)
        else:
            rendered = ours.rewritten.render(self._context.literal(data))
            types = ours.types[: ours.number - 1] if ours.number else ours.types
            portal.ours = replace(ours, rendered=rendered, types=types, number=0)
            self._bind_anew(portal, undo)

    def _bind_anew(self, portal: Portal, undo: Undo) -> None:
        """Bind a statement that takes no parameter for the data: parsed again, so that they are of this moment."""
        ours, name = portal.ours, next(self._names)
        parse, close = _entry("P", ours), Entry(ord("C"), swallows=b"3")
        parse.swallows = b"1"
        self._ask(Parse(name, ours.rendered.text.encode(ours.codec), ours.types).encode(), parse)
        bind = _entry("B", ours)
        bind.undo, bind.alias = undo, (name, portal.bind.statement)
        self._ask(portal.bind._replace(statement=name).encode(), bind)
        self._ask(messages.close(b"S", name), close)

    # --- Execute of an action -----------------------------------------------------------------------------

    async def _execute(self, portal: Portal, execute: Execute, frame: bytes) -> None:
        await self._context.drained()
        if self._context.unheard or self._session.exchange.failed:
            # The server ignores it, or complains about the failed transaction.
            self._ask(frame, PLAIN[ord("E")])
            return
        portal.answered = True
        try:
            await self._ask_for_portal(execute.portal)
            await self._promote()
            await self._ask_rights()
            moment = self._context.moment()
            calls = await collect(self, partial(self._record, portal, moment), portal.ours.rewritten)
            results = await self._context.perform(self, calls, portal.ours.rewritten, portal.secrets)
            await self.command(CLEAR_ANSWER)
            await self._rebind(portal, results, moment)
        except ServerError as error:
            self._tell_error(error.entry)
        except PgError as refusal:
            self._reject(next(self._names), refusal)
        else:
            self._ask(frame, _entry("E", portal.ours))

    async def _ask_for_portal(self, name: bytes) -> None:
        """ServerError if the portal is no more: closed by Sync or CLOSE, or with its transaction or savepoint."""
        await self._hidden_messages(((messages.describe(b"P", name), Entry(ord("D"))),))

    async def _promote(self) -> None:
        """A savepoint needs a transaction block; the pipeline's implicit transaction becomes one."""
        exchange = self._session.exchange
        if exchange.block is None:
            # In a block BEGIN does nothing but warn, which tells the two apart.
            ours = self.promoted and not exchange.begun
            level, _ = await self.command(SHOW_WARNINGS)
            self.promoted = not (await self._hidden(b"BEGIN", (), NO_PARAMETERS)).warned or ours
            await self.command(f"SELECT pg_catalog.set_config('client_min_messages', '{level}', true)")
        elif not exchange.block:
            await self.command("BEGIN")
            self.promoted = True

    async def _record(self, portal: Portal, moment: Moment) -> None:
        ours = portal.ours
        data = self._context.data([ours.rewritten], since=moment)
        await self._hidden(self._text(ours, data), ours.types, _filled(portal.bind, ours, data), ours)

    async def _rebind(self, portal: Portal, results: dict[str, Any], moment: Moment) -> None:
        """Bind the client's portal again, now to the statement with the results."""
        ours, name = portal.ours, next(self._names)
        data = self._context.data([ours.rewritten], results, moment)
        bind = _filled(portal.bind, ours, data)._replace(statement=name)
        await self._hidden_messages(
            (
                (Parse(name, self._text(ours, data), ours.types).encode(), _entry("P", ours)),
                (messages.close(b"P", bind.portal), Entry(ord("C"))),
                (bind.encode(), _entry("B", ours)),
                (messages.close(b"S", name), Entry(ord("C"))),
            )
        )

    def _text(self, ours: Ours, data: str) -> bytes:
        rendered = ours.rendered if ours.number else ours.rewritten.render(self._context.literal(data))
        return rendered.text.encode(ours.codec)

    # --- Sync ---------------------------------------------------------------------------------------------

    async def finish(self, frame: bytes) -> None:
        """End the hidden block as the Sync in `frame` would have ended the implicit transaction."""
        await self._context.drained()
        exchange = self._session.exchange
        if exchange.copying_in:
            self._ask(frame, Entry(ord("S")))
            return
        if exchange.begun:
            # The client's own BEGIN has made the block the client's, as it would have done with the implicit one.
            self.promoted = False
            self._ask(frame, Entry(ord("S")))
            return
        if exchange.block is not False and not exchange.skipping:
            try:
                await self.command("COMMIT")
            except ServerError as error:
                self._tell_error(error.entry)
        self.promoted = False
        await self._sync(frame)

    async def _sync(self, frame: bytes) -> None:
        """Synchronize where the hidden block has been committed or has failed."""
        self._ask(frame, Entry(ord("S"), swallows=b"Z"))
        await self._session.settled()
        while self._session.exchange.status == FAILED:  # a CancelRequest may strike ROLLBACK as any command
            self._ask(messages.query(b"ROLLBACK"), Entry(ord("Q"), hidden=True))
            await self._session.settled()
        self._session.tell(messages.ready(self._session.exchange.status))

    def warns_of_ours(self, notice: bytes) -> bool:
        """Whether this notice's body complains of the hidden BEGIN, where the client's own was to be the first."""
        ours = self.promoted and not self._session.exchange.begun
        return ours and messages.decode_fields(notice).get("C") == ACTIVE_TRANSACTION

    async def ended(self) -> bool:
        """End the hidden block for a Query that follows without Sync; whether the Query is still to be answered."""
        await self._context.drained()
        exchange = self._session.exchange
        if self._context.unheard:
            return True  # the server does not heed the Query either
        self.promoted = False
        if exchange.begun or exchange.block is False:
            return True
        try:
            await self.command("COMMIT")
        except ServerError as error:
            self._tell_error(error.entry)
            await self._sync(messages.sync())
            return False
        return True

    # --- hidden messages ----------------------------------------------------------------------------------

    async def command(self, sql: str) -> list[str | None]:
        """Run one statement within the pipeline; the columns of its first row, or [].  ServerError if refused."""
        return self._context.columns(await self._hidden(sql.encode(), (), NO_PARAMETERS))

    async def _hidden(self, sql: bytes, types: tuple[int, ...], bind: Bind, ours: Ours | None = None) -> Entry:
        name = next(self._names)
        execute = _entry("E", ours)
        await self._hidden_messages(
            (
                (Parse(name, sql, types).encode(), _entry("P", ours)),
                (bind._replace(portal=name, statement=name).encode(), _entry("B", ours)),
                (messages.execute(name), execute),
                (messages.close(b"P", name), Entry(ord("C"))),
                (messages.close(b"S", name), Entry(ord("C"))),
            )
        )
        return execute

    async def _hidden_messages(self, asked: tuple[tuple[bytes, Entry], ...]) -> None:
        for message, entry in asked:
            entry.hidden = True
            self._ask(message, entry)
        await self._context.drained()
        for _, entry in asked:
            if entry.error is not None:
                raise ServerError(entry)

    def _reject(self, statement: bytes, refusal: PgError) -> None:
        # The server fails the transaction and skips to the next Sync, as it would have for an error of its own.
        reject = Parse(statement, REJECT.encode(), ()).encode()
        self._ask(reject, Entry(ord("P"), replacement=refusal))

    def _tell_error(self, entry: Entry) -> None:
        assert entry.error is not None
        self._session.tell(client_error(entry, entry.error, self._context.codec))


def _entry(kind: str, ours: Ours | None) -> Entry:
    if ours is None:
        return Entry(ord(kind))
    return Entry(
        ord(kind),
        position=ours.rendered.client_position,
        extra_parameter=bool(ours.number),
        notice=ours.rewritten.notice,
        repeated=ours.rewritten.kind == "action",
    )


def _filled(bind: Bind, ours: Ours, data: str) -> Bind:
    return bind.with_parameter(data.encode()) if ours.number else bind


def _asking(ours: Ours, bind: Bind) -> Ours:
    """`ours` with the jobs that it asks the progress of by parameters."""
    asked = ours.rewritten.asked
    if asked is None or not asked.parameters:
        return ours
    types = dict(enumerate(ours.types, 1))
    values = [bind.integer(n) if types.get(n, 0) in INTEGER_OIDS else None for n in asked.parameters]
    return replace(ours, rewritten=replace(ours.rewritten, asked=asked.with_numbers(values)))


def _concealed(bind: Bind, ours: Ours) -> tuple[Bind, dict[str, str]]:
    """The Bind with stand-ins for its confidential parameters, and these.  Text is the same in both formats."""
    parameters, secrets = list(bind.parameters), {}
    for number in ours.rewritten.secret_parameters:
        value = parameters[number - 1] if number <= len(parameters) else None
        if value is not None:
            stand_in = f"{PARAMETER}{number}"
            secrets[stand_in] = decode(value, ours.codec).text
            parameters[number - 1] = stand_in.encode()
    return bind._replace(parameters=tuple(parameters)), secrets
