"""What both protocols' parts share on one session: its encoding, whose names are whose, the snapshot, performing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeVar

from clone_engine.jobs.manager import Caller
from proxy.calls.asked import merged
from proxy.calls.characters import Codecs, representable
from proxy.calls.confidential import revealed
from proxy.calls.filter import names_ours
from proxy.calls.handlers import Actions
from proxy.calls.membership import NONE, rights, rights_column
from proxy.calls.narration import Remark
from proxy.calls.ownership import others, ownership_columns, stubs
from proxy.calls.recent import Known, Recent, Seen
from proxy.calls.recording import result_data
from proxy.calls.rewrite import Reference, Rewritten, deallocations, references, rewrite
from proxy.calls.roles import Roles
from proxy.calls.signatures import Call
from proxy.calls.snapshot import Moment, Snapshots
from proxy.interception.performing import Command, Performing
from proxy.interception.prepared import PreparedStatements
from proxy.session import Session
from proxy.wire import messages
from proxy.wire.encodings import codec_of, decode
from proxy.wire.exchange import Entry

T = TypeVar("T")

LONG = 16 << 10
"""Statements of more characters are parsed in a thread, where the other sessions need not wait for most of it; for
shorter ones going there takes longer than parsing."""


class ServerError(Exception):
    """A hidden message of ours was answered with an ErrorResponse, which is in the entry."""

    def __init__(self, entry: Entry) -> None:
        super().__init__("the server refused")
        self.entry = entry


class Commands(Protocol):
    """Running statements on the client's own server connection, hidden from the client."""

    async def command(self, sql: str) -> list[str | None]:
        """Run one statement; the columns of its first row as text, or [].  ServerError if the server refuses it."""


class Collected(NamedTuple):
    """What the collect pass has found."""

    calls: list[Call]
    least: str
    """The session's client_min_messages, in the transaction that the statement is part of."""


