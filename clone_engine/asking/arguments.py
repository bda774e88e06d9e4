"""Turns the arguments of an SQL call into a CloneRequest.

Names and NULLs are checked here; the options are read by `options.py`, the conninfo by `conninfo.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clone_engine.asking.options import parse_options
from clone_engine.records.errors import PgError
from clone_engine.records.request import DATABASE_KINDS, CloneRequest, Kind

MAX_NAME_BYTES = 63
"""NAMEDATALEN - 1: a longer name would silently be cut by the server and name something else."""

FLAGS = ("indexes", "constraints", "triggers")
"""Options that have an argument of their own in some functions: include_indexes …"""


IMPLIED: Mapping[Kind, Mapping[str, Any]] = {"functions": {"conflict": "replace"}}
"""Options of kinds that have none of their own: functions are made with CREATE OR REPLACE, as ever."""


def build_request(kind: Kind, arguments: Mapping[str, Any]) -> CloneRequest:
    """What a call of `kind` asks for; `arguments` by declared name, None for SQL's NULL, absent for the default.

    A NULL include_data is true, the default, in every call: a NULL flag says nothing about the rows, and a clone that
    is silently empty is the worse surprise; so are the flags of pgclone_table_ex and pgclone_schema_ex, which say what
    the options of those names say elsewhere.  A NULL or empty target_table_name is the source's name.
    PgError 22004 (NULL), 22023 (empty), 42622 (too long) or 42939 (a system schema) for names; 22023 for options.
    """
    include_data = arguments.get("include_data")
    options = parse_options(arguments.get("options"), kind)
    return CloneRequest(
        kind=kind,
        schema_name="" if kind in DATABASE_KINDS else _schema(arguments.get("schema_name")),
        table_name=_name("table_name", arguments.get("table_name")) if kind == "table" else "",
        target_table_name=_optional_name("target_table_name", arguments.get("target_table_name")),
        include_data=True if include_data is None else bool(include_data),
        options=msgspec.structs.replace(options, **_left_out(arguments), **IMPLIED.get(kind, {})),
        target_database=_name("target_dbname", arguments.get("target_dbname")) if kind == "database_create" else "",
    )


def _left_out(arguments: Mapping[str, Any]) -> dict[str, bool]:
    """The options that the flags of a call turn off."""
    return {option: False for option in FLAGS if arguments.get(f"include_{option}") is False}


def _schema(value: str | None) -> str:
    name = _name("schema_name", value)
    if name.startswith("pg_") or name == "information_schema":
        raise PgError(
            "42939",
            f'pgclone: "{name}" is a schema of the system and cannot be cloned',
            detail='Every server has its own information_schema and schemas that begin with "pg_".',
            hint="Name a schema of your own.",
        )
    return name


def _name(argument: str, value: str | None) -> str:
    if value is None:
        raise PgError("22004", f"pgclone: {argument} must not be null", hint=f"Pass the name as {argument}.")
    if not value:
        raise PgError("22023", f"pgclone: {argument} must not be empty", hint=f"Pass the name as {argument}.")
    return _optional_name(argument, value)


def _optional_name(argument: str, value: str | None) -> str:
    if len((value or "").encode()) > MAX_NAME_BYTES:
        raise PgError(
            "42622",
            f"pgclone: {argument} is too long",
            detail=f"Names have at most {MAX_NAME_BYTES} bytes.",
            hint="Pass the name as it stands in the catalog, without quotes.",
        )
    return value or ""
