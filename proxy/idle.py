"""Ends sessions whose clients have been idle for too long, as PostgreSQL's idle_session_timeout does.

They are looked at from time to time, so a session ends up to a tenth of the time later, and no message costs a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from proxy.session import Session

OFTEN = 10
"""How many looks there are within the time; at least one is taken each MOST_SECONDS."""
MOST_SECONDS = 10.0


class IdleClients:
    """Looks at the sessions that `sessions` gives; `timeout` gives the seconds, 0 for no limit."""

    def __init__(self, sessions: Callable[[], Iterable[Session]], timeout: Callable[[], float]) -> None:
        self._sessions = sessions
        self._timeout = timeout
        self._next: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<IdleClients, {self._timeout():g} s>"

    def watch(self) -> None:
        """Begin, or go on by another time."""
        self.stop()
        if timeout := self._timeout():
            pause = min(timeout / OFTEN, MOST_SECONDS)
            self._next = asyncio.get_running_loop().call_later(pause, self._look)

    def stop(self) -> None:
        """Look no more.  May be called more than once."""
        if self._next:
            self._next.cancel()

    def _look(self) -> None:
        now, timeout = asyncio.get_running_loop().time(), self._timeout()
        for session in list(self._sessions()):
            if session.idle_for(now) >= timeout:
                session.end_idle()
        self.watch()
