"""From when a new value of a setting counts: from a reload, or from the next start of the proxy.

Pure.  conf/pgclone-proxy.toml says the same to those who write it.  Who takes the new values is `reload`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from proxy.config.settings import Settings

From = Literal["reload", "restart"]

COUNTS_FROM: Mapping[str, From] = {
    "server.listen_host": "restart",
    "server.listen_port": "restart",
    "server.unix_socket_dir": "restart",
    "server.processes": "restart",
    "server.target": "reload",
    "server.connect_timeout": "reload",
    "server.connect_ahead": "reload",
    "server.startup_timeout": "reload",
    "server.shutdown_timeout": "reload",
    "tls.mode": "reload",
    "tls.cert_file": "reload",
    "tls.key_file": "reload",
    "tls.min_version": "reload",
    "tls.client_cert": "reload",
    "tls.client_ca_file": "reload",
    "tls.handshake_timeout": "reload",
    "limits.max_clients": "reload",
    "limits.max_clients_per_user": "reload",
    "limits.max_clients_per_address": "reload",
    "limits.client_idle_timeout": "reload",
    "auth.mode": "reload",
    "auth.file": "reload",
    "jobs.store": "restart",
    "jobs.max_running": "reload",
    "jobs.max_running_per_role": "reload",
    "jobs.max_running_per_source": "reload",
    "jobs.default_parallel": "reload",
    "jobs.retry_for": "reload",
    "jobs.passfile": "reload",
    "jobs.resume_at_start": "reload",
    "jobs.notify": "restart",
    "jobs.keep_finished": "reload",
    "jobs.keep_finished_days": "reload",
    "jobs.keep_credentials": "restart",
    "jobs.key_file": "restart",
    "jobs.admin_roles": "reload",
    "jobs.allow_roles": "reload",
    "jobs.deny_roles": "reload",
    "sources.inline": "reload",
    "sources.allow": "reload",
    "sources.deny": "reload",
    "sources.require_password": "reload",
    "source": "reload",
    "log.level": "reload",
    "log.format": "reload",
    "log.connections": "reload",
    "log.disconnections": "reload",
}
"""Every setting; a section without fixed names stands for all of its settings."""


class Change(msgspec.Struct, frozen=True):
    """What a reload comes to."""

    settings: Settings
    """The new ones; what counts from a restart has its old value."""
    changed: tuple[str, ...] = ()
    """The settings that have another value now."""
    needs_restart: tuple[str, ...] = ()
    """Those whose new value has to wait."""


def change(old: Settings, new: Settings) -> Change:
    """What becomes of `old` when `new` is read while the proxy runs."""
    before, after = _values(old), _values(new)
    differ = [name for name in COUNTS_FROM if before[name] != after[name]]
    waiting = tuple(name for name in differ if COUNTS_FROM[name] == "restart")
    merged = new
    for name in waiting:
        merged = _with(merged, name, before[name])
    return Change(merged, tuple(name for name in differ if name not in waiting), waiting)


def _values(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for section, record in msgspec.structs.asdict(settings).items():
        if isinstance(record, msgspec.Struct):
            values |= {f"{section}.{key}": value for key, value in msgspec.structs.asdict(record).items()}
        else:
            values[section] = record
    return values


def _with(settings: Settings, name: str, value: Any) -> Settings:
    section, _, key = name.partition(".")
    new = msgspec.structs.replace(getattr(settings, section), **{key: value}) if key else value
    return msgspec.structs.replace(settings, **{section: new})
