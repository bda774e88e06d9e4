"""A client that speaks the protocol itself: exact messages out, exact messages back.

For what drivers hide: the order of messages, split messages, pipelines.  Logs in where no password is asked.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from struct import pack
from types import TracebackType
from typing import Self

SECONDS = 20.0
SSL_REQUEST, GSSENC_REQUEST = (pack("!II", 8, code) for code in (80877103, 80877104))


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A whole message."""
    return kind + pack("!I", len(body) + 4) + body


def query(sql: str) -> bytes:
    """A Query."""
    return message(b"Q", sql.encode() + b"\0")


def parse(sql: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    """A Parse."""
    body = (
        name.encode() + b"\0" + sql.encode() + b"\0" + pack("!H", len(types)) + b"".join(pack("!I", t) for t in types)
    )
    return message(b"P", body)


def bind(portal: str = "", name: str = "", *values: bytes | None) -> bytes:
    """A Bind with parameters in text format."""
    parameters = b"".join(pack("!i", -1) if v is None else pack("!I", len(v)) + v for v in values)
    head = portal.encode() + b"\0" + name.encode() + b"\0\0\0" + pack("!H", len(values))
    return message(b"B", head + parameters + b"\0\0")


def execute(portal: str = "", rows: int = 0) -> bytes:
    """An Execute."""
    return message(b"E", portal.encode() + b"\0" + pack("!I", rows))


def startup(user: str, database: str, *, protocol: tuple[int, int] = (3, 0), **more: str) -> bytes:
    """A StartupMessage."""
    pairs = {"user": user, "database": database, **more}
    body = pack("!HH", *protocol) + b"".join(f"{k}\0{v}\0".encode() for k, v in pairs.items()) + b"\0"
    return pack("!I", len(body) + 4) + body


def cancel_request(key: bytes) -> bytes:
    """A CancelRequest with what a BackendKeyData held."""
    return pack("!II", 8 + len(key), 80877102) + key


def cancel(port: int, key: bytes) -> None:
    """Send a CancelRequest, and return when it has been seen to; nothing is ever answered."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as raw:
        raw.sendall(cancel_request(key))
        assert raw.recv(1) == b""


class Client:
    """One connection; `greeting` holds the server's messages up to its first ReadyForQuery."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        database: str,
        *,
        protocol: tuple[int, int] = (3, 0),
        context: ssl.SSLContext | None = None,
        **more: str,
    ) -> None:
        self.socket = socket.create_connection((host, port), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self.closed = False
        if context is not None:
            self.socket.sendall(SSL_REQUEST)
            assert self.socket.recv(1) == b"S", "the server has no TLS"
            self.socket = context.wrap_socket(self.socket)
        self.socket.sendall(startup(user, database, protocol=protocol, **more))
        self.greeting = self.until_ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes, piece: int = 1 << 20) -> None:
        """Send bytes, in segments of at most `piece`; a server that has closed meanwhile is found by receiving."""
        with suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), piece):
                self.socket.sendall(data[start : start + piece])

    def until_ready(self) -> list[tuple[bytes, bytes]]:
        """The messages up to and with the next ReadyForQuery, as (type, body); less if the server closes."""
        said: list[tuple[bytes, bytes]] = []
        while not said or said[-1][0] != b"Z":
            received = self.receive()
            if received is None:
                break
            said.append(received)
        return said

    def receive(self) -> tuple[bytes, bytes] | None:
        """The next message; None when the server has closed."""
        while len(self._buffer) < 5 or len(self._buffer) < 1 + int.from_bytes(self._buffer[1:5], "big"):
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                return None
            self._buffer += data
        end = 1 + int.from_bytes(self._buffer[1:5], "big")
        kind, body, self._buffer = self._buffer[:1], self._buffer[5:end], self._buffer[end:]
        return kind, body
