"""The JSON options as tables: what is taken, and what is refused with which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clone_engine.asking.options import parse_options, readers
from clone_engine.records.errors import PgError
from clone_engine.records.request import KINDS, Options

TAKEN: list[tuple[str | None, Options]] = [
    (None, Options()),
    ("", Options()),
    (" \n\t ", Options()),
    ("{}", Options()),
    ('{"parallel": 4}', Options(parallel=4)),
    ('{"parallel": 1}', Options(parallel=1)),
    ('{"parallel": 64}', Options(parallel=64)),
    ('{ "indexes" : false, "constraints":false,"triggers":true}', Options(indexes=False, constraints=False)),
    ('{"parallel": 8, "conflict": "replace", "triggers": false}',
     Options(parallel=8, conflict="replace", triggers=False)),
    ('{"format": "binary"}', Options(format="binary")),
    ('{"matviews": false, "consistent": false}', Options(matviews=False, consistent=False)),
    ('{"conflict": "error"}', Options()),
    ('{"conflict": "skip"}', Options(conflict="skip")),
    ('{"conflict": "rename"}', Options(conflict="rename")),
    ('{"columns": ["id", "mask", "a]b", "x\\"y", "é", "a b"]}',
     Options(columns=("id", "mask", "a]b", 'x"y', "é", "a b"))),
    ('{"where": "status = \'active\'"}', Options(where="status = 'active'")),
    ('{"filter": "id > 3"}', Options(where="id > 3")),
    ('{"where": "action = \'DELETE\'"}', Options(where="action = 'DELETE'")),
    ('{"where": "\\"Mixed\\" > 1 -- why"}', Options(where='"Mixed" > 1')),
    ('{"where": "id IN (SELECT id FROM t WHERE ok)"}', Options(where="id IN (SELECT id FROM t WHERE ok)")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options"), TAKEN)
def test_taken(text: str | None, options: Options) -> None:
    assert parse_options(text, "table") == options


NOT_ONE = 'option "where" must be exactly one SQL expression: '
REFUSED: list[tuple[str, str]] = [
    ("{", "options are not valid JSON: Expecting property name enclosed in double quotes at character 2"),
    ('{"parallel": 4} x', "options are not valid JSON: Extra data at character 17"),
    ("{'parallel': 4}", "options are not valid JSON: Expecting property name enclosed in double quotes at character 2"),
    ('{"parallel": NaN}', "options are not valid JSON: NaN is no JSON value"),
    ('{"parallel": ' + "9" * 5000 + "}", "options are not valid JSON: number out of range"),
    ("[" * 10_000 + "]" * 10_000, "options are nested too deeply"),
    ('{"columns": ' + "[" * 10_000 + "]" * 10_000 + "}", "options are nested too deeply"),
    ('{"columns": ["\\ud800"]}', "options hold a character that no text can hold"),
    ("{}" + " " * 300_000, "options are longer than 262144 characters"),
    ("[]", "options must be a JSON object, not an array"),
    ("4", "options must be a JSON object, not a number"),
    ("null", "options must be a JSON object, not null"),
    ('"x"', "options must be a JSON object, not a string"),
    ('{"paralel": 4}', 'unknown option "paralel"'),
    ('{"Parallel": 4}', 'unknown option "Parallel"'),
    ('{"": 4}', 'unknown option ""'),
    ('{"a\\nb": 4}', 'unknown option "a?b"'),
    ('{"parallel": 4, "parallel": 4}', 'option "parallel" is given more than once'),
    ('{"where": "a", "filter": "a"}', 'options "where" and "filter" are two names of one option'),
    *((f'{{"{key}": {value}}}', f'option "{key}" must be true or false')
      for key in ("indexes", "constraints", "triggers", "matviews", "consistent")
      for value in ("0", "1", '"false"', "null", "[]", "{}")),
    *((f'{{"parallel": {value}}}', 'option "parallel" must be an integer from 1 to 64')
      for value in ("0", "-1", "65", "1000000000", '"4"', "1.5", "4.0", "null", "true", "[4]", "1e2")),
    ('{"conflict": "ignore"}', 'option "conflict" must be one of "error", "skip", "replace", "rename", not "ignore"'),
    ('{"conflict": "SKIP"}', 'option "conflict" must be one of "error", "skip", "replace", "rename", not "SKIP"'),
    ('{"conflict": null}', 'option "conflict" must be one of "error", "skip", "replace", "rename"'),
    ('{"columns": "id"}', 'option "columns" must be an array of column names'),
    ('{"columns": [1]}', 'option "columns" must be an array of column names'),
    ('{"columns": [["id"]]}', 'option "columns" must be an array of column names'),
    ('{"columns": []}', 'option "columns" must name at least one column'),
    ('{"columns": [""]}', 'option "columns" holds a name that no column can have'),
    ('{"columns": ["a\\u0000b"]}', 'option "columns" holds a name that no column can have'),
    ('{"columns": ["id", "name", "id"]}', 'option "columns" names column "id" more than once'),
    ('{"where": 1}', 'option "where" must be a string'),
    ('{"filter": null}', 'option "where" must be a string'),
    ('{"where": ""}', f'{NOT_ONE}it is empty'),
    ('{"where": "-- nothing"}', f'{NOT_ONE}syntax error at end of input'),
    ('{"where": "1=1) TO PROGRAM \'x\' --"}', f'{NOT_ONE}syntax error at or near ")"'),
    ('{"where": "a; b"}', f'{NOT_ONE}it holds a semicolon'),
    ('{"where": "a;"}', f'{NOT_ONE}it holds a semicolon'),
    ('{"where": "a) OR (b"}', f'{NOT_ONE}syntax error at or near ")"'),
    *((f'{{"where": "a {tail}"}}', f'{NOT_ONE}it holds more than a condition')
      for tail in ("LIMIT 1", "ORDER BY 1", "UNION SELECT 1", "GROUP BY 1", "FOR UPDATE", "OFFSET 1", "HAVING true")),
    ('{"where": "\'open"}', NOT_ONE + "unterminated quoted string at or near \"'open\""),
    ('{"where": "' + "(" * 20_000 + "true" + ")" * 20_000 + '"}',
     f'{NOT_ONE}it is longer than 32768 bytes'),
    ('{"where": "1' + "+1" * 100_000 + ' = 1"}', f'{NOT_ONE}it is longer than 32768 bytes'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text[:40] for text, _ in REFUSED])
def test_refused(text: str, message: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_options(text, "table")
    assert (caught.value.sqlstate, caught.value.message) == ("22023", f"pgclone: {message}")
    assert caught.value.hint


@pytest.mark.parametrize("key", ["columns", "filter"])
def test_table_options_are_refused_in_schema_clones(key: str) -> None:
    with pytest.raises(PgError, match=f'option "{key}" cannot be used in a schema clone') as caught:
        parse_options(json.dumps({key: ["id"] if key == "columns" else "true"}), "schema")
    assert caught.value.sqlstate == "22023" and "pgclone_table_async" in caught.value.hint


@pytest.mark.parametrize("key", ["tables", "exclude_tables"])
def test_options_that_choose_tables_are_refused_in_table_clones(key: str) -> None:
    with pytest.raises(PgError, match=f'option "{key}" cannot be used in a table clone') as caught:
        parse_options(json.dumps({key: ["id"]}), "table")
    assert caught.value.sqlstate == "22023"


def test_options_that_choose_among_many_tables() -> None:
    text = '{"tables": ["a.*", "b|c"], "exclude_tables": ["x"], "where": {"a": "id > 1 -- why", "b c": "true"}}'
    expected = Options(tables=("a.*", "b|c"), exclude_tables=("x",), conditions={"a": "id > 1", "b c": "true"})
    for kind in ("schema", "database", "database_create"):
        assert parse_options(text, kind) == expected  # type: ignore[arg-type] # a tuple loses the literal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"tables": "a"}', 'option "tables" must be an array of regular expressions'),
        ('{"tables": []}', 'option "tables" must hold at least one regular expression'),
        ('{"tables": [1]}', 'option "tables" must be an array of regular expressions'),
        ('{"exclude_tables": [""]}', 'option "exclude_tables" holds a regular expression that no name can match'),
        ('{"exclude_tables": {"a": 1}}', 'option "exclude_tables" must be an array of regular expressions'),
        ('{"where": "id > 1"}', 'option "where" must be an object of conditions by table'),
        ('{"where": {}}', 'option "where" must hold at least one condition'),
        ('{"where": {"a": 1}}', 'option "where" must be an object of conditions by table'),
        ('{"where": {"a": "x; y"}}', 'option "where" of "a" must be exactly one SQL expression: it holds a semicolon'),
        ('{"where": {"a": "x", "a": "y"}}', 'option "a" is given more than once'),
    ],
)
def test_refused_in_schema_clones(text: str, message: str) -> None:
    with pytest.raises(PgError) as caught:
        parse_options(text, "schema")
    assert (caught.value.sqlstate, caught.value.message) == ("22023", f"pgclone: {message}")
    assert caught.value.hint


def test_hint_lists_the_options_and_names_the_closest() -> None:
    with pytest.raises(PgError) as caught:
        parse_options('{"trigger": false}', "schema")
    assert caught.value.hint == (
        'Perhaps you meant "triggers". '
        "Valid options are: conflict, consistent, constraints, exclude_tables, format, indexes, matviews, parallel, "
        "tables, triggers, where."
    )


def test_deepest_where_that_is_taken_does_not_end_the_process() -> None:
    """The parser's result is walked by recursive C code; a longer sum would run out of stack."""
    where = "1" + "+1" * 16_000 + "=1"
    assert parse_options(json.dumps({"where": where}), "table").where == where


KEYS = sorted({*readers("table"), *readers("schema")})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*KEYS, "filter", "x"]), inner),
)


@given(st.text() | JSON.map(json.dumps), st.sampled_from(KINDS))
def test_any_text_gives_options_or_an_error_of_ours(text: str, kind: str) -> None:
    try:
        options = parse_options(text, kind)  # type: ignore[arg-type] # sampled_from loses the literal
    except PgError as error:
        assert error.sqlstate == "22023" and error.message.startswith("pgclone: ") and error.hint
    else:
        assert isinstance(options, Options)
