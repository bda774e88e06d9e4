"""Reads the settings: defaults, TOML file, `PGCLONE_PROXY_<SECTION>_<KEY>`, and DATABASE_URL where no target is set.

All that is wrong is found, not only the first.  What the values mean is a matter for `checks` and those who use them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from proxy.config.checks import problems_of
from proxy.config.settings import ConfigError, Settings

ENVIRONMENT_PREFIX = "PGCLONE_PROXY_"


def load(
    path: Path | None, environment: Mapping[str, str], makers: Sequence[Callable[[Settings], object]] = ()
) -> Settings:
    """The settings from `path` (None: no file) and `environment`.

    ConfigError with all that cannot be used, and all that those of `makers` raise who make something of the settings.
    """
    settings, problems = read(path, environment)
    for make in makers:
        try:
            make(settings)
        except ConfigError as error:
            problems += error.args
    if problems:
        raise ConfigError(*dict.fromkeys(problems))  # several makers may need the same
    return settings


def read(path: Path | None, environment: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings, with defaults in place of what cannot be used, and what that is.

    ConfigError if the file cannot be read at all.
    """
    raw = _parsed(path) if path else {}
    problems = _apply_environment(raw, environment)
    if not raw.get("server", {}).get("target") and environment.get("DATABASE_URL"):
        raw.setdefault("server", {})["target"] = environment["DATABASE_URL"]
    settings, wrong = _converted(raw)
    return settings, [*problems, *wrong, *problems_of(settings)]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {path} is not valid TOML: {error}") from None


def _apply_environment(raw: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Put the settings of `environment` over those of `raw`; the names that are none."""
    problems = []
    names = {
        f"{ENVIRONMENT_PREFIX}{section}_{key}".upper(): (section, key, default)
        for section, record in msgspec.structs.asdict(Settings()).items()
        for key, default in msgspec.structs.asdict(record).items()
    }
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        if name not in names:
            problems.append(f"environment variable {name} names no setting{_nearest(name, names)}")
            continue
        section, key, default = names[name]
        is_list = isinstance(default, tuple)
        raw.setdefault(section, {})[key] = [v.strip() for v in value.split(",") if v.strip()] if is_list else value
    return problems


def _converted(raw: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """The settings, with defaults in place of what cannot be used, and what that is."""
    records, problems = {}, []
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, given in raw.items():
        if name not in sections:
            problems.append(f"configuration: there is no section [{name}]{_nearest(name, sections)}")
        elif not isinstance(given, dict):
            problems.append(f"configuration: [{name}] is a section, not a setting")
        else:
            records[name], wrong = _section(name, sections[name], given)
            problems += wrong
    return Settings(**records), problems


def _section(name: str, record: type[Any], given: Mapping[str, Any]) -> tuple[Any, list[str]]:
    values, problems = {}, []
    types = {field.name: field.type for field in msgspec.structs.fields(record)}
    for key, value in given.items():
        if key not in types:
            problems.append(f"configuration: there is no setting {name}.{key}{_nearest(key, types)}")
            continue
        try:
            # Not strict: the environment has strings only.
            values[key] = msgspec.convert(value, types[key], strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"configuration: {name}.{key}: {error}")
    return record(**values), problems


def _nearest(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f"; is {found[0]} meant?" if found else ""
