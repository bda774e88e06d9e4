"""What a session asks of whoever answers statements of ours; `interception/` is that."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from proxy.wire.exchange import Entry


class Interceptor(Protocol):
    """What a session asks of whoever answers statements of ours."""

    def takes(self, kind: int, frame: bytes) -> Callable[[], Coroutine[Any, Any, None] | None] | None:
        """The work that a whole client message needs, or None if it is to be forwarded as it came.

        It is called when everything before the message has been sent.  Where it gives a coroutine, the client's next
        messages wait until that is done.
        """

    @property
    def wants_all(self) -> bool:
        """Whether messages other than Query and Parse have to be shown to `takes` as well."""

    def passes(self, data: bytes) -> bool:
        """Whether `takes` would give None for all messages in `data`.  It may say no too often."""

    def heard(self, message: bytes) -> bool:
        """Take the body of a NoticeResponse if it is not for the client."""

    def statement_ended(self) -> None:
        """The server has finished a statement in which something was heard."""

    def close(self) -> None:
        """The session has ended; may be said more than once."""

    @property
    def performing(self) -> bool:
        """Whether the session waits for work that is neither the client's nor the server's."""

    def cancel(self) -> bool:
        """Stop that work, whose statement then fails as a cancelled one; False if there is none."""

    def reply(self, entry: Entry, kind: int, message: bytes) -> bytes | None:
        """A server's message to `entry` as the client is to see it; None for the message itself."""

    def error(self, message: bytes) -> bytes | None:
        """The ErrorResponse to a message that was forwarded as it came, as `reply` gives others."""
