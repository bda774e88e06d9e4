"""Which conninfos give way to a stand-in, and that the call gets them back."""

from __future__ import annotations

import pytest

from proxy.calls.confidential import revealed
from proxy.calls.names import functions
from proxy.calls.rewrite import rewrite
from proxy.calls.signatures import Call

HIDDEN = {
    "SELECT pgclone_schema_async('secret', 's')": "secret",
    "SELECT pgclone_schema_async('secret'::text, 's')": "secret",
    "SELECT pgclone_schema_async((('secret')), 's')": "secret",
    "SELECT pgclone_schema_async(('secret'::varchar)::text, 's')": "secret",
    "SELECT pgclone_schema_async(CAST('secret' AS varchar), 's')": "secret",
    "SELECT pgclone_schema_async(text 'secret', 's')": "secret",
    "SELECT pgclone_schema_async(pg_catalog.text 'secret', 's')": "secret",
    "SELECT pgclone_schema_async(N'secret', 's')": "secret",
    "SELECT pgclone_schema_async('secret' COLLATE \"C\", 's')": "secret",
    "SELECT pgclone_schema_async(U&'sec\\0072et', 's')": "secret",
    "SELECT pgclone_schema_async(U&'sec!0072et' UESCAPE '!' ::text, 's')": "secret",
    "SELECT pgclone_schema_async('sec'\n 'ret', 's')": "secret",
    "SELECT 'é', pgclone_schema_async(text 'secret', 's')": "secret",
    "SELECT pgclone_schema_async(E'sec\\x72et', 's')": "secret",
    "SELECT pgclone_schema_async($$secret$$, 's')": "secret",
    "SELECT pgclone_schema_async('it''s secret', 's')": "it's secret",
    "SELECT pgclone.table_async(table_name => 't', schema_name => 's', source_conninfo => 'secret')": "secret",
    "INSERT INTO log SELECT j FROM pgclone_schema_async('secret', 's') j": "secret",
}


@pytest.mark.parametrize("sql", HIDDEN)
def test_a_constant_is_not_in_the_text_that_is_sent(sql: str) -> None:
    (statement,) = rewrite(sql)
    text = statement.render("$1").text
    assert HIDDEN[sql].replace("'", "''") not in text
    assert "secret" not in text
    assert list(statement.secrets.values()) == [HIDDEN[sql]]
    assert all(f"'{stand_in}'" in text for stand_in in statement.secrets)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pgclone_schema_async('host=' || 'visible', 's')",
        "SELECT pgclone_schema_async(format('%s', 'visible'), 's')",
        "SELECT pgclone_schema_async(NULL, 'visible')",
        "SELECT 'visible', pgclone_schema_async(x, 's') FROM t",
    ],
)
def test_what_the_server_computes_stays_as_it_is(sql: str) -> None:
    (statement,) = rewrite(sql)
    assert "visible" in statement.render("$1").text
    assert statement.secrets == {}


def test_the_same_constant_has_one_stand_in_and_others_have_others() -> None:
    (statement,) = rewrite("SELECT pgclone_schema_async('a', 's'), pgclone_schema_async('b', 's'), "
                           "pgclone_table_async('a', 's', 't')")  # fmt: skip
    assert sorted(statement.secrets.values()) == ["a", "b"]


@pytest.mark.parametrize(
    ("sql", "numbers"),
    [
        ("SELECT pgclone_schema_async($1, $2)", {1}),
        ("SELECT pgclone_schema_async($2::text, $1)", {2}),
        ("SELECT pgclone_schema_async($1, 's'), pgclone_schema_async($1, 't')", {1}),
        ("SELECT $1::text, pgclone_schema_async($1, 's')", set()),
        ("SELECT pgclone_schema_async($1::varchar::text, 's')", {1}),
        ("SELECT pgclone_schema_async(CAST(($1) AS text) COLLATE \"C\", 's')", {1}),
        ("SELECT pgclone_schema_async($1, $1)", set()),
        ("SELECT pgclone_schema_async($1 || 'x', 's')", set()),
        ("SELECT pgclone_cancel($1)", set()),
    ],
)
def test_a_parameter_is_hidden_if_it_is_used_for_nothing_else(sql: str, numbers: set[int]) -> None:
    (statement,) = rewrite(sql, extended=True)
    assert statement.secret_parameters == numbers


def test_an_execute_hides_its_own_constant_and_knows_the_prepared_one() -> None:
    (prepared,) = rewrite("PREPARE p AS SELECT pgclone_schema_async('first', 's'), pgclone_schema_async($1, 's')")
    (executed,) = rewrite("EXECUTE p('second')", prepared={"p": prepared})
    assert "second" not in executed.render("$1").text
    assert sorted(executed.secrets.values()) == ["first", "second"]


def test_the_call_gets_its_value_back() -> None:
    signature = functions(None, "pgclone_schema_async")[0]
    arguments = {"source_conninfo": "stand-in", "schema_name": "stand-in", "include_data": True, "options": None}
    call = revealed(Call(signature, arguments, "key", 0), {"stand-in": "secret"})
    assert call.arguments == {**arguments, "source_conninfo": "secret"}
    assert revealed(Call(signature, {**arguments, "source_conninfo": None}, "key", 0), {}).arguments["options"] is None
