"""The messages of a login: the server's Authentication requests and the client's answers (chapters 54.2.1, 54.7).

Pure.  What to ask and what to answer is a login method's decision (`proxy/login`).
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from proxy.wire.frames import HEADER
from proxy.wire.messages import ProtocolError, message

_u32 = Struct("!I")
_i32 = Struct("!i")

OK, CLEARTEXT, MD5, GSS, GSS_CONTINUE, SSPI, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 7, 8, 9, 10, 11, 12

ANSWER = ord("p")
"""The type of every answer: PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse."""


class Request(NamedTuple):
    """An Authentication message."""

    code: int
    """What is asked for; -1 in a message that is cut short."""
    data: bytes = b""

    def encode(self) -> bytes:
        """The whole message."""
        return message(b"R", _u32.pack(self.code) + self.data)


def decode_request(whole: bytes) -> Request:
    """The Request in a whole Authentication message.  ProtocolError if there is none."""
    body = whole[HEADER:]
    if len(body) < 4:
        raise ProtocolError("an Authentication message says nothing")
    return Request(_u32.unpack_from(body)[0], body[4:])


def encode_mechanisms(mechanisms: tuple[bytes, ...]) -> bytes:
    """The data of an AuthenticationSASL that offers these."""
    return b"".join(name + b"\0" for name in mechanisms) + b"\0"


def decode_mechanisms(data: bytes) -> tuple[bytes, ...]:
    """The mechanisms that an AuthenticationSASL with this data offers."""
    return tuple(name for name in data.split(b"\0") if name)


def encode_answer(body: bytes) -> bytes:
    """The whole message of an answer: a SASLResponse, or with the NUL behind it, a PasswordMessage."""
    return message(b"p", body)


class Initial(NamedTuple):
    """A SASLInitialResponse."""

    mechanism: bytes
    data: bytes | None
    """The first message of the mechanism; None if the client waits to be asked for it."""

    def encode(self) -> bytes:
        """The whole message."""
        size = -1 if self.data is None else len(self.data)
        return encode_answer(self.mechanism + b"\0" + _i32.pack(size) + (self.data or b""))


def decode_initial(body: bytes) -> Initial:
    """The SASLInitialResponse with this body.  ProtocolError, in the server's words, if it is none."""
    mechanism, end, rest = body.partition(b"\0")
    if not end:
        raise ProtocolError("invalid string in message")
    size, data = _i32.unpack_from(rest)[0] if len(rest) >= 4 else 0, rest[4:]
    if size == -1 and not data:
        return Initial(mechanism, None)
    if len(rest) < 4 or not 0 <= size <= len(data):
        raise ProtocolError("insufficient data left in message")
    if size < len(data):
        raise ProtocolError("invalid message format")
    return Initial(mechanism, data)
