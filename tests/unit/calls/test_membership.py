"""What is asked of roles, and what the answer means; that servers understand it is tests/integration/test_owners.py."""

from __future__ import annotations

import re

import pytest
from pglast import parse_sql

from proxy.calls.membership import NONE, Rights, rights, rights_column

ROLES = ("alice", "Bob's", "jürgen", "名")


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        (None, NONE),
        ("", NONE),
        ("1", Rights(superuser=True)),
        ("2 5", Rights(False, frozenset({"alice", "名"}))),
        ("1 3", Rights(True, frozenset({"Bob's"}))),
    ],
)
def test_answers(column: str | None, meaning: Rights) -> None:
    assert rights(ROLES, column) == meaning


@pytest.mark.parametrize("roles", [(), ROLES, ("a\\", "it's", '"', "x); DROP TABLE t; --", "E'")])
def test_the_question_is_ascii_and_holds_names_as_data_only(roles: tuple[str, ...]) -> None:
    column = rights_column(roles, "utf-8")
    assert column.isascii()
    assert len(parse_sql(f"SELECT {column}")) == 1
    assert column.count(";") == 0 and column.count("--") == 0


@pytest.mark.parametrize(
    ("codec", "asked"), [("utf-8", 4), ("iso8859-1", 4), ("latin-1", 2), ("ascii", 4), ("euc_jp", 3)]
)
def test_a_name_that_the_database_s_encoding_cannot_hold_is_left_out(codec: str, asked: int) -> None:
    assert len(re.findall(r"\bE'", rights_column(ROLES, codec))) == asked
