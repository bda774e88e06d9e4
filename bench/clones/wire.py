"""A long wire in front of a server: a process that listens on loopback and passes on what comes, later and no faster
than asked, for each connection by itself.  `python -m bench.clones.wire PORT`.

What arrives is under way for half the round trip, however much else is: that is a long way, not a slow relay.  A
connection takes a round trip to be made, as a TCP handshake does.  Nothing is lost, and there is no slow start.
It also counts how often each client waited for the server, which is what a long way makes dear.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections import deque
from typing import NamedTuple, cast

import click
import uvloop

MILLI, MEGA = 1e-3, 1e6
WINDOW = 64 << 20
"""Bytes under way, of a connection without a limit.  Fewer would be one: 64 MB in half a round trip of 25 ms."""
SPARE = 1 << 19
"""Bytes that may be under way over those that a rate fills its half of the round trip with: two reads."""
SHORTEST = 0.001
"""Seconds that timers count in; what is asked for in less is asked for again and again."""


class Length(NamedTuple):
    """What a wire is like: seconds for one way, and for one byte of a connection."""

    delay: float
    per_byte: float

    @property
    def window(self) -> int:
        """How many bytes of a connection may be under way."""
        return round(self.delay / self.per_byte) + SPARE if self.per_byte else WINDOW


class End(asyncio.Protocol):
    """One end of a connection: what comes in here goes out at `other`, in its time."""

    def __init__(self, length: Length) -> None:
        self.other: End | None = None
        self.received = 0
        self.waits = 0
        """How often something came in after something had gone out here: of a client, how often it has waited."""
        self.transport: asyncio.Transport | None = None
        self._listens = True
        self._length = length
        self._under_way: deque[tuple[float, bytes | None]] = deque()
        self._held = 0
        self._free = 0.0  # when the last byte is on the wire
        self._timer: asyncio.TimerHandle | None = None
        self._full = False  # whether what goes out here is not taken
        self._stopped = False
        self._ended = False  # whether the end has gone out at the other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.waits += self._listens
        self._listens = False
        self._put(data)

    def eof_received(self) -> bool:
        self._put(b"")
        return True  # the other direction goes on

    def connection_lost(self, _: Exception | None) -> None:
        """The other end is closed too, behind all that is under way there."""
        self._takes(True)
        self._put(None)

    def join(self, other: End) -> None:
        """What has come in, and what will, goes out there."""
        self.other = other
        self._deliver()

    def pause_writing(self) -> None:
        self._takes(False)

    def resume_writing(self) -> None:
        self._takes(True)

    def regulate(self) -> None:
        """Read on unless enough is under way already."""
        stop = self._held > self._length.window or bool(self.other and self.other._full)
        if self.transport and stop != self._stopped and not self.transport.is_closing():
            (self.transport.pause_reading if stop else self.transport.resume_reading)()
            self._stopped = stop

    def _takes(self, more: bool) -> None:
        self._full = not more
        if self.other:
            self.other.regulate()

    def _put(self, data: bytes | None) -> None:
        """Send data on its way; or the end of what comes in (b''), or of the connection (None)."""
        size = len(data or b"")
        self._free = max(self._free, time.monotonic()) + size * self._length.per_byte
        self._under_way.append((self._free + self._length.delay, data))
        self._held += size
        if self._timer is None:
            self._deliver()
        self.regulate()

    def _deliver(self) -> None:
        self._timer, now, other = None, time.monotonic(), self.other
        if other is None:
            return
        while self._under_way and self._under_way[0][0] <= now:
            _, data = self._under_way.popleft()
            self._held -= len(data or b"")
            self._ended = self._ended or not data
            other.send(data)
        if self._under_way:
            wait = max(SHORTEST, self._under_way[0][0] - now)
            self._timer = asyncio.get_running_loop().call_later(wait, self._deliver)
        elif self._ended and other._ended:
            self.close()
            other.close()
        self.regulate()

    def send(self, data: bytes | None) -> None:
        """Let it go out here, now: see `_put`."""
        if self.transport is None or self.transport.is_closing():
            return
        self._listens = True
        if data:
            self.transport.write(data)
        elif data is None:
            self.transport.close()
        else:
            self.transport.write_eof()

    def close(self) -> None:
        """After what has gone out here."""
        if self.transport:
            self.transport.close()


class Switch:
    """Takes clients, and has a connection to the server for each."""

    def __init__(self, port: int, length: Length) -> None:
        self._port = port
        self._length = length
        self._clients: list[End] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def client(self) -> End:
        """The end for a client that has just come."""
        client = End(self._length)
        self._clients.append(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return client

    def seen(self) -> list[tuple[int, int, int]]:
        """Of each client since the last call: how often it waited, bytes to the server, bytes from there."""
        found = [(c.waits, c.received, c.other.received if c.other else 0) for c in self._clients]
        self._clients = []
        return found

    async def _connect(self, client: End) -> None:
        """A round trip makes the connection, and another half brings what the client says first."""
        await asyncio.sleep(3 * self._length.delay)
        server = End(self._length)
        try:
            await asyncio.get_running_loop().create_connection(lambda: server, "127.0.0.1", self._port)
        except OSError:
            client.close()
            return
        server.join(client)
        client.join(server)


async def serve(port: int, length: Length) -> None:
    """Listen, say where, and answer each line of standard input with what was seen, until it ends."""
    loop = asyncio.get_running_loop()
    switch = Switch(port, length)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    server = await loop.create_server(switch.client, sock=listening)
    _say(listening.getsockname()[1])
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        _say(switch.seen())
    server.close()


def _say(words: object) -> None:
    print(json.dumps(words), flush=True)


@click.command()
@click.argument("port", type=int)
@click.option("--round-trip", default=50.0, help="Milliseconds.")
@click.option("--rate", default=40.0, help="Megabytes a second of each connection, in each direction; 0 is no limit.")
def main(port: int, round_trip: float, rate: float) -> None:
    """A long wire to PORT of this machine; the first line says at which port it begins."""
    uvloop.run(serve(port, Length(round_trip * MILLI / 2, 1 / (rate * MEGA) if rate else 0.0)))


if __name__ == "__main__":
    main()
