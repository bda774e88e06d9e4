"""The statement that makes a database as the source's was made."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clone_engine.records.errors import PgError
from clone_engine.running.creation import create_database

USUAL = {"encoding": "UTF8", "lc_collate": "C", "lc_ctype": "de_DE", "provider": "c", "locale": "", "icu_rules": ""}
MADE = [
    ({}, 140000, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'de_DE'"),
    ({}, 150000, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'de_DE' LOCALE_PROVIDER libc"),
    (
        {"provider": "i", "locale": "und", "icu_rules": "&a < b"},
        160000,
        "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'de_DE' LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < b'",
    ),
    (
        {"provider": "b", "locale": "C.UTF-8"},
        170000,
        "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'de_DE' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
    ),
]


@pytest.mark.parametrize(("differs", "version", "options"), MADE)
def test_of_each_provider(differs: dict[str, str], version: int, options: str) -> None:
    made = create_database('o"ne', SimpleNamespace(**USUAL | differs), version)
    assert made == f'CREATE DATABASE "o""ne" WITH TEMPLATE template0 {options}'


@pytest.mark.parametrize(
    ("differs", "version"),
    [
        ({"provider": "i", "locale": "und"}, 140000),
        ({"provider": "i", "locale": "und", "icu_rules": "&a < b"}, 150000),
        ({"provider": "b", "locale": "C.UTF-8"}, 160000),
    ],
)
def test_an_older_server_that_has_no_such_locale(differs: dict[str, str], version: int) -> None:
    with pytest.raises(PgError, match=f"PostgreSQL {version // 10000} has no such locale") as refused:
        create_database("one", SimpleNamespace(**USUAL | differs), version)
    assert refused.value.sqlstate == "0A000"
    assert differs["locale"] in refused.value.detail
