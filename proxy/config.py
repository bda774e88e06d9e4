"""Settings: one frozen record per section, read from a TOML file and then from the environment.

Order: defaults, the file, `PGCLONE_PROXY_<SECTION>_<KEY>`, and DATABASE_URL as the target where none is set.
Every problem is a ConfigError with one line that names the key.  What the settings mean to a running proxy is
`server.py`'s and the manager's business.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

ENVIRONMENT_PREFIX = "PGCLONE_PROXY_"


class ConfigError(Exception):
    """A setting that cannot be used; the message is one line for the person who wrote it."""


class ServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where clients connect, and where their statements go."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 6432
    unix_socket_dir: str = "/tmp"
    target: str = ""
    connect_timeout: float = 10.0
    startup_timeout: float = 60.0
    shutdown_timeout: float = 5.0


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


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, validated."""

    server: ServerSettings = ServerSettings()
    jobs: JobSettings = JobSettings()
    log: LogSettings = LogSettings()


def load(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings from `path` (None: no file) and `environment`.  ConfigError for anything that cannot be used."""
    raw = _read(path) if path else {}
    _apply_environment(raw, environment)
    if not raw.get("server", {}).get("target") and environment.get("DATABASE_URL"):
        raw.setdefault("server", {})["target"] = environment["DATABASE_URL"]
    try:
        # Not strict: the environment has strings only.
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"configuration: {error}") from None
    _check_ranges(settings)
    _check_passfile(settings.jobs.passfile)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {path} is not valid TOML: {error}") from None


def _apply_environment(raw: dict[str, Any], environment: Mapping[str, str]) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        known = {f.name: f for f in msgspec.structs.fields(sections[section])} if section in sections else {}
        if key not in known:
            raise ConfigError(f"environment variable {name} names no setting")
        is_list = not isinstance(known[key].default, str | int | float)
        raw.setdefault(section, {})[key] = [v.strip() for v in value.split(",") if v.strip()] if is_list else value


RANGES: tuple[tuple[str, str, float, float], ...] = (
    ("server", "listen_port", 1, 65535),
    ("server", "connect_timeout", 0.1, 3600),
    ("server", "startup_timeout", 0.1, 3600),
    ("server", "shutdown_timeout", 0, 86400),
    ("jobs", "max_running", 1, 1000),
    ("jobs", "max_running_per_role", 0, 1000),
    ("jobs", "max_running_per_source", 0, 1000),
    ("jobs", "default_parallel", 1, 64),
    ("jobs", "keep_finished", 0, 1_000_000),
    ("jobs", "keep_finished_days", 0, 36_500),
    ("jobs", "retry_for", 0, 86400),
)


def _check_ranges(settings: Settings) -> None:
    for section, key, low, high in RANGES:
        value = getattr(getattr(settings, section), key)
        if not low <= value <= high:
            raise ConfigError(f"configuration: {section}.{key} must be from {low:g} to {high:g}, not {value:g}")


def _check_passfile(passfile: str) -> None:
    """libpq would pass over a file that it cannot use, and jobs would lack their passwords without a word."""
    if not passfile:
        return
    path = Path(passfile).expanduser()
    try:
        with path.open("rb"):
            mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"configuration: cannot read jobs.passfile {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"configuration: others can read jobs.passfile {path}: make it private with chmod 600")
