"""Messages over one end of a socket pair, each behind its length.

What they mean is `channel.py`'s business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar

from proxy.processes.channel import FromServing, ToServing, encode

T = TypeVar("T")

_LENGTH_BYTES = 4


class Link(Generic[T]):
    """One end; `decode` reads what the other end says."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decode: Callable[[bytes], T]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decode = decode

    def __repr__(self) -> str:
        return f"<Link {self.unsent} bytes unsent>"

    @classmethod
    async def over(cls, sock: socket.socket, decode: Callable[[bytes], T]) -> Link[T]:
        """A link over a connected socket, which is the link's from now on."""
        reader, writer = await asyncio.open_connection(sock=sock)
        return cls(reader, writer, decode)

    def send(self, message: ToServing | FromServing) -> None:
        """Send a message; it is dropped if the other end has gone."""
        if not self._writer.is_closing():
            data = encode(message)
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES) + data)

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    async def receive(self) -> T | None:
        """The next message; None when the other end has gone."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
            return self._decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
