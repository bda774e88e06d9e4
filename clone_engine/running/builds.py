"""How far the target is with the indexes that it builds for a job, as it shows in pg_stat_progress_create_index.

Only for the percentage: what cannot be asked now is not known, and nothing fails over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
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
    target: Callable[[], psycopg.AsyncConnection],
    busy: Mapping[Member, tuple[AnyStep, ...]],
    told: Callable[[str, float], None],
) -> None:
    """Return never.  While copiers are `busy` with steps that build indexes, `told` gets a step's key, and which share
    of it is done."""
    while True:
        await asyncio.sleep(PULSE)
        building = dict(_building(busy))
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


def _building(busy: Mapping[Member, tuple[AnyStep, ...]]) -> Iterator[tuple[int, Run]]:
    """The target's backends that build indexes, with the step that each is at; those of several take a moment."""
    for member, (step, *others) in busy.items():
        if others:
            continue
        if isinstance(step, Run) and step.phase in {INDEXES, CONSTRAINTS} and "target" in member.backends:
            yield member.backends["target"], step


def _objects(step: Run) -> int:
    """How many objects it makes.  Which of them is being made is not known, so it is taken for the first."""
    return sum(1 for statement in step.statements if statement.object) or 1
