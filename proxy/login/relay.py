"""The login that passes between client and server, so that the proxy learns nothing (protocol chapter 54.2.1)."""

from __future__ import annotations

from proxy.login.parties import Parties
from proxy.wire.frames import HEADER

OK = 0
SASL = 10
PLUS = b"SCRAM-SHA-256-PLUS\0"
# Requests that the client does not answer: AuthenticationOk, and what ends a SASL exchange.
UNANSWERED = frozenset((OK, 12))


def request_code(message: bytes) -> int:
    """What an Authentication message asks for (chapter 54.7); -1 for one that is cut short."""
    return int.from_bytes(message[HEADER : HEADER + 4], "big") if len(message) >= HEADER + 4 else -1


def _as_offered_to(parties: Parties, request: bytes) -> bytes:
    """A request as the client can answer it: without TLS it has no channel to bind to."""
    if request_code(request) != SASL or parties.client.get_extra_info("ssl_object"):
        return request
    body = request[HEADER:].replace(PLUS, b"")
    return request[:1] + (len(body) + 4).to_bytes(4, "big") + body


async def relay(parties: Parties) -> None:
    """Pass the messages of a login both ways, up to AuthenticationOk.  ConnectionLostError if a side leaves."""
    while True:
        request = await parties.server_message()
        parties.to_client(_as_offered_to(parties, request))
        code = request_code(request)
        if code == OK:
            return
        if code not in UNANSWERED:
            parties.to_server(await parties.client_message())
