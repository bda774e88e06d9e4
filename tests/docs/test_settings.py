"""conf/pgclone-proxy.toml has every setting with its default and a word about it, and nothing else."""

from __future__ import annotations

import re
import tomllib

import msgspec
import pytest

from proxy.config import NamedSourceSettings, Settings, load
from proxy.config.reloading import COUNTS_FROM
from tests.docs.repository import ROOT, text

FILE = "conf/pgclone-proxy.toml"
NAMED = "source"
"""The section of sources with names; there is none by default, so the file has it in a comment."""
SETTINGS = [
    (section.name, field.name)
    for section in msgspec.structs.fields(Settings)
    if section.name != NAMED
    for field in msgspec.structs.fields(section.type)
]


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_a_setting_is_in_the_file_with_its_default(section: str, key: str) -> None:
    written = tomllib.loads(text(FILE))[section][key]
    default = msgspec.to_builtins(getattr(getattr(Settings(), section), key))
    assert written == (list(default) if isinstance(default, tuple) else default)


def test_the_file_has_no_other_settings_and_can_be_loaded() -> None:
    written = tomllib.loads(text(FILE))
    assert {(section, key) for section, keys in written.items() for key in keys} == set(SETTINGS)
    assert load(ROOT / FILE, {}) == Settings()


def test_every_setting_is_explained_above_it() -> None:
    lines = text(FILE).splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            above = lines[number - 1]
            # Settings that are explained together stand together.
            assert above.startswith("#") or re.match(r"\w+ = ", above), line


def test_the_file_marks_what_counts_from_a_restart() -> None:
    marked, section, comment, explained = {}, "", "", False
    for line in text(FILE).splitlines():
        if line.startswith("#"):
            comment = line if explained else comment + line
            explained = False
        elif found := re.match(r"(\w+) = ", line):
            marked[f"{section}.{found[1]}"] = "restart" if re.search(r"restart\)", comment) else "reload"
            explained = True
        elif found := re.fullmatch(r"\[(\w+)\]", line):
            section, comment = found[1], ""
    assert {**marked, NAMED: "reload"} == COUNTS_FROM


@pytest.mark.parametrize(("section", "key"), SETTINGS)
def test_every_setting_is_in_the_readme(section: str, key: str) -> None:
    assert f"`{section}.{key}`" in text("README.md")


@pytest.mark.parametrize("field", msgspec.structs.fields(NamedSourceSettings), ids=lambda field: field.name)
def test_the_settings_of_a_named_source_are_explained(field: msgspec.structs.FieldInfo) -> None:
    example = text(FILE).partition(f"[{NAMED}.prod]\n")[2].partition("\n\n")[0]
    settings = tomllib.loads(re.sub("^# *", "", example, flags=re.MULTILINE))
    assert isinstance(settings[field.name], list if isinstance(field.default, tuple) else str)
    assert f"`{NAMED}.NAME.{field.name}`" in text("README.md")
