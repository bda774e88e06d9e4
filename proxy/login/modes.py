"""Which login method the configuration asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from proxy.config import AuthSettings, ConfigError
from proxy.login.auth_file import AuthFile, check_auth_file
from proxy.login.credential import Credential
from proxy.login.parties import Parties
from proxy.login.password import password
from proxy.login.relay import relay
from proxy.login.requirements import requirements
from proxy.login.terminate import terminate

Method = Callable[[Parties], Awaitable[Credential | None]]
"""Connects to the server and lets client and server authenticate.  It returns once AuthenticationOk has gone to the
client, with what the proxy has learnt of the client's credential; PgError refuses the client, ConnectionLostError means
that a side has left."""


def login_method(
    settings: AuthSettings, target: Mapping[str, str], read: Callable[[Path], AuthFile] = check_auth_file
) -> Method:
    """The method for these settings and a target's conninfo; `read` gives the auth file.

    ConfigError if they do not go together, or the auth file cannot be used.
    """
    required = requirements(target)
    if settings.mode == "password":
        return partial(password, requirements=required)
    if settings.mode == "relay":
        if required.channel_binding == "require":
            raise ConfigError(
                'configuration: channel_binding=require in server.target cannot be had with auth.mode = "relay", '
                "where logins are the clients' own: choose another mode, or have clients require it"
            )
        return partial(relay, requirements=required)
    if not settings.file:
        raise ConfigError(
            'configuration: auth.mode = "terminate" needs auth.file, with the roles\' verifiers or passwords'
        )
    return partial(terminate, file=read(Path(settings.file)), requirements=required)
