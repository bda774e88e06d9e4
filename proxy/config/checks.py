"""Which settings cannot be used although each is of its type: ranges, files.

A check is a function from the settings to lines for the person who wrote them; all of them are in `CHECKS`.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from proxy.config.settings import Settings

RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("server", "listen_port", 1, 65535),
    ("server", "connect_timeout", 0.1, 3600),
    ("server", "startup_timeout", 0.1, 3600),
    ("server", "shutdown_timeout", 0, 86400),
    ("server", "processes", 1, 64),
    ("jobs", "max_running", 1, 1000),
    ("jobs", "max_running_per_role", 0, 1000),
    ("jobs", "max_running_per_source", 0, 1000),
    ("jobs", "default_parallel", 1, 64),
    ("jobs", "keep_finished", 0, 1_000_000),
    ("jobs", "keep_finished_days", 0, 36_500),
    ("jobs", "retry_for", 0, 86400),
)


def problems_of(settings: Settings) -> list[str]:
    """What of `settings` cannot be used, one line each."""
    return [problem for check in CHECKS for problem in check(settings)]


def _ranges(settings: Settings) -> Iterator[str]:
    for section, key, low, high in RANGES:
        value = getattr(getattr(settings, section), key)
        if not low <= value <= high:
            yield f"configuration: {section}.{key} must be from {low:g} to {high:g}, not {value:g}"


def _passfile(settings: Settings) -> Iterator[str]:
    """libpq would pass over a file that it cannot use, and jobs would lack their passwords without a word."""
    if settings.jobs.passfile:
        yield from private_file("jobs.passfile", settings.jobs.passfile)


def private_file(setting: str, name: str) -> Iterator[str]:
    """What is wrong with a file that holds secrets."""
    path = Path(name).expanduser()
    try:
        with path.open("rb"):
            mode = path.stat().st_mode
    except OSError as error:
        yield f"configuration: cannot read {setting} {path}: {error.strerror}"
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"configuration: others can read {setting} {path}: make it private with chmod 600"


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (_ranges, _passfile)
