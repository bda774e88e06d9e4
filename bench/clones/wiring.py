"""A long wire as those use it who measure: its process started and ended, and asked what passed through it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Seen(NamedTuple):
    """One connection of a client."""

    waits: int
    """How often it sent something and then waited for what came of it: round trips, but for the one that makes the
    connection."""
    to_server: int
    """Bytes."""
    to_client: int


class Wire:
    """The process; `port` of this machine is where the wire begins."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.port = int(self._answer())

    def __repr__(self) -> str:
        return f"<Wire from port {self.port}, process {self.pid}>"

    def seen(self) -> list[Seen]:
        """The connections that were begun since the last call."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [Seen(*each) for each in json.loads(self._answer())]

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@contextmanager
def wired(port: int, round_trip: float, rate: float) -> Iterator[Wire]:
    """A wire to a port of this machine, as `bench.clones.wire` describes it.  It ends with the block, and with us."""
    command = [
        sys.executable,
        "-m",
        "bench.clones.wire",
        str(port),
        "--round-trip",
        str(round_trip),
        "--rate",
        str(rate),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Wire(process)  # the end of its standard input, which Popen's block closes, is its own