class Context:
    """The session, the caller, and what the session has prepared."""

    def __init__(
        self, session: Session, snapshots: Snapshots, actions: Actions, caller: Caller, roles: Callable[[], Roles]
    ) -> None:
        self.session = session
        self.actions = actions
        self._snapshots = snapshots
        self.caller = roles().with_rights(caller, NONE)
        """With the rights that the server told of last."""
        self._roles = roles
        self.performing = Performing()
        self.prepared = PreparedStatements()
        self._recent = Recent()
        self.used = False
        """Whether there has been a statement of ours: a cursor over it may fail in a later one."""

    def __repr__(self) -> str:
        return f"<Context {self.caller} {self.session!r}>"

    @property
    def codec(self) -> str:
        """Python's codec for the client's encoding."""
        return codec_of(self.session.parameters.get("client_encoding", "UTF8"))

    @property
    def unheard(self) -> bool:
        """Whether the server will not answer what it is sent now: it skips to the next Sync, or reads COPY data."""
        return self.session.exchange.skipping or self.session.exchange.copying_in

    async def plan(
        self, sql: str, commands: Commands, *, extended: bool, void_parameters: frozenset[int] = frozenset()
    ) -> list[Rewritten]:
        """The statements of `sql`, rewritten; [] if nothing in it is ours.

        PgError if its shape or the caller is refused; ServerError if the server could not be asked whose the names are.
        """
        known = self._recent.get(sql)
        names = known.names if known else await _parsing(sql, references)
        left_alone, as_stubs = await self._ask(names, commands)
        old_strings = self.session.parameters.get("standard_conforming_strings") == "off"
        seen = Seen(left_alone, as_stubs, void_parameters, extended, old_strings)
        if known and known.seen == seen:
            self.check_role()
            return known.statements
        prepared = self.prepared.executable()
        statements: list[Rewritten] = await _parsing(sql, rewrite, prepared=prepared, **seen._asdict())
        self.used = self.used or bool(statements)
        if statements:
            self.check_role()
            self._recent.keep(sql, Known(names, seen, statements))
        return statements

    def check_role(self) -> None:
        """PgError 42501 if the configuration denies the caller the functions and the view."""
        self._roles().check(self.caller)

    @property
    def rights_to_ask(self) -> tuple[str, ...]:
        """The roles of which the server has to say, before each statement, whether the caller has their rights."""
        return self._roles().to_ask(self.caller.role, self._snapshots.owners)

    async def ask_rights(self, ask: Command) -> None:
        """Learn which rights the caller has by now, as far as it makes a difference.  The errors of `ask`."""
        roles = self.rights_to_ask
        row = await ask(f"SELECT {self._rights_column(roles)}") if roles else []
        self._learn(roles, row)

    def _rights_column(self, roles: tuple[str, ...]) -> str:
        return rights_column(roles, codec_of(self.session.parameters.get("server_encoding", "UTF8")))

    def _learn(self, roles: tuple[str, ...], row: Sequence[str | None]) -> None:
        self.caller = self._roles().with_rights(self.caller, rights(roles, row[0] if row else None))

    async def drained(self) -> None:
        """Wait until the server owes nothing; within a pipeline it has to be told to flush what it has."""
        if self.session.exchange.owed:
            self.session.ask(messages.flush(), None)
            await self.session.settled()

    def columns(self, entry: Entry) -> list[str | None]:
        """The columns of the first row of a hidden entry, as text; [] if it has none."""
        row = messages.decode_row(entry.rows[0]) if entry.rows else []
        return [None if column is None else decode(column, self.codec).text for column in row]

    def deallocations(self, sql: bytes) -> list[str | None]:
        """The prepared statements that the SQL gives back, as `rewrite.deallocations`, if any is of ours."""
        lower = sql.lower() if self.prepared.may_be_executed else b""
        concerned = b"deallocate" in lower or b"discard" in lower
        return deallocations(decode(sql, self.codec).text) if concerned else []

    async def names_ours(self, sql: str) -> bool:
        """The second step of the filter."""
        if self._recent.get(sql) is not None:
            return True
        return await _parsing(sql, names_ours, prepared=frozenset(self.prepared.executable()))

    def plainly_not_ours(self, sql: bytes) -> bool:
        """Whether a statement that has passed the byte filter can be forwarded at once, without a task of its own.

        It must be short, and no statement under way that might prepare something.
        """
        if len(sql) > LONG or self.session.exchange.owed:
            return False
        text = decode(sql, self.codec).text
        if self._recent.get(text) is not None:
            return False
        return not names_ours(text, prepared=frozenset(self.prepared.executable()))

    async def _ask(
        self, names: frozenset[Reference], commands: Commands
    ) -> tuple[frozenset[Reference], frozenset[Reference]]:
        """The names that are somebody else's, and those that are stubs of ours; and learn the caller's rights."""
        elsewhere = frozenset(name for name in names if name.database not in (None, self.caller.database))
        ordered = sorted(names - elsewhere, key=repr)
        roles = self.rights_to_ask
        columns = [*ownership_columns(ordered), *([self._rights_column(roles)] if roles else [])]
        # A failed transaction cannot be asked, and the statement fails there anyway.
        answered = bool(columns) and not self.session.exchange.failed
        row = await commands.command(f"SELECT {', '.join(columns)}") if answered else []
        if answered and len(row) != len(columns):
            raise messages.ProtocolError("a query has other columns than it asks for")
        self._learn(roles, row[len(ordered) :])
        if not answered:
            return elsewhere, frozenset()
        whose = row[: len(ordered)]
        return elsewhere | others(ordered, whose), stubs(ordered, whose)

    def moment(self) -> Moment:
        """The jobs as they are now.  A statement with actions sees them so each time that it runs: an action must not
        change which rows of the view it is called for."""
        return self._snapshots.moment(self.caller)

    def data(
        self, statements: Sequence[Rewritten], results: dict[str, Any] | None = None, since: Moment | None = None
    ) -> str:
        """The JSON of what `statements` read, with the results of their actions if there are any yet.

        Where there is a moment `since`, the jobs that were there then are shown as they were.
        """
        sections = frozenset().union(*(statement.sections for statement in statements))
        asked = merged(statement.asked for statement in statements)
        members = self._members(sections, asked, since)
        members |= {name: json.dumps(representable(value, self.codecs)) for name, value in (results or {}).items()}
        return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"

    def snapshot(self, sections: frozenset[str]) -> dict[str, Any]:
        """The sections of the snapshot, in characters that the session's encodings have."""
        return {name: json.loads(text) for name, text in self._members(sections, None, None).items()}

    def _members(self, sections: frozenset[str], asked: frozenset[int] | None, since: Moment | None) -> dict[str, str]:
        return self._snapshots.sections(self.caller, sections, asked=asked, codecs=self.codecs, since=since)

    def literal(self, data: str) -> str:
        """`data` as an SQL literal of type jsonb.  Dollar quotes hold whatever the lexical settings are."""
        tag = "$pgclone$"
        while tag in data:
            tag = f"{tag[:-1]}_$"
        return f"{tag}{data}{tag}::pg_catalog.jsonb"

    async def perform(
        self,
        commands: Commands,
        collected: Collected,
        rewritten: Rewritten,
        secrets: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Do what the recorded calls ask, in order; the results as members of the snapshot.

        `secrets` are the values of confidential parameters by their stand-ins.
        PgError of the first one that is refused or cancelled; those before it stay done, as background workers' would.
        """
        results = []
        tell = partial(self._tell, collected.least)
        for _, together in groupby(collected.calls, key=lambda call: call.signature.name):
            calls = [revealed(call, {**rewritten.secrets, **(secrets or {})}) for call in together]
            self.actions.foresee(self.caller, calls)
            for call in calls:
                work = self.actions.perform(self.caller, call, tell)
                results.append(await self.performing.result(work, commands.command))
        return result_data(collected.calls, results, rewritten.sites)

    def _tell(self, least: str, remark: Remark) -> None:
        """Show the client a remark, as a server whose client_min_messages is `least` would."""
        if remark.shown(least):
            self.session.tell(
                messages.encode_notice(remark.text, self.codec, remark.wire_severity, remark.sqlstate, remark.hint)
            )

    @property
    def codecs(self) -> Codecs:
        """Those of the database's and the client's encodings that lack characters."""
        parameters = self.session.parameters
        names = ("server_encoding", "client_encoding")
        return frozenset(codec_of(parameters.get(name, "UTF8")) for name in names) - {"utf-8"}


async def _parsing(sql: str, work: Callable[..., T], **arguments: Any) -> T:
    """The result of `work` on a statement, which parses it."""
    if len(sql) > LONG:
        return await asyncio.to_thread(work, sql, **arguments)
    return work(sql, **arguments)
