"""Reads the conninfo of a call: libpq's own parser, then a list of keywords that a caller may set.

The caller chooses the text, but the connection is made by the proxy's host; so everything that would touch a file,
a library, a URL or the identity of the proxy's process is refused.  Which hosts may be reached is not decided here.
No error here ever shows a part of the text: libpq's messages quote it, and it may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NoReturn

import psycopg
from psycopg.conninfo import conninfo_to_dict

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo

MAX_LENGTH = 16_384
"""Characters.  Long enough for hundreds of hosts."""
EXAMPLE = "Write keyword=value pairs, for example 'host=db.example.com port=5432 dbname=shop user=reader', or a URI."

SETTINGS_OF_OPTIONS = frozenset(
    {
        "application_name",
        "idle_in_transaction_session_timeout",
        "lock_timeout",
        "role",
        "search_path",
        "statement_timeout",
        "transaction_timeout",
        "work_mem",
    }
)
"""Server settings that `options` may set: none of them changes what the server sends for a value."""
SETTING = re.compile(r"(?:-c\s*|--)([A-Za-z_][A-Za-z_0-9-]*)=(?:\\.|[^\\\s])*\s*", re.DOTALL)


URI = re.compile(r"postgres(?:ql)?://(?P<authority>[^/?]*)(?P<path>[^?]*)")


def parse_conninfo(text: str | None, caller_role: str) -> Conninfo:
    """The connection parameters that `text` names, as plain keywords and values.

    Without a user it is `caller_role`.  Without a host (or hostaddr) it is the target server that is meant.
    PgError 22004 for None, 22023 for text that libpq cannot read or that sets what callers may not.
    """
    if text is None:
        raise PgError("22004", "pgclone: source_conninfo must not be null", hint=EXAMPLE)
    given = read_keywords(text)
    if not given:
        _refuse("source_conninfo is empty", EXAMPLE)
    return Conninfo({"user": caller_role} | given)


def read_keywords(text: str) -> dict[str, str]:
    """The keywords of a conninfo that have a value, each of which a caller may set.  PgError 22023 as above."""
    given = {keyword: value for keyword, value in _parse(text).items() if value}
    for keyword, value in given.items():
        _check(keyword, value)
    return given


def _parse(text: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH:
        _refuse(f"source_conninfo is longer than {MAX_LENGTH} characters", EXAMPLE)
    if "\0" in text:
        _refuse("source_conninfo holds a null character", EXAMPLE)
    parsed = None
    # Neither the parser's words nor its exception may go on, not even as a context: both can hold the password.
    with suppress(psycopg.Error, UnicodeError):
        parsed = conninfo_to_dict(text)
    if parsed is None or splits_a_password(text):
        _refuse(
            "source_conninfo is not a valid connection string",
            EXAMPLE + " Quote values that hold blanks with single quotes; in a URI percent-encode special characters.",
            "It has an unknown keyword, a missing = or an unclosed quote, or is no valid URI. "
            "The text is not shown because it may hold a password.",
        )
    return {keyword: str(value) for keyword, value in parsed.items() if value is not None}


def splits_a_password(text: str) -> bool:
    """Whether this is a URI with an @ that is not encoded.  libpq takes what is behind the first @ (or /) of a password
    for the host (or database), of which everybody may be told."""
    uri = URI.match(text)
    return bool(uri and (uri["authority"].count("@") > 1 or "@" in uri["path"]))


def _check(keyword: str, value: str) -> None:
    if keyword not in KEYWORDS:
        _refuse(
            f'source_conninfo must not set "{keyword}"',
            f"Leave it out. Allowed are: {', '.join(KEYWORDS)}.",
            "It would make the proxy use files, libraries or an identity of its own host."
            if keyword not in HARMLESS_BUT_OURS
            else "The clone sets it itself.",
        )
    if problem := KEYWORDS[keyword](value):
        _refuse(f'source_conninfo has an unusable value for "{keyword}"', problem)


HARMLESS_BUT_OURS = frozenset({"client_encoding", "fallback_application_name", "replication"})

Check = Callable[[str], str]
"""What is wrong with a value, as a hint that never shows the value; '' if nothing is."""


def _anything(value: str) -> str:
    return ""


def _database_name(value: str) -> str:
    # libpq expands such a dbname to a whole conninfo, past every check made here.
    if "=" in value or value.lower().startswith(("postgres://", "postgresql://")):
        return "It must be the name of a database, not another connection string."
    return ""


def _ports(value: str) -> str:
    ports = [port.strip() for port in value.split(",")]  # one per host; an empty one is 5432
    usable = all(not p or (re.fullmatch("[0-9]{1,5}", p) and 1 <= int(p) <= 65535) for p in ports)
    return "" if usable else "A port is from 1 to 65535."


def _integer(value: str) -> str:
    return "" if re.fullmatch(r"\s*-?[0-9]{1,9}\s*", value) else "It must be an integer."


def _one_of(*words: str) -> Check:
    return lambda value: "" if value in words else f"It must be one of {', '.join(words)}."


def _server_settings(value: str) -> str:
    hint = f"It may only hold -c name=value with one of these names: {', '.join(sorted(SETTINGS_OF_OPTIONS))}."
    position = len(value) - len(value.lstrip())
    while position < len(value):
        match = SETTING.match(value, position)
        if not match or match[1].lower().replace("-", "_") not in SETTINGS_OF_OPTIONS:
            return hint
        position = match.end()
    return ""


KEYWORDS: Mapping[str, Check] = MappingProxyType(
    {
        "host": _anything,
        "hostaddr": _anything,
        "port": _ports,
        "dbname": _database_name,
        "user": _anything,
        "password": _anything,
        "sslmode": _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        # A path would read a file of the proxy's host.
        "sslrootcert": _one_of("system"),
        "sslnegotiation": _one_of("postgres", "direct"),
        "channel_binding": _one_of("disable", "prefer", "require"),
        "require_auth": _anything,
        "connect_timeout": _integer,
        "application_name": _anything,
        "target_session_attrs": _one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
        "load_balance_hosts": _one_of("disable", "random"),
        "keepalives": _integer,
        "keepalives_idle": _integer,
        "keepalives_interval": _integer,
        "keepalives_count": _integer,
        "tcp_user_timeout": _integer,
        "options": _server_settings,
    }
)
"""The keywords that a caller may set, each with the check of its value."""


def _refuse(message: str, hint: str, detail: str = "") -> NoReturn:
    raise PgError("22023", f"pgclone: {message}", detail=detail, hint=hint)
