"""What can be set: one frozen record per section, with the defaults.

Reading them is `load`'s business, which values make sense together that of `checks`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from proxy.sources.policy import Inline


class ConfigError(Exception):
    """Settings that cannot be used; each argument is one line for the person who wrote them."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where clients connect, and where their statements go."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 6432
    unix_socket_dir: str = "/tmp"
    target: str = ""
    connect_timeout: float = 10.0
    connect_ahead: bool = True
    startup_timeout: float = 60.0
    shutdown_timeout: float = 5.0
    processes: int = 1

    def __repr__(self) -> str:
        return f"<ServerSettings of {self.listen_host}:{self.listen_port}>"  # the target may have a password


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many clients there may be, and for how long they may be idle."""

    max_clients: int = 1000
    max_clients_per_user: int = 0
    max_clients_per_address: int = 0
    client_idle_timeout: float = 0.0


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What clients are offered on TCP."""

    mode: Literal["disable", "allow", "require"] = "allow"
    cert_file: str = ""
    key_file: str = ""
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    client_cert: Literal["none", "optional", "require"] = "none"
    client_ca_file: str = ""
    handshake_timeout: float = 10.0


class JobSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How clone jobs run."""

    store: str = "pgclone-proxy.sqlite"
    max_running: int = 4
    max_running_per_role: int = 0
    max_running_per_source: int = 0
    default_parallel: int = 2
    retry_for: float = 60.0
    passfile: str = ""
    resume_at_start: bool = True
    notify: bool = True
    keep_finished: int = 1000
    keep_finished_days: float = 0.0
    keep_credentials: bool = True
    key_file: str = ""
    admin_roles: tuple[str, ...] = ()
    allow_roles: tuple[str, ...] = ()
    deny_roles: tuple[str, ...] = ()


class AuthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How clients log in."""

    mode: Literal["password", "relay", "terminate"] = "password"
    file: str = ""


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which sources callers may name by themselves."""

    inline: Inline = "remote"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    require_password: bool = True


class NamedSourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source that has a name: what it is, and who may use it."""

    conninfo: str = ""
    password: str = ""
    password_file: str = ""
    roles: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<NamedSourceSettings for {', '.join(self.roles) or 'everybody'}>"


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    connections: bool = False
    disconnections: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, validated."""

    server: ServerSettings = ServerSettings()
    jobs: JobSettings = JobSettings()
    sources: SourceSettings = SourceSettings()
    source: dict[str, NamedSourceSettings] = {}
    """By name; the section [source.NAME] of the file."""
    log: LogSettings = LogSettings()
    auth: AuthSettings = AuthSettings()
    tls: TlsSettings = TlsSettings()
    limits: LimitSettings = LimitSettings()
