"""What a first step's key keeps is read back."""

from __future__ import annotations

import pytest

from clone_engine.planning.decided import Decided, decided

LABELS = frozenset({"type lib.t", 'sequence odd "] without ["name.s', "schema é"})


@pytest.mark.parametrize("left", [frozenset(), LABELS])
@pytest.mark.parametrize("brought", [frozenset(), LABELS])
def test_what_is_written_is_read(left: frozenset[str], brought: frozenset[str]) -> None:
    there = Decided(left, brought)
    assert decided(["table app.t", there.key, "late definitions"]) == there


def test_keys_of_old() -> None:
    assert decided(["definitions"]) == Decided()
    assert decided(['definitions without ["table app.t"]']) == Decided(frozenset({"table app.t"}))


@pytest.mark.parametrize("key", ["late definitions", "part 2 of definitions", "definitions of x", "table definitions"])
def test_other_keys_tell_nothing(key: str) -> None:
    assert decided([key]) is None
