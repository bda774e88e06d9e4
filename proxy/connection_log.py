"""What is logged of one client's connection, from its acceptance to its end, and who it is in each line.

A line costs nothing while nobody wants it.  How lines look is `logs`' business.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import structlog

from proxy.config import LogSettings
from proxy.login.principal import Principal
from proxy.logs import LOGGER

LOCAL = "[local]"
"""The address of a client at the unix socket, as PostgreSQL writes it."""

standard = logging.getLogger(LOGGER)


class ConnectionLog:
    """The lines of one connection; each has what is known by then of `connection`, `client`, `user` and `database`."""

    __slots__ = ("_client", "_ended", "_number", "_principal", "_settings", "_since")

    def __init__(self, number: int, settings: LogSettings) -> None:
        self._number = number
        self._settings = settings
        self._since = time.monotonic()
        self._client = ""
        self._principal: Principal | None = None
        self._ended = False

    @property
    def lines(self) -> structlog.stdlib.BoundLogger:
        """For lines of another kind."""
        facts: dict[str, Any] = {"connection": self._number, "client": self._client}
        if self._principal:
            facts |= {"user": self._principal.role, "database": self._principal.database}
        logger: structlog.stdlib.BoundLogger = structlog.get_logger().bind(**facts)
        return logger

    def accepted(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._client = address(transport.get_extra_info("peername"))
        self._say(logging.DEBUG, "connection accepted")

    def claimed(self, principal: Principal) -> None:
        """The client has said who it is."""
        self._principal = principal

    def authenticated(self, transport: asyncio.BaseTransport) -> None:
        """The server has let the client in."""
        tls = transport.get_extra_info("ssl_object")
        level = logging.INFO if self._settings.connections else logging.DEBUG
        self._say(level, "connection authenticated", tls=tls and tls.version())

    def refused(self, reason: str, level: int = logging.WARNING) -> None:
        """The client is not let in, for a reason of ours."""
        self._say(level, "connection refused", reason=reason)
        self._ended = True

    def cancel_request(self) -> None:
        """The client asks for something to be cancelled, and no more."""
        self._say(logging.INFO if self._settings.connections else logging.DEBUG, "cancel request")
        self._ended = True

    def ended(self, reason: str) -> None:
        """It is over.  Only the first reason counts.  Of who has asked for nothing no more is said than to debug."""
        if not self._ended:
            self._ended = True
            level = logging.INFO if self._settings.disconnections and self._principal else logging.DEBUG
            self._say(level, "connection ended", reason=reason, seconds=round(time.monotonic() - self._since, 3))

    def _say(self, level: int, sentence: str, **fields: object) -> None:
        if standard.isEnabledFor(level):
            self.lines.log(level, sentence, **fields)


def address(peer: object) -> str:
    """A client's address, as the socket gives it."""
    match peer:
        case (str(host), int(port), *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case _:
            return LOCAL
