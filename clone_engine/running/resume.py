"""What a job that goes on from an earlier one leaves out and does over, and what a job that has ended has not made.

Pure: a plan and the keys that the earlier job reported give the steps of this job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import msgspec

from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Copy, Journal, Plan, Run, Statement, reported_key, table_key
from clone_engine.servers.journal import EMPTYING, Entry, forget


class Resumption(NamedTuple):
    """The work of a job that may have had a forerunner."""

    steps: tuple[AnyStep, ...]
    done: frozenset[str]
    """Keys of the steps that are not run again."""
    added: frozenset[str]
    """Keys of steps that are not in the plan (they empty tables), and so are never reported as done."""


def resumption(plan: Plan, done: Collection[str], journal: Journal, found: Collection[Entry]) -> Resumption:
    """`plan` without what earlier jobs have done.  A plan that its `on_failure` has undone starts over.

    `found` is what the journal has of earlier jobs.  A table without its key in `done` is emptied before its parts are
    copied, unless this is the first job, or the parts that are there need not be copied again.
    """
    if plan.on_failure or not done:
        return Resumption(plan.steps, frozenset(), frozenset())
    finished = frozenset(s.key for s in plan.steps if reported_key(s) in done or s.key in plan.kept)
    begun = {step.table for step in plan.steps if isinstance(step, Copy) and step.key in plan.kept}
    copies = [s for s in plan.steps if isinstance(s, Copy) and s.key not in finished and s.table not in begun]
    emptying = _emptying(copies, journal, found)
    emptied = {step.key for step in copies}
    steps = tuple(_after_emptying(step, journal) if step.key in emptied else step for step in plan.steps)
    return Resumption((*steps, *emptying), finished, frozenset(step.key for step in emptying))


def on_new_snapshot(plan: Plan, done: Collection[str], consistent: bool) -> tuple[Outcome, ...]:
    """What the report says where tables of an earlier job's snapshot stay beside those of this one's."""
    kept = [table for table in plan.tables if table_key(table) in done]
    if not (consistent and kept) or plan.on_failure:
        return ()
    text = f"{len(kept)} of {len(plan.tables)} tables were copied earlier, on another snapshot than the rest"
    return (Outcome(object="snapshot", result="done", message=text),)


EARLIER = "by the job that this one goes on from"


def there_already(
    steps: Collection[AnyStep], keys: Collection[str], refused: Collection[str], how: str = ""
) -> Iterator[Outcome]:
    """The outcomes of the steps with these keys, of which no copier has told; `refused` is what could not be made."""
    objects = dict.fromkeys(object_ for step in steps if step.key in keys for object_ in _objects(step))
    for object_ in objects:
        if object_ in refused:
            yield Outcome(object_, "skipped", message=f"could not be made {how}".rstrip())
        else:
            yield Outcome(object_, "done", message=how)


def not_made(steps: Collection[AnyStep], there: Collection[str], incomplete: Mapping[str, str]) -> Iterator[Outcome]:
    """The outcomes of what a job that has ended has not made: all but the steps in `there`, and of the tables that are
    `incomplete` their rows; how far those came are its values."""
    rows = {table_key(table): how_far for table, how_far in incomplete.items()}
    made = {object_ for step in steps if step.key in there for object_ in _objects(step)} - rows.keys()
    objects = dict.fromkeys(object_ for step in steps if step.key not in there for object_ in _objects(step))
    for object_ in objects:
        if object_ in rows:
            yield Outcome(object_, "failed", message=f"{rows[object_]}: the job ended before")
        elif object_ not in made:
            yield Outcome(object_, "failed", message="not made: the job ended before")


def outlasting(steps: Collection[AnyStep], there: Collection[str], dropped: Collection[str]) -> frozenset[str]:
    """The objects that the steps in `there` have made and that do not go with the schemas `dropped`, whose
    names are like no others."""
    made = [s for step in steps if isinstance(step, Run) and step.key in there for s in step.statements if s.object]
    gone = {statement.object for statement in made if any(name in statement.sql for name in dropped)}
    return frozenset(statement.object for statement in made) - gone


def _objects(step: AnyStep) -> Iterator[str]:
    """The objects of a step that the report names."""
    if isinstance(step, Run):
        yield from (statement.object for statement in step.statements if statement.object)
    else:
        yield reported_key(step)


def _emptying(copies: list[Copy], journal: Journal, found: Collection[Entry]) -> list[Run]:
    """The steps that empty tables, and take the parts out of the journal that were in them."""
    parts: defaultdict[str, list[Copy]] = defaultdict(list)
    for step in copies:
        parts[step.table].append(step)
    return [
        Run(
            key=_empty_key(table, journal),
            phase=steps[0].phase,
            after=tuple(dict.fromkeys(key for step in steps for key in step.after)),
            weight=max(step.weight for step in steps),
            holds=tuple(dict.fromkeys(name for step in steps for name in step.holds)),
            statements=(
                Statement(sql=steps[0].empty, object=table_key(table)),
                *(Statement(sql=forget(journal, one.step), object="") for one in found if one.table == table),
            ),
        )
        for table, steps in parts.items()
    ]


def _after_emptying(step: AnyStep, journal: Journal) -> AnyStep:
    assert isinstance(step, Copy), "only tables are emptied"
    return msgspec.structs.replace(step, after=(*step.after, _empty_key(step.table, journal)))


def _empty_key(table: str, journal: Journal) -> str:
    """With the journal's name, which is the job's: that an earlier job has emptied the table is no reason not to."""
    return f"{EMPTYING}{table} by {journal.table}"
