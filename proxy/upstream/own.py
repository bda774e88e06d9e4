"""Whether a target would be the proxy itself: each session would then open another one, without end.

Only what can be seen is: where the proxy listens.  A way round through another host is not.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from os.path import realpath

from proxy.config import ConfigError
from proxy.own_addresses import Listeners
from proxy.upstream.places import Place
from proxy.upstream.target import Target


def refuse_itself(target: Target, ours: Listeners) -> None:
    """ConfigError if a host of the target is where the proxy listens.  Names that cannot be resolved pass."""
    for place in target.places:
        if _leads_to(ours, place):
            raise ConfigError(
                f"configuration: server.target names the proxy itself, at {place}: name the server "
                "behind it, or have the proxy listen elsewhere"
            )


def _leads_to(ours: Listeners, place: Place) -> bool:
    if path := place.socket_path:
        return ours.answer_at(path) or ours.answer_at(realpath(path))
    if place.port not in ours.ports:  # looking up a name may take long
        return False
    return any(ours.answer(address, place.port) for address in _addresses(place.hostaddr or place.host))


def _addresses(name: str) -> frozenset[str]:
    with suppress(OSError, UnicodeError):
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    return frozenset()
