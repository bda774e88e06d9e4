"""The statement that makes a database as the source's was made."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clone_engine.running.creation import create_database

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
    usual = {"encoding": "UTF8", "lc_collate": "C", "lc_ctype": "de_DE", "provider": "c", "locale": "", "icu_rules": ""}
    made = create_database('o"ne', SimpleNamespace(**usual | differs), version)
    assert made == f'CREATE DATABASE "o""ne" WITH TEMPLATE template0 {options}'
