"""How often the proxy parses, and what the filter costs by itself.

The counts come from outside: a proxy runs under Python's profiler, which counts calls of every function.
"""

from __future__ import annotations

import pstats
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from proxy.calls.filter import may_name_ours, names_ours
from proxy.calls.rewrite import references, rewrite
from proxy.embedded import Server
from proxy.installations import newest, private_directory
from proxy.launch import ProxyProcess

PARSERS = {("filter.py", "names_ours"): "first parses, to JSON", ("parsing.py", "parse"): "second parses, to trees"}
"""The functions that parse, and what is counted by them."""
REPEATED = 100
MISS = "SELECT g, g * 2 AS twice FROM generate_series(1, 5) AS g WHERE g <> 3 ORDER BY g"
HIT = "SELECT 'pgclone' AS word"
OURS = "SELECT status FROM pgclone_jobs_view WHERE job_id = 1"
LARGE = "INSERT INTO t VALUES " + ", ".join(f"({n}, 'some text')" for n in range(1000))

COUNTED = (
    ("ordinary statement, simple", MISS, False),
    ("ordinary statement, prepared", MISS, True),
    ("the literal 'pgclone', simple", HIT, False),
    ("the view, prepared", OURS, True),
    ("the view, simple", OURS, False),
    ("the view, simple, another number each time", OURS + "{}", False),
)


def counts() -> list[tuple[str, ...]]:
    """For each kind of statement, run REPEATED times, how often it was parsed."""
    with private_directory() as directory, Server(newest(), directory / "server") as server:
        return [(title, *_counted(server, directory / str(n), sql, prepared))
                for n, (title, sql, prepared) in enumerate(COUNTED)]  # fmt: skip


def alone() -> list[tuple[str, ...]]:
    """What the steps of the filter take for some statements, without any connection."""
    short, large = MISS.encode(), LARGE.encode()
    steps: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("bytes of a short statement: a miss", lambda: may_name_ours(short, prepared=False)),
        (f"bytes of an INSERT of {len(large) // 1000} kB: a miss", lambda: may_name_ours(large, prepared=False)),
        ("first parse of a hit by accident", lambda: names_ours(HIT, prepared=frozenset())),
        ("first parse of one of ours", lambda: names_ours(OURS, prepared=frozenset())),
        ("second parse of one of ours, for its names", lambda: references(OURS)),
        ("rewriting one of ours", lambda: rewrite(OURS)),
    )
    return [(title, f"{_microseconds(step):.1f}") for title, step in steps]


def _microseconds(step: Callable[[], Any]) -> float:
    timer = timeit.Timer(step)
    number, _ = timer.autorange()
    return min(timer.repeat(5, number)) / number * 1e6


def _counted(server: Server, directory: Path, sql: str, prepared: bool) -> list[str]:
    directory.mkdir()
    profile = directory / "profile"
    with ProxyProcess(directory, server.conninfo(), interpreter=("-m", "cProfile", "-o", str(profile))) as proxy:
        with psycopg.connect(proxy.conninfo(), autocommit=True) as connection:
            for number in range(REPEATED):
                connection.execute(sql.replace("{}", str(number)).encode(), prepare=prepared)
        proxy.stop()
    stats = pstats.Stats(str(profile)).stats  # type: ignore[attr-defined]  # typeshed does not know it
    calls = {(Path(file).name, name): count for (file, _, name), (_, count, *_) in stats.items()}
    return [str(calls.get(parser, 0)) for parser in PARSERS]
