"""The client's end of a SCRAM-SHA-256 exchange, with which the proxy answers the target server.

Pure: messages in, messages out; `login/answering.py` carries them.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from clone_engine.records.errors import PgError
from proxy.login.credential import Keys
from proxy.login.scram import MOST_ITERATIONS, attributes, base64, mac, unbase64, verifier_of, xor


class Challenge(NamedTuple):
    """What the server's first message asks."""

    nonce: bytes
    salt: bytes
    iterations: int


class ClientExchange:
    """One exchange: `first`, `challenge`, `final`, `verify`, in this order.

    `header` says what is done about channel binding (the GS2 header, RFC 5802 section 7), `binding` is the hash of the
    server's certificate or b''; `nonce` is random, printable, and used once.
    """

    def __init__(self, header: bytes, binding: bytes, nonce: bytes) -> None:
        self._header = header
        self._binding = base64(header + binding)
        self._nonce = nonce
        self._bare = b"n=,r=" + nonce  # the role is in the start-up packet; the server ignores this one
        self._server_first = b""
        self._expected = b""

    @property
    def first(self) -> bytes:
        """The first message."""
        return self._header + self._bare

    def challenge(self, server_first: bytes) -> Challenge:
        """Take the server's first message.  PgError 08P01 if it is none, or asks for too much work."""
        self._server_first = server_first
        try:
            found = attributes(server_first)
            nonce, salt, count = (_expect(next(found), name) for name in (b"r", b"s", b"i"))
            if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
                raise ValueError("it repeats another nonce")
            challenge = Challenge(nonce, unbase64(salt), _positive(count))
        except ValueError as error:
            raise _unreadable(str(error)) from None
        if challenge.iterations > MOST_ITERATIONS:
            raise PgError(
                "08P01",
                "pgclone: the target server asks for too many SCRAM iterations",
                detail=f"It asks for {challenge.iterations}, and {MOST_ITERATIONS} are the most.",
                hint="Set the role's password again with a smaller scram_iterations.",
            )
        return challenge

    def final(self, challenge: Challenge, keys: Keys) -> bytes:
        """The second message, which proves that these keys are known."""
        verifier = verifier_of(keys)
        without_proof = b"c=" + self._binding + b",r=" + challenge.nonce
        signed = b",".join((self._bare, self._server_first, without_proof))
        self._expected = mac(keys.server_key, signed)
        return without_proof + b",p=" + base64(xor(keys.client_key, mac(verifier.stored_key, signed)))

    def verify(self, server_final: bytes) -> None:
        """Check the server's last message.  PgError 28000 if it does not show that the server knows the verifier."""
        try:
            signature = unbase64(_expect(next(attributes(server_final)), b"v"))
        except ValueError as error:
            raise _unreadable(str(error)) from None
        if not hmac.compare_digest(signature, self._expected):
            raise PgError(
                "28000",
                "pgclone: the target server does not know the password that it asked for",
                detail="Its SCRAM signature is not that of the role's verifier.",
                hint="Another server may be in its place: check server.target, and have its certificate verified.",
            )


def _expect(found: tuple[bytes, bytes, int, int], name: bytes) -> bytes:
    if found[0] != name:
        raise ValueError("an attribute is not where it should be")
    return found[1]


def _positive(count: bytes) -> int:
    if not count.isdigit() or not 0 < len(count) < 12 or int(count) < 1:
        raise ValueError("the number of iterations is none")
    return int(count)


def _unreadable(reason: str) -> PgError:
    return PgError(
        "08P01",
        "pgclone: the target server sent a malformed SCRAM message",
        detail=f"In its words for the proxy, {reason}.",
        hint="Check that server.target names a PostgreSQL server.",
    )
