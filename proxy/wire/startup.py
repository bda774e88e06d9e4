"""The packets before the first message: SSLRequest, GSSENCRequest, CancelRequest, StartupMessage (chapter 54.7).

They have a length and a code instead of a type byte.  Pure: what to answer is the session's decision.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

_head = Struct("!II").unpack_from

SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102
# The server's own limit (MAX_STARTUP_PACKET_LENGTH, without the length itself): longer ones are not start-up packets.
LARGEST = 4 + 10000


class Packet(NamedTuple):
    """A start-up packet: its code (a request code, or a protocol version) and all its bytes."""

    code: int
    data: bytes

    @property
    def parameters(self) -> dict[str, bytes]:
        """The name/value pairs of a StartupMessage; the last of a repeated name wins, as in the server."""
        strings = self.data[8:].split(b"\0")
        return {name.decode("latin-1"): value for name, value in zip(strings[::2], strings[1::2], strict=False) if name}


class StartupError(Exception):
    """The bytes cannot begin a start-up packet."""


def read_packet(buffer: bytes) -> Packet | None:
    """The packet at the beginning of `buffer`, or None if more bytes are needed.  StartupError if it is none."""
    if len(buffer) < 4:
        return None
    length = int.from_bytes(buffer[:4], "big")
    if not 8 <= length <= LARGEST:
        raise StartupError(f"invalid length of startup packet: {length}")
    if len(buffer) < length:
        return None
    _, code = _head(buffer)
    return Packet(code, bytes(buffer[:length]))
