"""How far the target is with the indexes that it builds for a job, as it shows in pg_stat_progress_create_index.

Only for the percentage: what cannot be asked now is not known, and nothing fails over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import psycopg
from psycopg import AsyncRawCursor

from clone_engine.records.phases import CONSTRAINTS, INDEXES
from clone_engine.records.steps import AnyStep, Run
from clone_engine.running.crew import Member
from clone_engine.servers.queries import text_of

PULSE: Final = 0.5
"""Seconds between two questions; most indexes are built before the first."""


async def watch(
    target: Callable[[], psycopg.AsyncConnection], busy: Mapping[Member, AnyStep], told: Callable[[str, float], None]
) -> None:
    """Return never.  While copiers are `busy` with steps that build indexes, `told` gets a step's key, and which share
    of it is done."""
    while True:
        await asyncio.sleep(PULSE)
        building = {m.backends["target"]: step for m, step in busy.items() if "target" in m.backends and _builds(step)}
        if not building:
            continue
        try:
            asked = await AsyncRawCursor(target()).execute(text_of("builds"), [list(building)])
            found = await asked.fetchall()
        except psycopg.Error:
            continue
        for pid, share in found:
            step = building[pid]
            told(step.key, share / _objects(step))


def _builds(step: AnyStep) -> bool:
    return isinstance(step, Run) and step.phase in {INDEXES, CONSTRAINTS}


def _objects(step: AnyStep) -> int:
    """How many objects it makes; which of them is being made is not known, so each time it is the first."""
    return sum(1 for statement in step.statements if statement.object) or 1 if isinstance(step, Run) else 1
