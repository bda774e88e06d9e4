"""How long, and how often, what was lost is tried again."""

from __future__ import annotations

from itertools import islice

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


def test_a_server_is_looked_for_more_and_more_seldom() -> None:
    pauses = list(islice(looks(), 20))
    assert pauses == sorted(pauses)
    assert pauses[-2:] == [LONGEST_LOOK, LONGEST_LOOK]
