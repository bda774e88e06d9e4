"""A server that speaks the protocol as far as a test wants it to."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tests.harness.listener import Listener
from tests.harness.wire import message

LET_IN = message(b"R", b"\0\0\0\0")
READY = message(b"Z", b"I")
GREETING = LET_IN + message(b"S", b"client_encoding\0UTF8\0") + message(b"K", b"\0\0\0\7keys") + READY

Part = Callable[[socket.socket], None]
"""What the server does once a client's StartupMessage is there; then it closes the connection."""


class Misbehaving(Listener):
    """Serves every connection by `part`."""

    def __init__(self) -> None:
        super().__init__()
        self.part: Part = lambda client: None

    def serve(self, client: socket.socket) -> None:
        part = self.part  # a test may set another one before this client says anything
        if client.recv(1 << 16):
            part(client)


def saying(*answers: bytes) -> Part:
    """The first to the StartupMessage, each other one to what comes next."""

    def part(client: socket.socket) -> None:
        first, *others = answers
        client.sendall(first)
        for answer in others:
            if not client.recv(1 << 16):
                return
            client.sendall(answer)

    return part
