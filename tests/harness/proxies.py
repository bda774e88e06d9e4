"""Proxies for tests, each a real process (proxy.launch) in a directory of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from proxy.launch import LOCAL_SOURCES, ProxyProcess, Sections
from tests.harness.processes import FORKER, children
from tests.harness.waiting import wait_until

__all__ = ["Proxies", "ProxyProcess", "connect", "open_files", "running_proxies"]

# Without TLS, as the servers that they are compared with.
DEFAULTS: Sections = {"log": {"level": "debug"}, "tls": {"mode": "disable"}, **LOCAL_SOURCES}


class Proxies:
    """Starts proxies, each in a directory of its own below `directory`, and stops all of them at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[ProxyProcess] = []
        self._numbers = itertools.count(1)

    def start(self, target: str, sections: Sections | None = None, **environment: str) -> ProxyProcess:
        """A new running proxy for `target`, with the given settings and environment variables."""
        place = self.directory / f"p{next(self._numbers)}"
        place.mkdir()
        proxy = ProxyProcess(place, target, {**DEFAULTS, **(sections or {})}, environment=environment)
        self._started.append(proxy)
        proxy.start()
        return proxy

    def stop(self) -> None:
        """Stop all of them."""
        for proxy in self._started:
            proxy.stop()


@contextlib.contextmanager
def running_proxies(directory: Path) -> Iterator[Proxies]:
    """A starter of proxies; all are stopped at the end."""
    proxies = Proxies(directory)
    try:
        yield proxies
    finally:
        proxies.stop()


def connect(proxy: ProxyProcess, dbname: str = "postgres", **more: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """A new autocommit connection through `proxy`."""
    return psycopg.connect(proxy.conninfo(dbname, **more), autocommit=True)


def open_files(proxy: ProxyProcess) -> int:
    """How many files, sockets among them, its first process has open, with those that lead to its forker."""
    wait_until(lambda: children(proxy.pid, FORKER), what="the forker")
    return len(list(Path(f"/proc/{proxy.pid}/fd").iterdir()))
