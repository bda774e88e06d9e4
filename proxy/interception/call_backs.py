"""Calls that stubs make while the server runs a statement: DO blocks, functions, views of the user's own.

A stub speaks in NoticeResponses, which are withheld from the client, and waits for the reply in the `mailbox`.  What
reads is answered at once, since only the session's role can read the reply.  An action has to come with a secret that
was left in the mailbox before: whoever could read that acts with the role's rights, and is granted nothing by the call.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from functools import partial
from typing import Any

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.call_backs import SQLSTATE, Reply, Word, called, encoded, error_reply, looked_up, read, value_reply
from proxy.calls.narration import Remark
from proxy.interception.context import Context
from proxy.interception.mailbox import Mailbox, Mailboxes
from proxy.wire import messages

MARK = b"C%s\0" % SQLSTATE.encode()
SECRET_BYTES = 16


class _CallBack:
    """One call, from its first word to the end of the statement that it is part of."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.secret = secrets.token_bytes(SECRET_BYTES)
        self.word: asyncio.Future[Word] = asyncio.get_running_loop().create_future()
        """What came with the secret."""
        self.over = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def knows(self, secret: str) -> bool:
        """Whether this is the secret, in hexadecimal; it may be any string."""
        return secrets.compare_digest(self.secret.hex().encode(), secret.encode("utf-8", "replace"))

    def end(self) -> None:
        """Nobody waits for it any more: stop what is being done for it."""
        self.over.set()
        if self.task:
            self.task.cancel()


class CallBacks:
    """Answers the calls of stubs on one session, one at a time, as they come."""

    def __init__(self, context: Context, mailboxes: Mailboxes) -> None:
        self._context = context
        self._mailboxes = mailboxes
        self._mailbox: Mailbox | None = None
        """Once a stub has called."""
        self._current: _CallBack | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<CallBacks {self._mailbox!r}>"

    def heard(self, message: bytes) -> bool:
        """Take the body of a NoticeResponse if a stub speaks in it; the client is not to see it then."""
        if MARK not in message:
            return False
        fields = messages.decode_fields(message)
        if fields.get("C") != SQLSTATE.encode():
            return False
        word = read(fields.get("d", b""))
        if word is not None and word.secret:
            self._hear_call(word)
        elif word is not None:
            self._hear_wish(word)
        return True

    def statement_ended(self) -> None:
        """The server has finished a statement: who called while it ran waits no more."""
        if self._current:
            self._current.end()
        self._current = None

    def close(self) -> None:
        """The session has ended; may be said more than once."""
        if self._mailbox:
            self._mailbox = None
            self.statement_ended()
            self._start(self._close())

    async def _close(self) -> None:
        others = self._tasks - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await self._mailboxes.give_back(self._context.caller)

    def _hear_wish(self, word: Word) -> None:
        self.statement_ended()  # a call whose error the statement has caught
        if self._mailbox is None:
            self._mailbox = self._mailboxes.take(self._context.caller)
        if not self._mailbox.reserve(word.number):
            self._context.session.log.warning("call-back refused", reason="the number is another reply's")
            return
        self._current = _CallBack(word.number)
        self._current.task = self._start(self._serve(self._current, word, self._mailbox))
        # Also of a task that was cancelled before its first step.
        self._current.task.add_done_callback(partial(_release, self._mailbox, word.number))

    def _hear_call(self, word: Word) -> None:
        current = self._current
        if current is None or current.word.done() or not current.knows(word.secret):
            self._context.session.log.warning("call-back refused", reason="nobody was given this secret")
            return
        current.word.set_result(word)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, call_back: _CallBack, word: Word, mailbox: Mailbox) -> None:
        """Answer a call; in the end nothing of it is left on the server."""
        try:
            reply = await self._answer(word, mailbox) if word.function else b""
            await mailbox.put(call_back.number, call_back.secret + reply)
            if not reply:
                reply = await self._answer(await call_back.word, mailbox)
                await mailbox.append(call_back.number, reply)
            await call_back.over.wait()  # not by being cancelled alone: what ends a job may take that for itself
        except PgError as error:
            self._warn(call_back, error)
        except Exception:
            self._context.session.log.exception("call-back failed")
        finally:
            await mailbox.remove(call_back.number)

    async def _answer(self, word: Word, mailbox: Mailbox) -> bytes:
        return encoded(await self._reply(word, mailbox), self._context.codecs)

    async def _reply(self, word: Word, mailbox: Mailbox) -> Reply:
        front = self._context.session.exchange.front
        repeated = front is not None and (front.hidden or front.repeated)
        try:
            await self._context.ask_rights(mailbox.ask)  # the session's own connection is at work
            self._context.check_role()
            call = called(word)
            if call.signature.role != "action":
                snapshot = self._context.snapshot(frozenset((call.signature.section,)))
                return value_reply(looked_up(call, snapshot, lenient=repeated))
            if repeated:
                raise refusals.called_in_a_repeated_statement(call.signature.flat)
            if not word.secret:
                raise refusals.call_without_secret(call.signature.flat)
            remarks: list[Remark] = []
            value = await self._context.actions.perform(self._context.caller, call, remarks.append)
        except PgError as error:
            return error_reply(error)
        return value_reply(value, remarks)

    def _warn(self, call_back: _CallBack, error: PgError) -> None:
        """Tell the client why nobody answers; the stub's own error cannot know."""
        session = self._context.session
        session.log.warning("call-back not answered", reason=error.message)
        if self._current is call_back and session.between_messages:
            session.tell(messages.encode_warning(error, self._context.codec))


def _release(mailbox: Mailbox, number: int, _: asyncio.Task[None]) -> None:
    mailbox.release(number)
