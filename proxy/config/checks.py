"""Which settings cannot be used although each is of its type: ranges, files.

A check is a function from the settings to lines for the person who wrote them; all of them are in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from proxy.config.files import check_private, file_at
from proxy.config.settings import ConfigError, Settings
from proxy.sources.named import NamedSource
from proxy.sources.patterns import parse_pattern

RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("server", "listen_port", 1, 65535),
    ("server", "connect_timeout", 0.1, 3600),
    ("server", "startup_timeout", 0.1, 3600),
    ("server", "shutdown_timeout", 0, 86400),
    ("server", "processes", 1, 64),
    ("tls", "handshake_timeout", 0.1, 3600),
    ("limits", "max_clients", 1, 1_000_000),
    ("limits", "max_clients_per_user", 0, 1_000_000),
    ("limits", "max_clients_per_address", 0, 1_000_000),
    ("limits", "client_idle_timeout", 0, 10_000_000),
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


def warnings_of(settings: Settings) -> list[str]:
    """What of `settings` can be used and is most likely not meant, one line each."""
    host = settings.server.listen_host
    if settings.tls.mode == "require" or host == "localhost" or (_is_address(host) and ip_address(host).is_loopback):
        return []
    return [
        f"server.listen_host {host!r} can be reached from elsewhere: what clients without TLS send passes as it is; "
        'tls.mode = "require" refuses them'
    ]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ranges(settings: Settings) -> Iterator[str]:
    for section, key, low, high in RANGES:
        value = getattr(getattr(settings, section), key)
        if not low <= value <= high:
            yield f"configuration: {section}.{key} must be from {low:g} to {high:g}, not {value:g}"


def _passfile(settings: Settings) -> Iterator[str]:
    """libpq would pass over a file that it cannot use, and jobs would lack their passwords without a word."""
    if settings.jobs.passfile:
        yield from _private("jobs.passfile", settings.jobs.passfile)


def _private(setting: str, name: str) -> Iterator[str]:
    """What is wrong with a file that holds secrets."""
    try:
        check_private(setting, file_at(setting, name))
    except ConfigError as problem:
        yield str(problem)


def _patterns(settings: Settings) -> Iterator[str]:
    for key, patterns in (("allow", settings.sources.allow), ("deny", settings.sources.deny)):
        for text in patterns:
            try:
                parse_pattern(text)
            except ValueError as error:
                yield f"configuration: sources.{key}: {error}"


def _named_sources(settings: Settings) -> Iterator[str]:
    for name, source in settings.source.items():
        named = NamedSource(source.conninfo, source.password, source.password_file)
        yield from (f"configuration: source.{name}: {problem}" for problem in named.problems())
        if source.password_file and not source.password:
            yield from _private(f"source.{name}.password_file", source.password_file)


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (_ranges, _passfile, _patterns, _named_sources)
