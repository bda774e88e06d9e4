"""The settings: a TOML file and environment variables as frozen records.

`settings` has the records, `load` reads them, `checks` says which values cannot be used, `files` where files are and
whether they are private, `reloading` from when new values count.
"""

from proxy.config.load import load, read
from proxy.config.settings import (
    AuthSettings,
    ConfigError,
    JobSettings,
    LimitSettings,
    LogSettings,
    NamedSourceSettings,
    ServerSettings,
    Settings,
    TlsSettings,
)

__all__ = [
    "AuthSettings",
    "ConfigError",
    "JobSettings",
    "LimitSettings",
    "LogSettings",
    "NamedSourceSettings",
    "ServerSettings",
    "Settings",
    "TlsSettings",
    "load",
    "read",
]
