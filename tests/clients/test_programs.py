"""Reading what client programs say: a check that failed, or was never done, is not taken for one that went well."""

from __future__ import annotations

import sys

import pytest

from tests.clients.programs import read_tap, report


def test_tap_is_read_with_its_comments() -> None:
    said = "ok 1 - one\nnot ok 2 - two\n# Error: 1 != 2\n#\nnoise\n# at line 3\nok 3 - three\n# about three\n1..3"
    assert read_tap(said) == {"one": "", "two": "two: not ok\nError: 1 != 2\nat line 3", "three": ""}


def test_a_program_that_breaks_off_fails_what_it_did_not_reach() -> None:
    said = report([sys.executable, "-c", "print('ok 1 - one\\nnot ok 2 - two'); raise SystemExit('broken')"])
    said.assert_ok("one")
    with pytest.raises(AssertionError, match="two: not ok"):
        said.assert_ok("two")
    with pytest.raises(AssertionError, match=r"without a word of this check(.|\n)*broken(.|\n)*exit code 1"):
        said.assert_ok("three")
