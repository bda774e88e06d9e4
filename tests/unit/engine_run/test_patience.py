"""How long, and how often, what was lost is tried again."""

from __future__ import annotations

import pytest

from clone_engine.running.patience import LONGEST_LOOK, TRIES, Patience, looks


def test_pauses_grow_and_end_and_are_as_long_as_they_may_be() -> None:
    patience = Patience(60)
    pauses = [patience.pause("a") for _ in range(TRIES)]
    found = [pause for pause in pauses if pause is not None]
    assert len(found) == TRIES
    assert found == sorted(found)
    assert sum(found) == pytest.approx(60)
    assert patience.pause("a") is None
    assert patience.pause("b") == found[0]


def test_without_patience_nothing_is_tried_again() -> None:
    assert Patience(0).pause("a") is None
    assert list(looks(0)) == []


@pytest.mark.parametrize("seconds", [0.05, 1, 60])
def test_a_server_is_looked_for_until_the_time_is_over(seconds: float) -> None:
    pauses = list(looks(seconds))
    assert sum(pauses) == pytest.approx(seconds)
    assert 0 < max(pauses) <= LONGEST_LOOK
