"""What a client has logged in with, as far as the proxy has learnt it: with that a job can log in as well.

It is in memory only, and no `repr` shows it.
"""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple


class Password(NamedTuple):
    """A password, as the client sent it."""

    value: bytes

    def __repr__(self) -> str:
        return "<Password>"

    def parameters(self) -> dict[str, str]:
        """libpq's keywords for it.  None of them for what is not UTF-8: conninfos are."""
        try:
            return {"password": self.value.decode()}
        except UnicodeDecodeError:
            return {}


class Keys(NamedTuple):
    """The keys that SCRAM derives from a password, a salt and a number of iterations: they stand in for the password
    with every server that has the verifier of the same three."""

    client_key: bytes
    server_key: bytes
    salt: bytes
    iterations: int

    def __repr__(self) -> str:
        return "<Keys>"

    def parameters(self) -> dict[str, str]:
        """libpq's keywords for them; known from libpq 18 on."""
        return {
            "scram_client_key": b64encode(self.client_key).decode(),
            "scram_server_key": b64encode(self.server_key).decode(),
        }


Credential = Password | Keys
