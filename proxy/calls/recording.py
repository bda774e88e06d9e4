"""The calls that a statement recorded on the server, and the results that are handed back to it.

The recording statement leaves one line per call in a setting; the answering one finds its results in the snapshot,
under the same keys.  The SQL that records and answers is `expressions.py`; performing the calls is `handlers.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clone_engine.records.errors import PgError
from proxy.calls import refusals
from proxy.calls.expressions import CHANGED, DEPENDENT, PLACEHOLDER, UNKNOWN_JOB
from proxy.calls.signatures import Call, Signature

CLEAR_COLLECT = (
    "SELECT pg_catalog.set_config('pgclone_proxy.log', '', true), pg_catalog.set_config('pgclone_proxy.n', '0', true)"
)
"""Run before a statement records, in its transaction."""

CLEAR_ANSWER = "SELECT pg_catalog.set_config('pgclone_proxy.n', '0', true)"
"""Run before a statement answers, in its transaction."""

CLEAR_ANSWER_ALONE = "SELECT pg_catalog.set_config('pgclone_proxy.n', '0', false)"
"""The same where the statement is a transaction of its own: the session may have set anything."""

READ_LOG = (
    "SELECT pg_catalog.current_setting('pgclone_proxy.log', true), pg_catalog.current_setting('transaction_read_only'),"
    " pg_catalog.current_setting('client_min_messages')"
)
"""The recorded log, "on" where nothing may be started, and the least severity of messages that the client sees."""

UNANSWERED: dict[str, Any] = {"r": [], "b": {}}
"""The members of the snapshot with which no call is recorded and none finds an answer: each is an error."""

MAX_CALLS = 1000
"""Calls in one statement.  Each is a job: more are a mistake (a forgotten WHERE) rather than a wish."""

_MARKER = re.compile(rf"{UNKNOWN_JOB}(m?)(\d+)|{CHANGED}|{DEPENDENT}")
_LINE = re.compile(r"([0-9a-f]{32}) (\[.*\])")


@dataclass(frozen=True)
class Site:
    """One place in a statement where an action is called."""

    index: int
    signature: Signature
    arguments: tuple[str, ...]
    """All declared arguments, in the order in which they are recorded."""
    harmless: bool
    """Its arguments are the same whenever they are evaluated, as far as their text shows."""


def parse_log(log: str, sites: Sequence[Site]) -> list[Call]:
    """The recorded calls, in order, each with its arguments in declared order.

    Anyone can write the setting, so everything is checked.  Raises PgError: 54000 for more than MAX_CALLS,
    0A000 for an argument that is the stand-in result of another call, XX000 for what this project did not write.
    """
    lines = log.split("\n")
    if lines.pop():
        raise refusals.invalid_log()
    if len(lines) > MAX_CALLS:
        raise refusals.too_many_calls(MAX_CALLS)
    return [_parse_line(line, sites) for line in lines]


def result_data(calls: Sequence[Call], results: Sequence[Any], sites: Sequence[Site]) -> dict[str, Any]:
    """The members of the snapshot that answer the calls: by order and by arguments.

    `results[n]` is what calls[n] returns, None for NULL.  A call is also found by its order alone if its arguments
    may have other values when they are evaluated again, or if it is the only one, so that there is no doubt.
    """
    by_order: list[dict[str, Any]] = []
    by_arguments: dict[str, Any] = {}
    for call, result in zip(calls, results, strict=True):
        value = {"v": result}
        entry = {}
        if len(calls) > 1:  # else it is found by its arguments, and its rows, which may be many, are not said again
            entry[call.key] = value
        if len(calls) == 1 or not sites[call.site].harmless:
            entry[f"s{call.site}"] = value
        by_order.append(entry)
        by_arguments.setdefault(call.key, value)
    return {"r": by_order, "b": by_arguments}


def _parse_line(line: str, sites: Sequence[Site]) -> Call:
    match = _LINE.fullmatch(line)
    try:
        site_index, *values = json.loads(match[2]) if match else [None]
    except (ValueError, RecursionError):
        raise refusals.invalid_log() from None
    if not match or type(site_index) is not int or not 0 <= site_index < len(sites):
        raise refusals.invalid_log()
    site = sites[site_index]
    if len(values) != len(site.arguments):
        raise refusals.invalid_log()
    given = dict(zip(site.arguments, values, strict=True))
    arguments = {a.name: _checked(given[a.name], a.type, site.signature.strict) for a in site.signature.arguments}
    return Call(site.signature, arguments, match[1], site.index)


def _checked(value: Any, type_: str, strict: bool) -> Any:
    if value is None and not strict:
        return None
    if type(value) is not PYTHON_TYPES[type_]:
        raise refusals.invalid_log()
    if isinstance(value, int):
        _check_integer(value)
    return value


def _check_integer(value: int) -> None:
    if value in _PLACEHOLDERS:
        raise refusals.nested_actions(-1)
    if not -(2**31) <= value < 2**31:
        raise refusals.invalid_log()


PYTHON_TYPES: dict[str, type] = {"text": str, "integer": int, "boolean": bool}
_PLACEHOLDERS = range(PLACEHOLDER - MAX_CALLS, PLACEHOLDER + 1)


def same_calls(first: Sequence[Call], second: Sequence[Call], sites: Sequence[Site]) -> bool:
    """Whether two recordings of a statement agree, so that results will find their calls.

    Arguments that change by their own text are not compared: those results are found by order.
    """

    def keys(calls: Sequence[Call]) -> list[str]:
        return sorted(call.key for call in calls if sites[call.site].harmless)

    return len(first) == len(second) and keys(first) == keys(second)


def marked_error(fields: Mapping[str, str]) -> PgError | None:
    """The error that one of our expressions means, from the fields (C, M, D …) of the server's error to it.

    None for an error that is not ours.  To be asked about rewritten statements only.
    """
    if fields.get("C") != "22P02":
        return None
    match = _MARKER.search(fields.get("D", ""))
    if match is None:
        return None
    if match[2]:
        return refusals.unknown_job(int(match[2]) * (-1 if match[1] else 1))
    return refusals.changed() if match[0] == CHANGED else refusals.dependent()
