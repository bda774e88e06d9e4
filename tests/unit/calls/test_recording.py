"""The recorded log, which anyone can write, and the results that go back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.expressions import PLACEHOLDER
from proxy.calls.recording import MAX_CALLS, Site, marked_error, parse_log, result_data, same_calls
from proxy.calls.rewrite import rewrite

KEY = "0123456789abcdef" * 2
(STATEMENT,) = rewrite(
    "SELECT pgclone_schema_async(schema_name => 's', source_conninfo => random()::text), pgclone_cancel(7)"
)
SITES = STATEMENT.sites


def line(*record: Any, key: str = KEY) -> str:
    return f"{key} {json.dumps(record)}\n"


def test_calls_in_declared_order() -> None:
    calls = parse_log(line(0, "sales", "c", True, None) + line(1, 7), SITES)
    assert [(call.signature.name, call.site, call.key) for call in calls] == [
        ("schema_async", 0, KEY),
        ("cancel", 1, KEY),
    ]
    assert list(calls[0].arguments.items()) == [
        ("source_conninfo", "c"), ("schema_name", "sales"), ("include_data", True), ("options", None),
    ]  # fmt: skip
    assert calls[1].arguments == {"job_id": 7}


def test_nothing_recorded() -> None:
    assert parse_log("", SITES) == []


@pytest.mark.parametrize(
    "log",
    [
        "x",
        "\n",
        line(1, 7).rstrip(),
        line(1, 7, key="x" * 32),
        line(2, 7),
        line(-1, 7),
        line(True, 7),
        line("1", 7),
        line(1),
        line(),
        line(1, 7, 8),
        line(1, "7"),
        line(1, True),
        line(1, 7.0),
        line(1, None),
        line(0, "s", "c", 1, None),
        f"{KEY} [1, 7\n",
        f"{KEY} {'[' * 100_000}{']' * 100_000}\n",
        f"{KEY}  [1, 7]\n",
    ],
)
def test_forged(log: str) -> None:
    with pytest.raises(PgError) as raised:
        parse_log(log, SITES)
    assert raised.value.sqlstate == "XX000"


def test_too_many() -> None:
    assert len(parse_log(line(1, 7) * MAX_CALLS, SITES)) == MAX_CALLS
    with pytest.raises(PgError) as raised:
        parse_log(line(1, 7) * (MAX_CALLS + 1), SITES)
    assert raised.value.sqlstate == "54000"


def test_stand_in_of_another_call_is_no_argument() -> None:
    with pytest.raises(PgError, match="nested") as raised:
        parse_log(line(1, PLACEHOLDER), SITES)
    assert raised.value.sqlstate == "0A000"


def test_results_by_order_and_arguments() -> None:
    other = KEY[::-1]
    calls = parse_log(line(1, 7) + line(1, 8, key=other) + line(0, "s", "c", True, None), SITES)
    assert result_data(calls, ["OK", None, 5], SITES) == {
        "r": [{KEY: {"v": "OK"}}, {other: {"v": None}}, {KEY: {"v": 5}, "s0": {"v": 5}}],
        "b": {KEY: {"v": "OK"}, other: {"v": None}},
    }


def test_a_single_call_is_found_by_its_arguments_or_its_order() -> None:
    calls = parse_log(line(1, 7), SITES)
    assert result_data(calls, ["OK"], SITES) == {"r": [{"s1": {"v": "OK"}}], "b": {KEY: {"v": "OK"}}}


def test_same_calls() -> None:
    other = KEY[::-1]
    first = parse_log(line(1, 7) + line(1, 8, key=other), SITES)
    assert same_calls(first, first[::-1], SITES)
    assert not same_calls(first, first[:1], SITES)
    assert not same_calls(first, [first[0], first[0]], SITES)


def test_calls_that_change_by_their_own_text_are_not_compared() -> None:
    first, second = (parse_log(line(0, "s", "c", True, None, key=key), SITES) for key in (KEY, KEY[::-1]))
    assert (Site(0, SITES[0].signature, SITES[0].arguments, False), SITES[1]) == SITES
    assert same_calls(first, second, SITES)


@pytest.mark.parametrize(
    "fields, sqlstate, message",
    [
        ({"C": "22P02", "D": 'Token "pgclone_nojob_99" is invalid.'}, "P0002", "pgclone: job 99 not found"),
        ({"C": "22P02", "D": 'Token "pgclone_nojob_m99" is invalid.'}, "P0002", "pgclone: job -99 not found"),
        ({"C": "22P02", "D": "Le jeton « pgclone_changed » n'est pas valide."}, "40001", "arguments changed"),
    ],
)
def test_marked_errors(fields: dict[str, str], sqlstate: str, message: str) -> None:
    error = marked_error(fields)
    assert error is not None and error.sqlstate == sqlstate and message in error.message and error.hint


@pytest.mark.parametrize(
    "fields", [{}, {"C": "22P02", "D": 'Token "x" is invalid.'}, {"C": "XX000", "D": "pgclone_changed"}]
)
def test_other_errors(fields: dict[str, str]) -> None:
    assert marked_error(fields) is None
