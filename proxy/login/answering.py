"""The proxy logs in to the target server in the client's place, with what it knows of the client.

Does what libpq would do with the target's conninfo.  Where the credential comes from is the login methods' business.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping

from clone_engine.records.errors import PgError
from proxy.login.credential import Credential, Keys, Password
from proxy.login.legs import encrypted, peer_binding
from proxy.login.parties import Parties
from proxy.login.requirements import METHODS, Requirements
from proxy.login.scram import BINDING_HEADER, MECHANISM, PLUS, derive
from proxy.login.scram_client import Challenge, ClientExchange
from proxy.wire.authentication import (
    CLEARTEXT,
    GSS,
    MD5,
    OK,
    SASL,
    SASL_CONTINUE,
    SASL_FINAL,
    SSPI,
    Initial,
    Request,
    decode_mechanisms,
    encode_answer,
)

NONCE_BYTES = 18


def new_nonce() -> bytes:
    """For one SCRAM exchange."""
    return b64encode(secrets.token_bytes(NONCE_BYTES))


def check_answerable(request: Request) -> None:
    """PgError 28000 if the proxy cannot answer what the server asks for."""
    if request.code == OK or request.code in ANSWERS:
        return
    if request.code in (GSS, SSPI):
        raise PgError(
            "28000",
            f"pgclone: the target server asks for {METHODS[request.code].upper()} authentication",
            detail="The proxy cannot do that in the client's place.",
            hint='Set auth.mode = "relay" in the proxy\'s configuration, or have pg_hba.conf ask for scram-sha-256.',
        )
    raise PgError(
        "28000",
        f"pgclone: the target server asks for an authentication that the proxy does not know (code {request.code})",
        hint="Have the target's pg_hba.conf ask for scram-sha-256.",
    )


async def answer(parties: Parties, request: Request, credential: Credential, requirements: Requirements) -> None:
    """Answer a request of the server's, up to its AuthenticationOk, which is left for the caller to pass on.

    PgError 28000 or 08P01 if it cannot be done; ConnectionLostError when the server refuses, which the client is told.
    """
    work = ANSWERS.get(request.code)
    if work is None:
        check_answerable(request)
        return
    await work(parties, request, credential, requirements)
    await _expect(parties, OK)


async def _cleartext(parties: Parties, request: Request, credential: Credential, requirements: Requirements) -> None:
    requirements.check_bound(bound=False)
    parties.to_server(encode_answer(_password(credential, "password").value + b"\0"))


async def _md5(parties: Parties, request: Request, credential: Credential, requirements: Requirements) -> None:
    requirements.check_bound(bound=False)
    user = parties.packet.parameters.get("user", b"")
    inner = hashlib.md5(_password(credential, "md5").value + user).hexdigest().encode()
    parties.to_server(encode_answer(b"md5" + hashlib.md5(inner + request.data).hexdigest().encode() + b"\0"))


async def _scram(parties: Parties, request: Request, credential: Credential, requirements: Requirements) -> None:
    mechanism, exchange = _begin(parties, decode_mechanisms(request.data), requirements)
    parties.to_server(Initial(mechanism, exchange.first).encode())
    challenge = exchange.challenge((await _expect(parties, SASL_CONTINUE)).data)
    keys = await _keys(credential, challenge)
    parties.to_server(encode_answer(exchange.final(challenge, keys)))
    exchange.verify((await _expect(parties, SASL_FINAL)).data)


ANSWERS: Mapping[int, Callable[[Parties, Request, Credential, Requirements], Awaitable[None]]] = {
    CLEARTEXT: _cleartext,
    MD5: _md5,
    SASL: _scram,
}
"""By what the server asks for."""


def _begin(parties: Parties, offered: tuple[bytes, ...], requirements: Requirements) -> tuple[bytes, ClientExchange]:
    """The mechanism to choose, and its exchange."""
    wanted = encrypted(parties.server) and requirements.channel_binding != "disable"
    binding = peer_binding(parties.server) if wanted else b""
    if PLUS in offered and binding:
        return PLUS, ClientExchange(BINDING_HEADER, binding, new_nonce())
    requirements.check_bound(bound=False)
    if MECHANISM not in offered:
        raise PgError(
            "28000",
            "pgclone: the target server offers no SASL mechanism that the proxy knows",
            detail=f"It offers {', '.join(repr(name.decode('ascii', 'replace')) for name in offered)}.",
            hint="Have the target's pg_hba.conf ask for scram-sha-256.",
        )
    # 'y' has the server notice if somebody took SCRAM-SHA-256-PLUS out of its offer.
    return MECHANISM, ClientExchange(b"y,," if binding else b"n,,", b"", new_nonce())


async def _keys(credential: Credential, challenge: Challenge) -> Keys:
    if isinstance(credential, Password):
        # In a thread: a session's few milliseconds are not the others'.
        return await asyncio.to_thread(derive, credential.value, challenge.salt, challenge.iterations)
    if (credential.salt, credential.iterations) != (challenge.salt, challenge.iterations):
        raise PgError(
            "28000",
            "pgclone: the target server has another verifier for this role than the proxy's auth file",
            detail="What the client proves to the proxy serves for the target only if both have the same verifier.",
            hint="Copy the role's rolpassword from pg_authid on the target into the auth file, "
            "or put the password there.",
        )
    return credential


def _password(credential: Credential, method: str) -> Password:
    if isinstance(credential, Password):
        return credential
    raise PgError(
        "28000",
        f"pgclone: the target server asks for method {method}, and the proxy's auth file has no password for this role",
        detail="A SCRAM verifier serves only for servers that ask for scram-sha-256.",
        hint="Put the role's password into the auth file, or have the target's pg_hba.conf ask for scram-sha-256.",
    )


async def _expect(parties: Parties, code: int) -> Request:
    request = await parties.server_request()
    if request.code != code:
        raise PgError(
            "08P01",
            "pgclone: the target server broke off the authentication that it had asked for",
            detail=f"It sent request {request.code} in place of {code}.",
            hint="Check that server.target names a PostgreSQL server.",
        )
    return request
