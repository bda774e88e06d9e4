"""What a session hands over: the byte filter, and which protocol's part a message goes to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from clone_engine.jobs.manager import Caller
from clone_engine.records.request import Conninfo
from proxy.calls.filter import may_name_ours
from proxy.calls.handlers import Actions
from proxy.calls.roles import Roles
from proxy.calls.snapshot import Snapshots
from proxy.interception.call_backs import CallBacks
from proxy.interception.context import Context
from proxy.interception.extended import ExtendedQueries, Work
from proxy.interception.mailbox import Mailboxes
from proxy.interception.replies import client_reply, late_error
from proxy.interception.simple import SimpleQueries
from proxy.session import Session
from proxy.wire.exchange import Entry
from proxy.wire.frames import HEADER


class SqlInterceptor:
    """Answers statements of ours on one session (session.Interceptor).  `roles` gives the lists that count now."""

    def __init__(
        self,
        session: Session,
        snapshots: Snapshots,
        actions: Actions,
        roles: Callable[[], Roles],
        mailboxes: Mailboxes,
    ) -> None:
        principal = session.principal
        credential = Conninfo(session.credential.parameters() if session.credential else {})
        caller = Caller(
            principal.role,
            principal.database,
            backend=session.backend,
            server=session.connected.parameters,
            credential=credential,
        )
        self._context = Context(session, snapshots, actions, caller, roles)
        self._simple = SimpleQueries(self._context)
        self._extended = ExtendedQueries(self._context)
        self._call_backs = CallBacks(self._context, mailboxes)

    def __repr__(self) -> str:
        return f"<SqlInterceptor {self._context!r}>"

    @property
    def wants_all(self) -> bool:
        """Whether messages other than Query and Parse have to be shown to `takes` as well."""
        return self._extended.active

    def passes(self, data: bytes) -> bool:
        """Whether `takes` would give None for all messages in `data`.  It may say no too often."""
        return not self._extended.active and not may_name_ours(data, prepared=self._context.prepared.may_be_executed)

    @property
    def performing(self) -> bool:
        """Whether a statement waits for what its calls do, and the server for the statement."""
        return self._context.performing.active

    def cancel(self) -> bool:
        """Stop what calls are doing; False if they do nothing."""
        return self._context.performing.cancel()

    def takes(self, kind: int, frame: bytes) -> Work | None:
        """The work that a whole client message needs, or None if it is to be forwarded as it came."""
        if kind != ord("Q"):
            return self._extended.work(kind, frame)
        sql = frame[HEADER:-1]
        may_be_ours = may_name_ours(frame, prepared=self._context.prepared.may_be_executed)
        if self._extended.promoted or (may_be_ours and not self._context.plainly_not_ours(sql)):
            return partial(self._query, frame)
        given_back = self._context.deallocations(sql)
        return partial(self._simple.deallocate, frame, given_back) if given_back else None

    def _query(self, frame: bytes) -> Coroutine[Any, Any, None]:
        return self._query_after_pipeline(frame) if self._extended.promoted else self._simple.query(frame)

    async def _query_after_pipeline(self, frame: bytes) -> None:
        # A Query ends the implicit transaction of a pipeline, so it ends the block that stands for it.
        if await self._extended.ended():
            await self._simple.query(frame)

    def heard(self, message: bytes) -> bool:
        """Take the body of a NoticeResponse if it is not for the client."""
        return self._call_backs.heard(message)

    def statement_ended(self) -> None:
        """The server has finished a statement in which something was heard."""
        self._call_backs.statement_ended()

    def close(self) -> None:
        """The session has ended; may be said more than once."""
        self._call_backs.close()

    def reply(self, entry: Entry, kind: int, message: bytes) -> bytes | None:
        """A server's message to `entry` as the client is to see it; None for the message itself."""
        if kind == ord("N") and self._extended.warns_of_ours(message[HEADER:]):
            return b""
        return client_reply(entry, kind, message, self._context.codec)

    def error(self, message: bytes) -> bytes | None:
        """The ErrorResponse to a message that was forwarded as it came, as `reply` gives others."""
        return late_error(message[HEADER:], self._context.codec) if self._context.used else None
