"""The login in which the proxy asks the client for its password, and logs in to the server with it itself."""

from __future__ import annotations

from clone_engine.records.errors import PgError
from proxy.login.answering import answer, check_answerable
from proxy.login.credential import Credential, Password
from proxy.login.legs import encrypted, local
from proxy.login.parties import Parties
from proxy.login.requirements import Requirements
from proxy.wire.authentication import ANSWER, CLEARTEXT, OK, Request
from proxy.wire.frames import HEADER

LONGEST = 65535
"""The server's own limit (PG_MAX_AUTH_TOKEN_LENGTH)."""


async def password(parties: Parties, requirements: Requirements) -> Credential | None:
    """Log in with a password that the client is asked for; None if the server asks for none.

    PgError 28000 if the client's way to the proxy is none for a password, or the server asks for what cannot be
    answered with one; ConnectionLostError if a side leaves.
    """
    await parties.connect()
    request = await parties.server_request()
    requirements.check(request.code)
    given: Credential | None = None
    if request.code != OK:
        check_answerable(request)
        given = await _ask(parties)
        await answer(parties, request, given, requirements)
    parties.to_client(Request(OK).encode())
    return given


async def _ask(parties: Parties) -> Password:
    if not (encrypted(parties.client) or local(parties.client)):
        raise PgError(
            "28000",
            "pgclone: a password is not asked for on a connection that others could read",
            detail="The target server asks for one, and this connection is neither encrypted nor local.",
            hint="Connect over TLS where the proxy has it, or from its own host.  "
            "Its administrator may set auth.mode to relay or terminate.",
        )
    parties.to_client(Request(CLEARTEXT).encode())
    return Password(_read(await parties.client_message(LONGEST)))


def _read(message: bytes) -> bytes:
    """The password in a PasswordMessage.  PgError as the server's for what is none."""
    body = message[HEADER:]
    if message[0] != ANSWER:
        raise PgError("08P01", f"expected password response, got message type {message[0]}")
    if not body.endswith(b"\0") or b"\0" in body[:-1]:
        raise PgError("08P01", "invalid password packet size")
    if len(body) == 1:
        raise PgError("28P01", "empty password returned by client")
    return body[:-1]
