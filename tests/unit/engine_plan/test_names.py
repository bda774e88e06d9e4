"""Names are data: quoted when they become SQL, cut where PostgreSQL would cut them, never ambiguous."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast import parse_sql

from clone_engine.records.names import (
    MAX_BYTES,
    Name,
    fit,
    old_name,
    quote_ident,
    quote_literal,
    renamed_after,
    split_qualified,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("a", '"a"'), ('a"b', '"a""b"'), ("%s {}", '"%s {}"'), ("a\nb", '"a\nb"'), ("select", '"select"'), ("Ü", '"Ü"')],
)
def test_quote_ident(name: str, quoted: str) -> None:
    assert quote_ident(name) == quoted
    assert Name("S", name).sql == f'"S".{quoted}'


@given(TEXTS)
def test_a_literal_means_its_text(text: str) -> None:
    select: Any = parse_sql(f"SELECT {quote_literal(text)}")[0].stmt
    assert select.targetList[0].val.val.sval == text


@given(NAMES, NAMES)
def test_a_qualified_name_splits_into_its_parts(schema: str, name: str) -> None:
    assert split_qualified(Name(schema, name).sql) == (schema, name)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("app.t", ("app", "t")), ('app."T t"', ("app", "T t")), ('"a.b"."c""d"', ("a.b", 'c"d')), ("t", ("t",))],
)
def test_split_qualified(text: str, parts: tuple[str, ...]) -> None:
    assert split_qualified(text) == parts


@given(NAMES, st.sampled_from(["", "_old", "_old12"]))
def test_fit_is_at_most_63_bytes_and_cuts_no_character(name: str, suffix: str) -> None:
    fitted = fit(name, suffix)
    assert len(fitted.encode()) <= MAX_BYTES
    assert fitted.endswith(suffix)
    assert name.startswith(fitted[: len(fitted) - len(suffix)])


@pytest.mark.parametrize(
    ("taken", "expected"),
    [((), "t_old"), (("t_old",), "t_old2"), (("t_old", "t_old2", "t_old3"), "t_old4"), (("t_old2",), "t_old")],
)
def test_old_name(taken: tuple[str, ...], expected: str) -> None:
    assert old_name("t", taken) == expected


@pytest.mark.parametrize(
    ("name", "table", "new", "expected"),
    [
        ("orders_pkey", "orders", "copy", "copy_pkey"),
        ("orders_id_seq", "orders", "orders", "orders_id_seq"),
        ("by_date", "orders", "copy", "copy_by_date"),
        ("orders", "orders", "copy", "copy"),
        ("t" * 58 + "_pkey", "t" * 58, "n" * 63, "n" * 58 + "_pkey"),
    ],
)
def test_renamed_after(name: str, table: str, new: str, expected: str) -> None:
    assert renamed_after(name, table, new) == expected


@given(st.sets(NAMES, min_size=2, max_size=2), st.sampled_from(["n", "n" * 30, "n" * 63]))
def test_two_names_that_are_cut_stay_two(names: set[str], new: str) -> None:
    """Guards against two indexes of a table under another name that got one name."""
    one, two = ("x" * 40 + name + "y" * 60 for name in names)
    assert renamed_after(one, "t", new) != renamed_after(two, "t", new)
    assert len(renamed_after(one, "t", new).encode()) <= MAX_BYTES


@given(NAMES, NAMES, NAMES)
def test_a_renamed_name_always_fits(name: str, table: str, new: str) -> None:
    # What PostgreSQL hands out fits already.
    assert len(renamed_after(fit(name), fit(table), fit(new)).encode()) <= MAX_BYTES
