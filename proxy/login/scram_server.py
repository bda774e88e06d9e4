"""The server's end of a SCRAM-SHA-256 exchange, with which the proxy checks a client.

Pure: messages in, messages out; `login/checking.py` carries them.  It accepts and refuses what PostgreSQL does, with
the same SQLSTATE and message, and can tell the client's key once the client has proven that it knows it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from clone_engine.records.errors import PgError
from proxy.login.credential import Keys
from proxy.login.scram import (
    BINDING_HEADER,
    KEY_BYTES,
    Attribute,
    Verifier,
    attributes,
    base64,
    mac,
    printable,
    unbase64,
    xor,
)


class Binding(NamedTuple):
    """What there is of channel binding in an exchange."""

    offered: bool
    chosen: bool
    """Whether the client has taken SCRAM-SHA-256-PLUS."""
    data: bytes = b""
    """The hash of the proxy's certificate."""


class Accepted(NamedTuple):
    """The client knows the password."""

    message: bytes
    """The exchange's last message, which shows that we know the verifier."""
    keys: Keys


class ServerExchange:
    """One exchange: `first`, then `final`.  `nonce` is random, printable, and used once."""

    def __init__(self, verifier: Verifier, binding: Binding, nonce: bytes) -> None:
        self._verifier = verifier
        self._binding = binding
        self._nonce = nonce
        self._header = b""
        self._client_first = b""
        self._first = b""

    def first(self, client_first: bytes) -> bytes:
        """The answer to the client's first message.  PgError 08P01, 0A000 or 28000 if that cannot be accepted."""
        _check_text(client_first)
        self._header = self._read_header(client_first)
        self._client_first = client_first[len(self._header) :]
        if self._client_first.startswith(b"m"):
            raise PgError("0A000", "client requires an unsupported SCRAM extension")
        found = _Reader(self._client_first)
        found.expect(b"n")  # the role is in the start-up packet
        client_nonce = found.expect(b"r").value
        if not printable(client_nonce):
            raise PgError("08P01", "non-printable characters in SCRAM nonce")
        while not found.at_end:
            found.next()  # extensions that need not be understood
        self._nonce = client_nonce + self._nonce
        salt = base64(self._verifier.salt)
        self._first = b"r=" + self._nonce + b",s=" + salt + b",i=%d" % self._verifier.iterations
        return self._first

    def final(self, client_final: bytes) -> Accepted | None:
        """The end of the exchange; None if the client does not know the password.

        PgError 08P01 or 28000 if its message cannot be accepted.
        """
        _check_text(client_final)
        found = _Reader(client_final)
        self._check_binding(found.expect(b"c").value)
        nonce = found.expect(b"r").value
        proof = found.next()
        while proof.name != b"p":
            proof = found.next()
        signature = _proof(proof.value)
        if not found.at_end:
            raise _malformed("Something follows the proof.")
        if not hmac.compare_digest(nonce, self._nonce):
            raise PgError("08P01", "invalid SCRAM response", detail="Its nonce is not the exchange's.")
        signed = b",".join((self._client_first, self._first, client_final[: proof.start - 1]))
        return self._accept(signature, signed)

    def _accept(self, proof: bytes, signed: bytes) -> Accepted | None:
        verifier = self._verifier
        client_key = xor(proof, mac(verifier.stored_key, signed))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key):
            return None
        keys = Keys(client_key, verifier.server_key, verifier.salt, verifier.iterations)
        return Accepted(b"v=" + base64(mac(verifier.server_key, signed)), keys)

    def _read_header(self, text: bytes) -> bytes:
        """The GS2 header: what the client says of channel binding, and no authorization identity."""
        flag = text[:1]
        if flag not in (b"n", b"y", b"p"):
            raise _malformed("Its channel-binding flag is none.")
        if self._binding.chosen and flag != b"p":
            raise _malformed("SCRAM-SHA-256-PLUS was chosen, and the message binds to no channel.")
        if not self._binding.chosen and flag == b"p":
            raise _malformed("SCRAM-SHA-256 was chosen, and the message binds to a channel.")
        if flag == b"y" and self._binding.offered:
            # Somebody between us has taken SCRAM-SHA-256-PLUS out of the offer.
            raise PgError(
                "28000",
                "SCRAM channel binding negotiation error",
                detail="The client supports channel binding and was told that there is none, but there is.",
                hint="Somebody else answers in the proxy's place: check the way between them.",
            )
        end = text.find(b",")
        if flag == b"p":
            kind = _Reader(text).expect(b"p").value
            if kind != b"tls-server-end-point":
                shown = "".join(chr(c) if 0x21 <= c <= 0x7E else "?" for c in kind[:30])
                raise PgError("08P01", f'unsupported SCRAM channel-binding type "{shown}"')
        elif end != 1:
            raise _malformed("No comma follows its channel-binding flag.")
        rest = text[end + 1 :] if end >= 0 else b""
        if rest.startswith(b"a"):
            raise PgError("0A000", "client uses authorization identity, but it is not supported")
        if not rest.startswith(b","):
            raise _malformed("Its header does not end.")
        return text[: end + 2]

    def _check_binding(self, value: bytes) -> None:
        if self._binding.chosen:
            if not hmac.compare_digest(value, base64(BINDING_HEADER + self._binding.data)):
                raise PgError(
                    "28000",
                    "SCRAM channel binding check failed",
                    detail="The certificate that the client sees is not the proxy's.",
                    hint="Somebody else answers in the proxy's place: check the way between them.",
                )
        elif value != base64(self._header):
            raise PgError("08P01", "unexpected SCRAM channel-binding attribute in client-final-message")


class _Reader:
    """Attributes of a client's message, one after another; PgError 08P01 where there is none."""

    def __init__(self, text: bytes) -> None:
        self._left = len(text)
        self._size = len(text)
        self._found = attributes(text)

    @property
    def at_end(self) -> bool:
        return self._left == 0

    def next(self) -> Attribute:
        try:
            found = next(self._found)
        except ValueError as error:
            raise _malformed(f"Here {error}.") from None
        self._left = self._size - found.end
        return found

    def expect(self, name: bytes) -> Attribute:
        found = self.next()
        if found.name != name:
            raise _malformed(f'Attribute "{name.decode()}" is not where it should be.')
        return found


def _check_text(text: bytes) -> None:
    if not text or b"\0" in text:
        raise _malformed("It is empty, or holds a NUL.")


def _proof(value: bytes) -> bytes:
    try:
        proof = unbase64(value)
    except ValueError:
        proof = b""
    if len(proof) != KEY_BYTES:
        raise _malformed("Its proof is none.")
    return proof


def _malformed(detail: str) -> PgError:
    return PgError("08P01", "malformed SCRAM message", detail=detail)
