"""What a connection is handed on with, and what all states of one have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from proxy.connection_log import ConnectionLog
from proxy.login.credential import Credential
from proxy.login.principal import Principal
from proxy.upstream import Connected


class Admitted(NamedTuple):
    """What a session begins with."""

    number: int
    principal: Principal
    log: ConnectionLog
    client: asyncio.Transport
    server: asyncio.Transport
    parameters: Mapping[str, str]
    """What the server has reported of its settings."""
    key: bytes
    """For CancelRequests, as the server gave it out; b'' if it did not."""
    connected: Connected
    """Which of the target's servers it is."""
    status: int
    """The transaction status of the ReadyForQuery."""
    from_client: bytes
    """What the client has sent already."""
    from_server: bytes
    credential: Credential | None
    """What the client has logged in with, where the proxy has learnt it."""


class Open(Protocol):
    """A connection of a client, in whichever state."""

    number: int
    """Its own, whoever serves it."""

    def shut_down(self, why: str = ...) -> None:
        """Close, because the proxy stops, or for another reason, which is logged."""
