"""A network that takes what is sent and brings nothing: hosts that do not answer, and connections that fall silent."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.listener import Listener

CHUNK = 65_536
OPEN = {"01", "02"}
"""ESTABLISHED and SYN_SENT, as the system numbers them."""


@contextmanager
def mute_server() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that does not even take connections: its queue is full, and the system drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        try:
            yield port
        finally:
            for one in waiting:
                one.close()


def connections_to(port: int) -> int:
    """How many connections to a port of this host there are, or are being made."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2] == f"0100007F:{port:04X}" and line[3] in OPEN for line in lines)


class Relay(Listener):
    """Forwards connections to `port` until a client says `word`; from then on all of them, new ones too, are silent."""

    def __init__(self, port: int, word: bytes) -> None:
        super().__init__()
        self.silent = threading.Event()
        self._to = port
        self._word = word

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._to)) as server:
            others = {client: server, server: client}
            while True:
                for one in select.select([client, server], [], [])[0]:
                    if not (data := one.recv(CHUNK)):
                        return
                    if one is client and self._word in data:
                        self.silent.set()
                    if not self.silent.is_set():
                        others[one].sendall(data)
