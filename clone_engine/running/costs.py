"""How long steps take beside each other, for the percentage, and for finding the longest way to the end."""

from __future__ import annotations

from typing import Final

from clone_engine.records.phases import COPYING, PHASES
from clone_engine.records.steps import AnyStep, Run

STEP_COST: Final = 8192
"""What any step takes beside its bytes, in bytes that could be copied meanwhile: a page.  In a clone without data every
step counts the same."""


def cost(step: AnyStep) -> float:
    """What a step takes, as the bytes that are copied in that time.  Rough."""
    if isinstance(step, Run) and step.phase == COPYING:
        return STEP_COST  # empties a table, which takes a moment whatever its size
    return STEP_COST + PHASES[step.phase].cost * step.weight
