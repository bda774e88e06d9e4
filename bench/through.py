"""Measures what stands between a client and its server: straight, pgbouncer, our proxy, side by side.

    python -m bench.through --write build/through.md

The ways take turns, so that whatever else the machine does falls on all alike; a figure is the median of the rounds.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import psycopg

from bench.loads import EMPTY, IDLE, MILLION, Figures, bulk, conninfo, idle_bytes, pgbench
from bench.peers import MOST_CLIENTS, Peer, ours, pgbouncer
from bench.report import machine, table
from proxy.embedded import Server
from proxy.installations import Installation, newest, private_directory, server_account, with_program

MODES = ("simple", "extended", "prepared")
CLIENTS = (1, 8, 64)
SETTINGS = {"max_connections": str(MOST_CLIENTS), "max_wal_size": "4GB"}
BULK = {
    "COPY of a million rows out": "COPY million TO STDOUT",
    "SELECT of a million rows": "SELECT * FROM million",
    "COPY of a million rows in": "\\copy filled FROM '{file}'",
}

HEADER = (
    "load",
    *("direct tps", "pgbouncer tps", "proxy tps", "proxy : pgbouncer", "proxy : direct"),
    *("CPU µs pgbouncer", "CPU µs proxy", "ratio"),
    *("p50 µs of each", "p99 µs pgbouncer", "p99 µs proxy", "ratio"),
)

Run = Callable[[Peer], Figures]


class Load(NamedTuple):
    """A load by name."""

    title: str
    run: Run


@click.command()
@click.option("--seconds", default=5, help="Of each run of pgbench.")
@click.option("--rounds", default=3, help="How often each way has its turn.")
@click.option("--only", default="", help="Only loads whose title holds this.")
@click.option("--upstream", type=click.Choice(["tcp", "socket", "both"]), default="both", help="To the server.")
@click.option("--write", type=click.Path(path_type=Path), help="A file for the tables.")
def main(seconds: int, rounds: int, only: str, upstream: str, write: Path | None) -> None:
    """Compare ways to one server."""
    parts = [f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {rounds} rounds, pgbench {seconds} s each\n"]
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory())
        server = stack.enter_context(Server(newest(), directory / "server", settings=SETTINGS))
        client = with_program("pgbench", newest())
        _prepare(server, client, directory)
        loads = [load for load in _loads(client, directory, seconds) if only in load.title]
        for by_socket in (False, True):
            if upstream in ("both", "socket" if by_socket else "tcp"):
                with _peers(server, directory, by_socket) as peers:
                    title = "unix socket" if by_socket else "TCP"
                    parts += [f"## To the server by {title}\n", _compared(loads, peers, rounds)]
                    if not only:
                        parts.append(_memory(peers))
        click.echo("\n".join(parts))
    if write:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text("\n".join(parts), encoding="utf-8")


def _prepare(server: Server, client: Installation, directory: Path) -> None:
    straight = Peer("direct", server.port)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(MILLION)
        connection.execute(EMPTY)
        connection.execute("VACUUM ANALYZE million")
        with connection.cursor().copy("COPY million TO STDOUT") as copy, (directory / "million").open("wb") as file:
            for block in copy:
                file.write(block)
    pgbench_tables = [client.program("pgbench"), "-i", "-q", "-s", "5", conninfo(straight)]
    subprocess.run(pgbench_tables, check=True, capture_output=True)


@contextmanager
def _peers(server: Server, directory: Path, by_socket: bool) -> Iterator[list[Peer]]:
    place = directory / ("socket" if by_socket else "tcp")
    place.mkdir()
    if account := server_account():
        shutil.chown(place, *account)
    with (
        pgbouncer(server, place / "b", by_socket=by_socket) as bouncer,
        ours(server, place / "o", by_socket=by_socket) as proxy,
    ):
        yield [Peer("direct", server.port), bouncer, proxy]


def _loads(client: Installation, directory: Path, seconds: int) -> list[Load]:
    place = directory / "logs"
    place.mkdir()

    def by_pgbench(*arguments: str) -> Run:
        return lambda peer: pgbench(client, peer, arguments, seconds, place)

    loads = [
        Load(f"pgbench -S, {mode}, {clients} clients", by_pgbench("-S", "-M", mode, "-c", str(clients)))
        for mode in MODES
        for clients in CLIENTS
    ]
    loads.append(Load("connect and query, 4 clients", by_pgbench("-S", "-C", "-c", "4")))
    for title, command in BULK.items():
        text = command.replace("{file}", str(directory / "million"))
        loads.append(Load(title, partial(_bulk, client, text)))
    return loads


def _bulk(client: Installation, command: str, peer: Peer) -> Figures:
    return bulk(client, peer, command)


def _compared(loads: list[Load], peers: list[Peer], rounds: int) -> str:
    rows = []
    for load in loads:
        runs: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                runs[peer.name].append(load.run(peer))
        rows.append(_row(load.title, {name: _median(each) for name, each in runs.items()}))
    return table(HEADER, rows)


def _row(title: str, figures: dict[str, Figures]) -> tuple[str, ...]:
    direct, bouncer, proxy = (figures[name] for name in ("direct", "pgbouncer", "proxy"))
    return (
        title,
        *(f"{each.rate:,.0f}" if each.rate > 100 else f"{each.rate:.2f}" for each in (direct, bouncer, proxy)),
        f"{proxy.rate / bouncer.rate:.2f}",
        f"{proxy.rate / direct.rate:.2f}",
        f"{bouncer.processor:,.1f}",
        f"{proxy.processor:,.1f}",
        f"{proxy.processor / bouncer.processor:.2f}" if bouncer.processor else "",
        f"{direct.p50:,.0f} / {bouncer.p50:,.0f} / {proxy.p50:,.0f}",
        f"{bouncer.p99:,.0f}",
        f"{proxy.p99:,.0f}",
        f"{proxy.p99 / bouncer.p99:.2f}",
    )


def _median(runs: list[Figures]) -> Figures:
    return Figures(*(median(values) for values in zip(*runs, strict=True)))


def _memory(peers: list[Peer]) -> str:
    rows = [(peer.name, f"{idle_bytes(peer) / 1024:.1f}") for peer in peers if peer.pid]
    return table((f"memory of one of {IDLE} idle connections", "KiB"), rows)


if __name__ == "__main__":
    main()
