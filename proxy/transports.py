"""The two connections of a session as asyncio sees them, and writing to them in few calls.

Events go straight to the session, and bytes to its relay; socket options and buffer limits are set here.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

# uvloop's default of 64 kB makes large results stop and go; above a megabyte only memory grows.
WRITE_BUFFER = 512 << 10


class Events(Protocol):
    """What a session is told."""

    def writable(self, *, client: bool, full: bool) -> None:
        """The client's or the server's transport has `full` or drained buffers."""

    def close(self) -> None:
        """The client's connection has ended."""

    def server_lost(self) -> None:
        """The connection to the server has ended."""


class ClientSide(asyncio.Protocol):
    """The client's connection, once it is a session's."""

    __slots__ = ("_session", "data_received")

    def __init__(self, session: Events, data_received: Callable[[bytes], None]) -> None:
        self._session = session
        self.data_received = data_received  # type: ignore[assignment, method-assign]  # one call less for each read

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.close()

    def pause_writing(self) -> None:
        self._session.writable(client=True, full=True)

    def resume_writing(self) -> None:
        self._session.writable(client=True, full=False)


class ServerSide(asyncio.Protocol):
    """The connection to the target server, once it is a session's."""

    __slots__ = ("_session", "data_received")

    def __init__(self, session: Events, data_received: Callable[[bytes], None]) -> None:
        self._session = session
        self.data_received = data_received  # type: ignore[assignment, method-assign]  # as above

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.server_lost()

    def pause_writing(self) -> None:
        self._session.writable(client=False, full=True)

    def resume_writing(self) -> None:
        self._session.writable(client=False, full=False)


def prepared(made: asyncio.BaseTransport) -> asyncio.Transport:
    """A transport as it was made, with limits for what it buffers."""
    transport = cast(asyncio.Transport, made)  # uvloop's is not a subclass
    transport.set_write_buffer_limits(high=WRITE_BUFFER)
    return transport


def kept_alive(transport: asyncio.Transport) -> asyncio.Transport:
    """The transport of a client, with keep-alives, as PostgreSQL has them: a peer that vanished without a word is found
    out in the end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return transport


class Outbox:
    """What is to be written to a transport, gathered until it is flushed: the peer then wakes up once for all of it."""

    __slots__ = ("_gathered", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._gathered: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Gather `data`."""
        self._gathered.append(data)

    def flush(self) -> None:
        """Write what was gathered; nothing happens if the transport is closed, where uvloop's would raise."""
        gathered = self._gathered
        if not gathered:
            return
        self._gathered = []
        if self._transport.is_closing():
            return
        self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))


class Span:
    """Gathers neighbouring slices of the same bytes, so that a batch of messages goes out in one write."""

    __slots__ = ("_data", "_end", "_start", "_transport")

    def __init__(self, transport: asyncio.Transport | Outbox) -> None:
        self._transport = transport
        self._data = b""
        self._start = self._end = 0

    def add(self, data: bytes, start: int, end: int) -> None:
        """Write data[start:end] behind what was added before."""
        if data is self._data and start == self._end:
            self._end = end
            return
        self.flush()
        self._data, self._start, self._end = data, start, end

    def flush(self) -> None:
        """Write what was added."""
        start, end = self._start, self._end
        if start < end:
            data = self._data
            self._transport.write(data if end - start == len(data) else data[start:end])
        self._start = end


def may_rest(transport: asyncio.Transport) -> bool:
    """Whether reading may pause for a moment: not with TLS, since what a transport holds meanwhile is lost if the
    connection ends."""
    return transport.get_extra_info("ssl_object") is None


def set_reading(transport: asyncio.Transport | None, wanted: bool) -> None:
    """Make a transport read or pause, whatever it does now; nothing happens to one that is closing or None."""
    if transport is None or transport.is_closing() or transport.is_reading() == wanted:
        return
    if wanted:
        transport.resume_reading()
    else:
        transport.pause_reading()
