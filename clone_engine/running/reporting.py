"""What a job says of its steps and objects, and when.

That something is done is said when a crash of the target does not take it away any more (`durable.py`); of a plan that
is undone as a whole, when all of it is.  What stays of a job that did not complete is said in the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain

from clone_engine.records.channel import Done, FromJob, Reported, Undone
from clone_engine.records.jobs import Outcome
from clone_engine.records.steps import AnyStep, Copy, Plan, Run, reported_key, table_key
from clone_engine.running.copier_channel import Result
from clone_engine.running.durable import Announcer
from clone_engine.running.resume import EARLIER, Resumption, not_made, outlasting, there_already
from clone_engine.servers.journal import WITHOUT, Entry, whole

Say = Callable[[FromJob], None]
BEHIND_ROWS = frozenset({"swapping tables", "creating triggers"})
"""Phases of steps behind which rows cannot be copied any more as before them."""
STAYS = "stays, though the job ended before it was complete"


class Report:
    """What has become of the steps of one job so far, as far as it was told."""

    def __init__(self, say: Say, told: Iterable[str]) -> None:
        self.say = say
        self.told = set(told)
        """The keys of what is done that the manager has, or will get."""
        self.refused: set[str] = set()
        """Objects that the target has refused to make."""
        self.plan: Plan | None = None
        self.swapped = False
        """Whether the plan's swap is done."""
        self._work = Resumption((), frozenset(), frozenset())
        self._with_rows: frozenset[str] = frozenset()
        self._announcer: Announcer | None = None
        self._finished: set[str] = set()
        self._copied: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By table the rows of each of its parts that is there."""
        self._with: dict[str, tuple[str, ...]] = {}
        """By the key of what is done the keys that were told with it, itself the first."""
        self._kept_back: dict[str, list[Reported]] = {}

    def __repr__(self) -> str:
        return f"<Report of {len(self._finished)} steps, what {len(self._kept_back)} of them did kept back>"

    def outcome(self, outcome: Outcome | None) -> None:
        """Say at once what became of an object, if anything is to be said."""
        if outcome:
            self.say(Reported(outcome))

    def begin(self, plan: Plan, work: Resumption, kept: Iterable[Entry], announcer: Announcer) -> None:
        """The work begins; `kept` are parts of tables that are there already.  Says what else is."""
        self.plan, self._work, self._announcer = plan, work, announcer
        copies = [step for step in plan.steps if isinstance(step, Copy) and step.key not in work.done]
        self._with_rows = frozenset(table_key(step.table) for step in copies)
        for outcome in there_already(work.steps, work.done, self.refused, EARLIER):
            if not self._waits_for_rows(outcome):
                self.outcome(outcome)
        for one in kept:
            self._copied[one.table][one.step] = one.rows

    def finished(self, step: AnyStep, record: Result, completes: bool) -> None:
        """A step has been committed; `completes` tells whether it was the last one of its table."""
        self._finished.add(step.key)
        self.swapped = self.swapped or bool(self.plan and step.key == self.plan.swap)
        if isinstance(step, Copy):
            self._copied[step.table][step.key] = record.rows
            if completes:
                rows = sum(self._copied[step.table].values())
                self._done(whole(step.table, rows), (Outcome(table_key(step.table), "done", message=f"{rows} rows"),))
        self.refused |= {outcome.object for outcome in record.outcomes if outcome.result == "skipped"}
        if not isinstance(step, Copy) and step.key not in self._work.added:
            self._done((step.key,), tuple(o for o in record.outcomes if not self._waits_for_rows(o)))

    def take_back(self, there: Collection[str]) -> list[AnyStep]:
        """The steps that were finished and are not `there`, in the journal: they count as done no more, and of what was
        said of them it is said that it is no longer true."""
        lost = [step for step in self._work.steps if step.key in self._finished and step.key not in there]
        for step in lost:
            self._finished.discard(step.key)
            if isinstance(step, Copy):
                self._copied[step.table].pop(step.key, None)
            self._unsay(reported_key(step))
        self.swapped = bool(self.plan and self.plan.swap in self._finished)
        return lost

    def _unsay(self, key: str) -> None:
        self._kept_back.pop(key, None)
        held = self._announcer.take_back(key) if self._announcer else ()
        unsaid = {one.key for one in held if isinstance(one, Done)}
        untrue = self._with.pop(key, (key,))
        for one in untrue:
            if one in self.told - unsaid:
                self.say(Undone(one))
        self.told -= unsaid.union(untrue)

    def _waits_for_rows(self, outcome: Outcome) -> bool:
        """Whether this says of a table that it is done that has yet to get its rows."""
        return outcome.result == "done" and outcome.object in self._with_rows

    def _done(self, keys: tuple[str, ...], outcomes: tuple[Outcome, ...]) -> None:
        """What the first of `keys` tells is done, and with it what the others say of it."""
        messages = [Reported(outcome) for outcome in outcomes]
        if self.keeps_steps and self._announcer:
            done = [*map(Done, keys), *(Done(WITHOUT + one.object) for one in outcomes if one.result == "skipped")]
            self.told |= {one.key for one in done}
            self._with[keys[0]] = keys
            self._announcer.hold(keys[0], [*done, *messages])
        else:
            self._kept_back[keys[0]] = messages

    @property
    def keeps_steps(self) -> bool:
        """Whether what is done stays done if the job fails, so that a resumed job can build on it."""
        return self.plan is not None and not self.plan.on_failure

    @property
    def rows_are_in_use(self) -> bool:
        """Whether something is done that only tables with all their rows may have: triggers, or the swap."""
        done = self._finished | self._work.done
        behind = (step for step in self._work.steps if step.phase in BEHIND_ROWS and step.key in done)
        return any(isinstance(step, Run) and step.statements for step in behind)

    @property
    def holds(self) -> bool:
        """Whether anything of the clone is complete on the target."""
        return bool(self._finished or self._work.done)

    def incomplete(self) -> list[Copy]:
        """One step of each table whose rows have not all arrived."""
        parts = {s.table: s for s in self._work.steps if isinstance(s, Copy) and s.key not in self._work.done}
        return [step for table, step in parts.items() if len(self._copied.get(table, ())) < step.parts]

    async def flush(self) -> None:
        """Say what is held back until it is durable.  PgError if the target fails."""
        if self._announcer:
            await self._announcer.flush()

    async def completed(self) -> None:
        """Every step is done: say all that is not said yet.  PgError if the target fails."""
        if self._announcer:
            for key, messages in self._kept_back.items():
                self._announcer.hold(key, messages)
            self._kept_back.clear()
        await self.flush()

    def rest(self, complete: Collection[str], in_part: Mapping[str, str], failed_at: str) -> None:
        """What nothing has been said of yet, now that the job has ended without being complete.

        `complete` are the keys in the journal; `in_part` tells of tables how far their rows came; of the object
        `failed_at` it has been said.
        """
        if self.plan is None:
            return
        steps, said = self._work.steps, self._finished | self._work.done | self._work.added
        if self.plan.on_failure and not self.swapped:
            stays = outlasting(steps, complete, self.plan.staging)
            outcomes = [Outcome(one, "done", message=STAYS) for one in sorted(stays - self.refused)]
            outcomes += [one for one in not_made(steps, self._work.added, {}) if one.object not in stays]
        else:
            for message in chain.from_iterable(self._kept_back.values()):
                self.say(message)
            unheard = {step.key for step in steps if step.key not in said and reported_key(step) in complete}
            tables = [step.table for step in self.incomplete() if table_key(step.table) not in complete]
            rows = {table: in_part.get(table, "not copied") for table in tables}
            outcomes = [*there_already(steps, unheard, self.refused), *not_made(steps, said | unheard, rows)]
        for outcome in outcomes:
            if outcome.object != failed_at:
                self.outcome(outcome)
