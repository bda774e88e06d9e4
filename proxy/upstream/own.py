"""Whether a target would be the proxy itself: each session would then open another one, without end.

Only what can be seen is: addresses of this host that the proxy listens on.  A way round through another host is not.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from proxy.config import ConfigError, ServerSettings
from proxy.own_addresses import is_own
from proxy.upstream.places import Place
from proxy.upstream.target import Target

WILDCARDS = frozenset(("", "*", "0.0.0.0", "::"))


def refuse_itself(target: Target, settings: ServerSettings) -> None:
    """ConfigError if a host of the target is where the proxy listens.  Names that cannot be resolved pass."""
    for place in target.places:
        if _by_socket(place, settings) if place.socket_path else _by_tcp(place, settings):
            raise ConfigError(
                f"configuration: server.target names the proxy itself, at {place}: name the server "
                "behind it, or change server.listen_port"
            )


def _by_socket(place: Place, settings: ServerSettings) -> bool:
    directory = settings.unix_socket_dir
    return bool(directory) and place.port == settings.listen_port and _same(directory, place.host)


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _by_tcp(place: Place, settings: ServerSettings) -> bool:
    if place.port != settings.listen_port:
        return False
    targets = _addresses(place.hostaddr or place.host)
    if settings.listen_host in WILDCARDS:
        return any(map(is_own, targets))
    return bool(targets & _addresses(settings.listen_host))


def _addresses(name: str) -> frozenset[str]:
    with suppress(OSError, UnicodeError):
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    return frozenset()
