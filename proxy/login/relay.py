"""The login that passes between client and server, so that the proxy learns nothing (protocol chapter 54.2.1)."""

from __future__ import annotations

from proxy.login.parties import Parties
from proxy.wire.frames import HEADER

OK = 0
# Requests that the client does not answer: AuthenticationOk, and what ends a SASL exchange.
UNANSWERED = frozenset((OK, 12))


def request_code(message: bytes) -> int:
    """What an Authentication message asks for (chapter 54.7); -1 for one that is cut short."""
    return int.from_bytes(message[HEADER : HEADER + 4], "big") if len(message) >= HEADER + 4 else -1


async def relay(parties: Parties) -> None:
    """Pass the messages of a login both ways, up to AuthenticationOk.  ConnectionLostError if a side leaves."""
    while True:
        request = await parties.server_message()
        parties.to_client(request)
        code = request_code(request)
        if code == OK:
            return
        if code not in UNANSWERED:
            parties.to_server(await parties.client_message())
