"""The loads that the ways are compared under: pgbench, rows by the million, and connections that do nothing.

Each gives figures of one run; how often it runs, and in which order, is `through.py`'s business.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import psycopg

from bench.peers import Peer
from proxy.embedded import SUPERUSER
from proxy.installations import Installation

ROWS = 1_000_000
IDLE = 1000
MILLION = (
    f"CREATE TABLE million AS SELECT g AS id, md5(g::text) AS word, g * 1.5 AS price FROM generate_series(1, {ROWS}) g"
)
EMPTY = "CREATE UNLOGGED TABLE filled (LIKE million)"


class Figures(NamedTuple):
    """Of one run."""

    rate: float
    """Transactions (of bulk loads: runs) in a second."""
    p50: float
    """Microseconds."""
    p99: float
    processor: float
    """Microseconds of the process in between, for one transaction."""


def conninfo(peer: Peer) -> str:
    """How a client reaches the server on this way."""
    return f"host=127.0.0.1 port={peer.port} dbname=postgres user={SUPERUSER} sslmode=disable"


def pgbench(installation: Installation, peer: Peer, arguments: tuple[str, ...], seconds: int, place: Path) -> Figures:
    """Run pgbench for some seconds; its files are in `place`, which is empty again afterwards."""
    command = [installation.program("pgbench"), "-n", "-T", str(seconds), "--log", *arguments, conninfo(peer)]
    before = peer.seconds()
    done = subprocess.run(command, cwd=place, env=_environment(), capture_output=True, text=True, check=False)
    used = peer.seconds() - before
    if done.returncode:
        raise RuntimeError(f"pgbench on {peer.name}: {done.stderr[-500:]}")
    times = sorted(_latencies(place))
    cuts = quantiles(times, n=100)
    return Figures(len(times) / seconds, cuts[49], cuts[98], used / len(times) * 1e6)


def _latencies(place: Path) -> Iterator[int]:
    for file in place.glob("pgbench_log.*"):
        for line in file.read_text().splitlines():
            yield int(line.split()[2])
        file.unlink()


def bulk(installation: Installation, peer: Peer, command: str) -> Figures:
    """Let psql run one command whose rows go nowhere."""
    before, began = peer.seconds(), time.perf_counter()
    subprocess.run(
        [installation.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", command, conninfo(peer)],
        env=_environment(),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    took = time.perf_counter() - began
    return Figures(1 / took, took * 1e6, took * 1e6, (peer.seconds() - before) * 1e6)


def idle_bytes(peer: Peer) -> float:
    """What one of many connections that do nothing takes of the memory of the process in between."""
    before = peer.memory()
    with ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(psycopg.connect(conninfo(peer)))
        return (peer.memory() - before) / IDLE


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
