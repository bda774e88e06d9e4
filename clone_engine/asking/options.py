"""Reads the JSON options of a clone call: strict, and every refusal names the key.

What a key means to a clone is `plan.py`'s business; this file only says what may be written.  Adding an option
is one row in `OF_ALL`, `OF_A_TABLE` or `OF_MANY_TABLES` and one field in `request.Options`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from clone_engine.asking.expression import one_expression
from clone_engine.records.errors import PgError
from clone_engine.records.request import KINDS, Conflict, Kind, Options

MAX_LENGTH = 262_144
"""Characters.  Room for the names of 1,600 columns; a longer text is a mistake or an attack."""
MAX_PARALLEL = 64
CONFLICTS: tuple[Conflict, ...] = ("error", "skip", "replace", "rename")
FORMATS = ("auto", "text", "binary")
SQLSTATE = "22023"

JSON_TYPES: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def parse_options(text: str | None, kind: Kind) -> Options:
    """The options of a call of `kind`.  None and blank text are the defaults; anything doubtful is PgError 22023."""
    if text is None or not text.strip():
        return Options()
    given = _decode(text)
    for key in given:
        _check_key(key, kind)
    if "filter" in given:
        if "where" in given:
            _refuse('options "where" and "filter" are two names of one option', "Give only one of them.")
        given["where"] = given.pop("filter")
    fields = {key: readers(kind)[key](key, value) for key, value in given.items()}
    if "where" in fields and kind != "table":
        fields["conditions"] = fields.pop("where")
    return Options(**fields)


def _decode(text: str) -> dict[str, Any]:
    if len(text) > MAX_LENGTH:
        _refuse(f"options are longer than {MAX_LENGTH} characters", "Name only what differs from the defaults.")
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except RecursionError:
        _refuse("options are nested too deeply", EXAMPLE)
    except json.JSONDecodeError as error:
        _refuse(f"options are not valid JSON: {error.msg} at character {error.pos + 1}", EXAMPLE)
    except ValueError:  # a number of thousands of digits
        _refuse("options are not valid JSON: number out of range", EXAMPLE)
    if not isinstance(value, dict):
        _refuse(f"options must be a JSON object, not {JSON_TYPES[type(value)]}", EXAMPLE)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, from an escape
        _refuse("options hold a character that no text can hold", "Write characters as they are, without \\u escapes.")
    return value


EXAMPLE = 'Write a JSON object, for example {"parallel": 4, "triggers": false}.'


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            _refuse(f'option "{_shown(key)}" is given more than once', "Give every option once.")
        seen[key] = value
    return seen


def _no_constant(word: str) -> NoReturn:
    # Python's reader takes NaN and Infinity, which are not JSON.
    _refuse(f"options are not valid JSON: {word} is no JSON value", EXAMPLE)


def _check_key(key: str, kind: Kind) -> None:
    valid = [*readers(kind), *(["filter"] if kind == "table" else [])]
    if key in valid:
        return
    if key in OF_A_TABLE or key == "filter":
        _refuse(
            f'option "{key}" cannot be used in a {WORDS[kind]} clone',
            'Option "where" is here an object of conditions by table; columns are chosen with pgclone_table_async.',
        )
    if key in OF_MANY_TABLES:
        _refuse(f'option "{key}" cannot be used in a {WORDS[kind]} clone', "It chooses among the tables of a schema.")
    closest = difflib.get_close_matches(key.lower(), valid, n=1)
    guess = f'Perhaps you meant "{closest[0]}". ' if closest else ""
    _refuse(f'unknown option "{_shown(key)}"', f"{guess}Valid options are: {', '.join(sorted(valid))}.")


def _shown(key: str) -> str:
    """A key as an error may show it: on one line, and not longer than a name can be."""
    printable = "".join(c if c.isprintable() else "?" for c in key)
    return printable if len(printable) <= 63 else printable[:63] + "…"


def _boolean(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        _refuse_type(key, value, "true or false", f'Write {{"{key}": false}}, without quotes around false.')
    return value


def _number_of_copiers(key: str, value: Any) -> int:
    hint = f'Write a number without quotes, for example {{"{key}": 4}}.'
    if type(value) is not int:  # bool is an int to Python, and 4.0 is no count
        _refuse_type(key, value, f"an integer from 1 to {MAX_PARALLEL}", hint)
    if not 1 <= value <= MAX_PARALLEL:
        _refuse(f'option "{key}" must be an integer from 1 to {MAX_PARALLEL}', hint)
    return value


def _conflict(key: str, value: Any) -> Conflict:
    words = ", ".join(f'"{c}"' for c in CONFLICTS)
    hint = f'For example {{"{key}": "skip"}}.'
    if not isinstance(value, str):
        _refuse_type(key, value, f"one of {words}", hint)
    conflict = next((c for c in CONFLICTS if c == value), None)
    if conflict is None:
        _refuse(f'option "{key}" must be one of {words}, not "{_shown(value)}"', hint)
    return conflict


def _format(key: str, value: Any) -> str:
    words = ", ".join(f'"{each}"' for each in FORMATS)
    hint = f'For example {{"{key}": "text"}}; the default is "auto".'
    if not isinstance(value, str):
        _refuse_type(key, value, f"one of {words}", hint)
    if value not in FORMATS:
        _refuse(f'option "{key}" must be one of {words}, not "{_shown(value)}"', hint)
    return value


def _columns(key: str, value: Any) -> tuple[str, ...]:
    hint = f'Write the columns as an array of strings, for example {{"{key}": ["id", "name"]}}.'
    if value == []:
        _refuse(f'option "{key}" must name at least one column', hint + " Leave it out for all columns.")
    names = _strings(key, value, "an array of column names", "a name that no column can have", hint)
    if duplicate := next((name for name in names if names.count(name) > 1), None):
        _refuse(f'option "{key}" names column "{_shown(duplicate)}" more than once', "Name every column once.")
    return names


def _patterns(key: str, value: Any) -> tuple[str, ...]:
    hint = f'Write regular expressions that match whole names, for example {{"{key}": ["orders", "log_.*"]}}.'
    if value == []:
        _refuse(f'option "{key}" must hold at least one regular expression', hint + " Leave it out for all tables.")
    return _strings(key, value, "an array of regular expressions", "a regular expression that no name can match", hint)


def _strings(key: str, value: Any, array: str, impossible: str, hint: str) -> tuple[str, ...]:
    """The strings of an array, each of which could be a name or match one; the words are for those that could not."""
    if not isinstance(value, list):
        _refuse_type(key, value, array, hint)
    for each in value:
        if not isinstance(each, str):
            _refuse_type(key, each, array, hint, holds=True)
        if not each or "\0" in each:
            _refuse(f'option "{key}" holds {impossible}', hint)
    return tuple(value)


def _where(key: str, value: Any) -> str:
    hint = f'Write a condition as it would stand behind WHERE, for example {{"{key}": "status = \'active\'"}}.'
    if not isinstance(value, str):
        _refuse_type(key, value, "a string", hint)
    return _condition(f'option "{key}"', value, hint)


def _conditions(key: str, value: Any) -> dict[str, str]:
    hint = f'Write an object of conditions by table, for example {{"{key}": {{"orders": "status = \'paid\'"}}}}.'
    if not isinstance(value, dict):
        _refuse_type(key, value, "an object of conditions by table", hint)
    if not value:
        _refuse(f'option "{key}" must hold at least one condition', hint + " Leave it out for all rows.")
    for condition in value.values():
        if not isinstance(condition, str):
            _refuse_type(key, condition, "an object of conditions by table", hint, holds=True)
    return {table: _condition(f'option "{key}" of "{_shown(table)}"', text, hint) for table, text in value.items()}


def _condition(what: str, text: str, hint: str) -> str:
    try:
        return one_expression(text)
    except ValueError as error:
        _refuse(f"{what} must be exactly one SQL expression: {error}", hint)


Reader = Callable[[str, Any], Any]
"""How the value of an option is read: (key, JSON value) -> field of Options, or PgError 22023."""

OF_ALL: Mapping[str, Reader] = MappingProxyType(
    {
        "indexes": _boolean,
        "constraints": _boolean,
        "triggers": _boolean,
        "matviews": _boolean,
        "consistent": _boolean,
        "conflict": _conflict,
        "parallel": _number_of_copiers,
        "format": _format,
    }
)
OF_A_TABLE: Mapping[str, Reader] = MappingProxyType({"columns": _columns, "where": _where})
OF_MANY_TABLES: Mapping[str, Reader] = MappingProxyType(
    {"tables": _patterns, "exclude_tables": _patterns, "where": _conditions}
)
WORDS: Mapping[Kind, str] = MappingProxyType({kind: kind.partition("_")[0] for kind in KINDS})


def readers(kind: Kind) -> Mapping[str, Reader]:
    """The options of a call of `kind`, each with how it is read."""
    return {**OF_ALL, **(OF_A_TABLE if kind == "table" else OF_MANY_TABLES)}


def _refuse_type(key: str, value: Any, wanted: str, hint: str, *, holds: bool = False) -> NoReturn:
    _refuse(f'option "{key}" must be {wanted}', hint, f"It {'holds' if holds else 'is'} {JSON_TYPES[type(value)]}.")


def _refuse(message: str, hint: str, detail: str = "") -> NoReturn:
    # `from None`: the texts of the JSON reader and of Python add nothing for an SQL user.
    raise PgError(SQLSTATE, f"pgclone: {message}", detail=detail, hint=hint) from None
