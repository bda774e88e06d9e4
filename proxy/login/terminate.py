"""The login in which the proxy checks the client itself, and logs in to the server with what it has or learns of it."""

from __future__ import annotations

from proxy.login.answering import answer, check_answerable
from proxy.login.auth_file import AuthFile
from proxy.login.checking import check
from proxy.login.credential import Credential
from proxy.login.parties import Parties
from proxy.login.requirements import Requirements
from proxy.wire.authentication import OK, Request


async def terminate(parties: Parties, file: AuthFile, requirements: Requirements) -> Credential:
    """Check the client with the auth file, then log in to the server: with the password from there, or else with the
    keys that the client has proven to know.

    PgError if the client fails the check, or there is nothing to log in with; ConnectionLostError if a side leaves.
    """
    entry = file.entry(parties.principal.role)
    keys = await check(parties, entry)
    # Not before: a server that asks for nothing would open a session as anybody, and tell who there is.
    await parties.connect()
    request = await parties.server_request()
    requirements.check(request.code)
    check_answerable(request)
    credential = entry.password or keys
    await answer(parties, request, credential, requirements)
    parties.to_client(Request(OK).encode())
    return credential
