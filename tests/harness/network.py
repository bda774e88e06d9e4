"""A network between a client and a server that a test can slow down, stop and cut: a relay of TCP connections.

What it holds back stays unsent while its sockets stay open, as with a host that hangs.  A network that drops packets
looks different to the operating systems, which then get no acknowledgements: island.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

Direction = Literal["to server", "to client"]
BOTH: Final[tuple[Direction, Direction]] = ("to server", "to client")
CHUNK: Final = 1 << 16
AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset."""


class Network:
    """Listens on `port` of `host` and relays to `server`: a port of 127.0.0.1, or the path of a unix socket.  With
    `tls`, that is what it speaks to clients.  All methods may be called at any time."""

    host = "127.0.0.1"

    def __init__(self, server: int | str, tls: ssl.SSLContext | None = None) -> None:
        self.server = server
        self._tls = tls
        self.port = 0
        self.latency = 0.0
        """Seconds that each piece is late."""
        self.bytes_per_second = 0
        """Of each connection in each direction; 0 is as many as will go."""
        self._loop = asyncio.new_event_loop()
        self._held: set[Direction] = set()
        self._moving = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.host}:{self.port} to {self.server}, {len(self._writers) // 2} connections>"
        )

    def hold(self, *directions: Direction) -> None:
        """Let nothing pass any more in these directions, or at all; connections stay open."""
        self._call(self._hold, directions or BOTH)

    def let_pass(self) -> None:
        """Let everything pass again, first what was held back."""
        self._call(self._hold, ())

    def reset(self) -> None:
        """Cut all connections; new ones can be made."""
        self._call(self._cut_all)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        listening = self._listen()
        self.port = listening.getsockname()[1]
        serving = asyncio.start_server(self._serve, sock=listening, ssl=self._tls)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()

    def stop(self) -> None:
        """Cut everything and listen no more."""
        self.reset()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _listen(self) -> socket.socket:
        return socket.create_server((self.host, 0))

    def _call(self, method: Callable[..., None], *arguments: object) -> None:
        """Call it in the thread of the connections, and return when that is done."""

        async def call() -> None:
            method(*arguments)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _hold(self, directions: Iterable[Direction]) -> None:
        self._held = set(directions)
        if not self._held:
            self._moving.set()
            self._moving.clear()

    def _cut_all(self) -> None:
        for writer in [each for each in self._writers if not each.is_closing()]:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            writer.transport.abort()

    async def _end(self) -> None:
        if self._server:
            self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # what they have closed is closed in the next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await self._connect()
        except OSError:
            writer.close()
            return
        ours = {writer, to_server}
        self._writers |= ours
        try:
            ways = (self._relay(reader, to_server, "to server"), self._relay(from_server, writer, "to client"))
            await asyncio.gather(*ways)
        except asyncio.CancelledError:
            pass  # the network ends; asyncio's server would print it
        finally:
            self._writers -= ours
            for each in ours:
                each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.server, str):
            return await asyncio.open_unix_connection(self.server)
        return await asyncio.open_connection("127.0.0.1", self.server)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await asyncio.sleep(self.latency + (len(data) / self.bytes_per_second if self.bytes_per_second else 0))
                while direction in self._held:
                    await self._moving.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def network_to(server_port: int, tls: ssl.SSLContext | None = None) -> Iterator[Network]:
    """A network to a server of this host; everything is cut at the end."""
    network = Network(server_port, tls)
    network.start()
    try:
        yield network
    finally:
        network.stop()
