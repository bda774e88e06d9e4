"""The login that passes between client and server, so that the proxy learns nothing (protocol chapter 54.2.1).

SCRAM may be bound to the certificate that the client sees.  Where that is not the server's, or there is none, this is
dealt with here, as far as it can be.
"""

from __future__ import annotations

from clone_engine.records.errors import PgError
from proxy.login.legs import encrypted, own_binding, peer_binding
from proxy.login.parties import Parties
from proxy.login.requirements import Requirements
from proxy.login.scram import PLUS
from proxy.wire.authentication import (
    OK,
    SASL,
    SASL_FINAL,
    Request,
    decode_initial,
    decode_mechanisms,
    encode_mechanisms,
)
from proxy.wire.frames import HEADER
from proxy.wire.messages import ProtocolError

UNANSWERED = frozenset((OK, SASL_FINAL))
"""Requests that the client does not answer: AuthenticationOk, and what ends a SASL exchange."""


async def relay(parties: Parties, requirements: Requirements) -> None:
    """Pass the messages of a login both ways, up to AuthenticationOk.

    ConnectionLostError if a side leaves; PgError 28000 for a login that is bound to our certificate, and so would fail.
    """
    await parties.connect()
    request = await parties.server_request()
    requirements.check(request.code)
    while True:
        parties.to_client(_shown(parties, request).encode())
        if request.code == OK:
            return
        if request.code not in UNANSWERED:
            answer = await parties.client_message()
            if request.code == SASL:
                _check_binding(parties, answer)
            parties.to_server(answer)
        request = await parties.server_request()


def _shown(parties: Parties, request: Request) -> Request:
    """A request as the client is to see it: clients that are not encrypted take an offer of channel binding ill."""
    if request.code != SASL or encrypted(parties.client):
        return request
    offered = decode_mechanisms(request.data)
    return Request(SASL, encode_mechanisms(tuple(name for name in offered if name != PLUS)))


def _check_binding(parties: Parties, answer: bytes) -> None:
    try:
        mechanism = decode_initial(answer[HEADER:]).mechanism
    except ProtocolError:
        return  # the server says what it thinks of it
    if mechanism == PLUS and own_binding(parties.client) != peer_binding(parties.server):
        raise PgError(
            "28000",
            "pgclone: this login is bound to the proxy's certificate, and the target server has another one",
            detail="The proxy passes logins on (auth.mode is relay), and the server would refuse this one.",
            hint="Connect with channel_binding=disable.  The proxy's administrator may set auth.mode to password or "
            "terminate, or give the proxy the server's certificate and key.",
        )
