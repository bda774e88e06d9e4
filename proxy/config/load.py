"""Reads the settings: defaults, TOML file, `PGCLONE_PROXY_<SECTION>_<KEY>`, and DATABASE_URL where no target is set.

All that is wrong is found, not only the first.  What the values mean is a matter for `checks` and those who use them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from clone_engine.asking.source import NAME, SOURCE
from proxy.config.checks import problems_of
from proxy.config.settings import ConfigError, NamedSourceSettings, Settings

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
    server = _table(raw, ("server",))
    if server is not None and not server.get("target") and environment.get("DATABASE_URL"):
        server["target"] = environment["DATABASE_URL"]
    if _has_nul(raw):
        raise ConfigError("configuration: a value has a NUL character, which nothing can use")
    settings, wrong = _converted(raw)
    return settings, [*problems, *wrong, *problems_of(settings)]


def _has_nul(raw: object) -> bool:
    """Strings end there for the system and for libpq, and what follows would be passed over without a word."""
    if isinstance(raw, dict):
        return any(map(_has_nul, raw.values()))
    return any(map(_has_nul, raw)) if isinstance(raw, list) else isinstance(raw, str) and "\0" in raw


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration file {path}: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"configuration file {path} is not valid TOML: it is nested too deeply") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {path} is not valid TOML: {error}") from None


def _apply_environment(raw: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Put the settings of `environment` over those of `raw`; the names that are none."""
    problems = []
    names = {
        f"{ENVIRONMENT_PREFIX}{'_'.join((*section, field.name))}".upper(): (section, field.name, field.default)
        for section, record in _sections(raw)
        for field in msgspec.structs.fields(record)
    }
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        if name not in names:
            problems.append(f"environment variable {name} names no setting{_nearest(name, names)}")
            continue
        section, key, default = names[name]
        is_list = isinstance(default, tuple)
        table = _table(raw, section)
        if table is None:
            continue  # which is said of the file
        table[key] = [v.strip() for v in value.split(",") if v.strip()] if is_list else value
    return problems


def _table(raw: dict[str, Any], section: Iterable[str]) -> dict[str, Any] | None:
    """The table of a section, made if there is none; None if the file has something else there."""
    table = raw
    for part in section:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return None
    return table


def _sections(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], type[Any]]]:
    """The names and the record of each section that there is."""
    for field in msgspec.structs.fields(Settings):
        if field.name != SOURCE:
            yield (field.name,), field.type
    named = raw.get(SOURCE)
    yield from (((SOURCE, name), NamedSourceSettings) for name in (named if isinstance(named, dict) else ()))


def _converted(raw: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """The settings, with defaults in place of what cannot be used, and what that is."""
    records: dict[str, Any] = {}
    problems: list[str] = []
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name, given in raw.items():
        if name not in sections:
            problems.append(f"configuration: there is no section [{name}]{_nearest(name, sections)}")
        elif not isinstance(given, dict):
            problems.append(f"configuration: [{name}] is a section, not a setting")
        elif name == SOURCE:
            records[name], wrong = _named_sources(given)
            problems += wrong
        else:
            records[name], wrong = _section(name, sections[name], given)
            problems += wrong
    return Settings(**records), problems


def _named_sources(given: Mapping[str, Any]) -> tuple[dict[str, NamedSourceSettings], list[str]]:
    records, problems = {}, []
    for name, table in given.items():
        if not isinstance(table, dict):
            problems.append(
                f"configuration: {SOURCE}.{name} is no setting; a named source is a section [{SOURCE}.NAME]"
            )
        elif not re.fullmatch(NAME, name):
            problems.append(f"configuration: [{SOURCE}.{name}]: a name is of a-z, 0-9 and _, and begins with a letter")
        else:
            records[name], wrong = _section(f"{SOURCE}.{name}", NamedSourceSettings, table)
            problems += wrong
    return records, problems


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
