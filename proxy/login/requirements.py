"""What the target's conninfo requires of the way in which the server has the proxy authenticate: libpq's `require_auth`
and `channel_binding`, with libpq's meanings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clone_engine.records.errors import PgError
from proxy.config import ConfigError
from proxy.wire.authentication import CLEARTEXT, GSS, MD5, OK, SASL, SSPI

METHODS = {OK: "none", CLEARTEXT: "password", MD5: "md5", SASL: "scram-sha-256", GSS: "gss", SSPI: "sspi"}
"""libpq's names of what a server's first request asks for."""
KNOWN = frozenset((*METHODS.values(), "oauth"))
BINDINGS = ("disable", "prefer", "require")


class Requirements(NamedTuple):
    """What is required of a login on the target."""

    methods: frozenset[str] = KNOWN
    """Those that the server may ask for."""
    channel_binding: str = "prefer"

    def check(self, code: int) -> None:
        """PgError 28000 if the server must not ask for this."""
        method = METHODS.get(code)
        if method is not None and method not in self.methods:
            raise _refused(f"asks for method {method}, which require_auth in server.target does not allow")
        if code == OK:
            self.check_bound(bound=False)

    def check_bound(self, *, bound: bool) -> None:
        """PgError 28000 if the login must be bound to the server's certificate and is not."""
        if self.channel_binding == "require" and not bound:
            raise _refused("does not authenticate with channel binding, which server.target requires")


def requirements(parameters: Mapping[str, str]) -> Requirements:
    """What a conninfo requires.  ConfigError for values that libpq does not know."""
    binding = parameters.get("channel_binding") or "prefer"
    if binding not in BINDINGS:
        raise ConfigError(f"configuration: channel_binding in server.target must be one of {', '.join(BINDINGS)}")
    return Requirements(_methods(parameters.get("require_auth", "")), binding)


def _methods(text: str) -> frozenset[str]:
    if not text:
        return KNOWN
    names = [name.strip() for name in text.split(",")]
    denied = [name.startswith("!") for name in names]
    chosen = frozenset(name.removeprefix("!") for name in names)
    if not chosen <= KNOWN or (any(denied) and not all(denied)):
        raise ConfigError(
            "configuration: require_auth in server.target must list methods, or methods that all begin with '!': "
            + ", ".join(sorted(KNOWN))
        )
    return KNOWN - chosen if all(denied) else chosen


def _refused(reason: str) -> PgError:
    return PgError(
        "28000",
        "pgclone: the target server does not authenticate as the proxy requires",
        detail=f"The server {reason}.",
        hint="Another server may be in its place.  Else change pg_hba.conf there, or server.target here.",
    )
