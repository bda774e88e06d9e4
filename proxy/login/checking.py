"""The proxy checks a client with SCRAM-SHA-256, as the server would."""

from __future__ import annotations

from clone_engine.records.errors import PgError
from proxy.inbox import LengthError
from proxy.login.answering import new_nonce
from proxy.login.auth_file import Entry
from proxy.login.credential import Keys
from proxy.login.legs import own_binding
from proxy.login.parties import Parties
from proxy.login.scram import MECHANISM, PLUS
from proxy.login.scram_server import Binding, ServerExchange
from proxy.wire.authentication import (
    ANSWER,
    SASL,
    SASL_CONTINUE,
    SASL_FINAL,
    Request,
    decode_initial,
    encode_mechanisms,
)
from proxy.wire.frames import HEADER
from proxy.wire.messages import ProtocolError

LONGEST = 1024 + HEADER
"""The server's own limit (PG_MAX_SASL_MESSAGE_LENGTH)."""


async def check(parties: Parties, entry: Entry) -> Keys:
    """The keys that the client has proven to know.

    PgError 28P01 if it does not know them, 08P01, 0A000 or 28000 if it does not keep to the protocol, each in the
    server's words; ConnectionLostError if it leaves.
    """
    binding = own_binding(parties.client)
    offered = (PLUS, MECHANISM) if binding else (MECHANISM,)
    first = await _ask(parties, Request(SASL, encode_mechanisms(offered)))
    try:
        initial = decode_initial(first)
    except ProtocolError as error:
        raise PgError("08P01", str(error)) from None
    if initial.mechanism not in offered:
        raise PgError("08P01", "client selected an invalid SASL authentication mechanism")
    chosen = Binding(bool(binding), initial.mechanism == PLUS, binding)
    exchange = ServerExchange(entry.verifier, chosen, new_nonce())
    client_first = initial.data
    if client_first is None:  # it waits to be asked
        client_first = await _ask(parties, Request(SASL_CONTINUE))
    challenge = exchange.first(client_first)
    accepted = exchange.final(await _ask(parties, Request(SASL_CONTINUE, challenge)))
    if accepted is None or not entry.known:
        raise _failed(parties)
    parties.to_client(Request(SASL_FINAL, accepted.message).encode())
    return accepted.keys


async def _ask(parties: Parties, request: Request) -> bytes:
    """The body of the client's answer."""
    parties.to_client(request.encode())
    try:
        answer = await parties.client_message(LONGEST)
    except LengthError:
        raise _failed(parties) from None
    if answer[0] != ANSWER:
        raise PgError("08P01", f"expected SASL response, got message type {answer[0]}")
    return answer[HEADER:]


def _failed(parties: Parties) -> PgError:
    return PgError("28P01", f'password authentication failed for user "{parties.principal.role}"')
