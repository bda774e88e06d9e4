"""What both ends of a SCRAM-SHA-256 exchange share (RFC 5802, RFC 7677): keys, verifiers, attributes of messages.

Pure.  The two ends are `scram_client` and `scram_server`.  No library does both what PostgreSQL does and what a proxy
needs: a client's end that has keys and no password, and a server's end that gives out the key it was shown.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator
from typing import NamedTuple

from proxy.login.credential import Keys
from proxy.login.saslprep import prepared

MECHANISM = b"SCRAM-SHA-256"
PLUS = b"SCRAM-SHA-256-PLUS"
BINDING_HEADER = b"p=tls-server-end-point,,"

KEY_BYTES = 32
ITERATIONS = 4096
"""The server's default (scram_iterations)."""
MOST_ITERATIONS = 1_000_000
"""About a quarter of a second.  A server that asks for more would occupy a thread of ours for as long as it likes."""

_VERIFIER = re.compile(r"SCRAM-SHA-256\$([1-9][0-9]{0,9}):([^$:]+)\$([^$:]+):([^$:]+)")


class Verifier(NamedTuple):
    """What a server keeps of a password: enough to check whoever knows it, not enough to log in with."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return "<Verifier>"


def parse_verifier(text: str) -> Verifier | None:
    """A verifier in the format of pg_authid.rolpassword; None for anything else."""
    found = _VERIFIER.fullmatch(text)
    if not found:
        return None
    try:
        salt, stored_key, server_key = map(unbase64, (part.encode() for part in found.groups()[1:]))
    except ValueError:
        return None
    if len(stored_key) != KEY_BYTES or len(server_key) != KEY_BYTES:
        return None
    return Verifier(int(found[1]), salt, stored_key, server_key)


def derive(password: bytes, salt: bytes, iterations: int) -> Keys:
    """The keys of a password.  Takes a millisecond for the usual iterations, without holding up other threads."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    return Keys(mac(salted, b"Client Key"), mac(salted, b"Server Key"), salt, iterations)


def verifier_of(keys: Keys) -> Verifier:
    """The verifier that goes with keys."""
    return Verifier(keys.iterations, keys.salt, hashlib.sha256(keys.client_key).digest(), keys.server_key)


def mac(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, text, "sha256")


def xor(one: bytes, other: bytes) -> bytes:
    """Of two strings of the same length."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def unbase64(text: bytes) -> bytes:
    """ValueError for what is not base64."""
    try:
        return b64decode(text, validate=True)
    except NotBase64:
        raise ValueError("not base64") from None


def base64(data: bytes) -> bytes:
    """As messages carry it."""
    return b64encode(data)


def printable(nonce: bytes) -> bool:
    """Whether the standard allows these characters in a nonce; a comma cannot be in one, it ends it."""
    return all(0x21 <= c <= 0x7E and c != ord(",") for c in nonce)


class Attribute(NamedTuple):
    """`name=value` in a message."""

    name: bytes
    value: bytes
    start: int
    end: int
    """Where the message goes on behind it, and behind its comma."""


def attributes(text: bytes, at: int = 0) -> Iterator[Attribute]:
    """The attributes of a message from a position on.

    ValueError where the next one should be and is none, also at the end: whoever has what he looks for stops asking.
    """
    while True:
        name, equals = text[at : at + 1], text[at + 1 : at + 2]
        if not name:
            raise ValueError("the message ends where an attribute should be")
        if not name.isalpha():
            raise ValueError("an attribute has no name")
        if equals != b"=":
            raise ValueError("an attribute has no value")
        end = text.find(b",", at)
        end = len(text) if end < 0 else end
        yield Attribute(name, text[at + 2 : end], at, min(end + 1, len(text)))
        at = min(end + 1, len(text))
