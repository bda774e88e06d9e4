"""FAULTS.md and the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.repository import ROOT, text

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text("FAULTS.md"))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_each_test_of_the_table_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", text(file), re.MULTILINE)


@pytest.mark.parametrize("file", sorted((ROOT / "tests/faults").glob("test_*.py")), ids=lambda file: file.name)
def test_each_file_of_fault_tests_is_in_the_table(file: Path) -> None:
    assert str(file.relative_to(ROOT)) in {named for named, _ in NAMED}
