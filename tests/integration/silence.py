"""A network that takes what is sent and brings nothing: hosts that do not answer, and connections that fall silent."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

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


class Relay:
    """Forwards connections to `port` until a client says `word`; from then on all of them, new ones too, are silent."""

    def __init__(self, port: int, word: bytes) -> None:
        self.silent = threading.Event()
        self._to = port
        self._word = word
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more connections, and wait until those that there are have been closed by either side."""
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._threads.append(threading.Thread(target=self._forward, args=(client,)))
                self._threads[-1].start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server, suppress(OSError):
            others = {client: server, server: client}
            while True:
                for one in select.select([client, server], [], [])[0]:
                    if not (data := one.recv(CHUNK)):
                        return
                    if one is client and self._word in data:
                        self.silent.set()
                    if not self.silent.is_set():
                        others[one].sendall(data)


@contextmanager
def relay(port: int, word: bytes) -> Iterator[Relay]:
    """A relay to a port of this host."""
    running = Relay(port, word)
    try:
        yield running
    finally:
        running.close()
