"""Asks the system for the addresses of names, in threads of its own.

The event loop's own way does very few lookups at once for everybody, so that a few names whose servers do not answer
keep all others waiting; and the process could not end before they have.  What the addresses are for, how long anybody
waits, and whether they are remembered is for the callers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Thread

LookUp = Callable[[str, int], Awaitable[list[str]]]
"""Gives the addresses of a name.  OSError if it has none."""


class Resolver:
    """Does at most `at_once` lookups at a time."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    def __repr__(self) -> str:
        return f"<Resolver {self._free}>"

    async def addresses(self, name: str, port: int) -> list[str]:
        """The addresses of a name, or whatever else the system understands as a host, in the system's order.

        OSError if it has none.  A lookup that is waited for no more keeps its place until the system has answered.
        """
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        answer: asyncio.Future[list[str] | OSError] = loop.create_future()

        def tell(found: list[str] | OSError) -> None:
            self._free.release()
            if not answer.done():
                answer.set_result(found)

        def ask() -> None:
            found = _ask(name, port)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, found)

        Thread(target=ask, name=f"lookup of {name}", daemon=True).start()  # which nobody waits for at the end
        found = await answer
        if isinstance(found, OSError):
            raise found
        return found


def _ask(name: str, port: int) -> list[str] | OSError:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError:  # labels that are empty or too long, before any resolver is asked
        return OSError(f"{name} cannot be the name of a host")
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
