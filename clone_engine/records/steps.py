"""The steps of a clone: what is run on the target, what is copied, and what must be done before what.

Frozen records only; they travel to copiers as JSON lines.  `plan.py` makes them, `foreman.py` hands them out,
`copier.py` carries them out.  Every step is one transaction on the target, or one with other small ones: it is done
whole or not at all.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from clone_engine.records.names import Name


class Statement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One SQL statement for the target."""

    sql: str
    object: str
    """What it makes or changes, for the report: 'index sales.orders_date_idx'; '' for what is not worth a line."""
    tolerated: bool = False
    """Whether its failure is reported and the step goes on (owner, grant, comment…): run within a savepoint."""
    optional: tuple[str, ...] = ()
    """The SQLSTATEs for which the same is true (the caller may not make an event trigger)."""
    needs: tuple[str, ...] = ()
    """Other statements' objects without which this one is left out, and reported, if the clone goes on without them."""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every step has.

    `key` is stable: planning the same clone again gives the same key for the same work, so that a resumed job can
    tell what is done.  `after` holds the keys of the steps that must be done first.  Steps with a larger `weight`
    (bytes touched) start earlier.  Two steps that `holds` the same relation never run at once.
    What an `unlogged` step does is taken away again by a crash of the target, and does no harm if it is done twice.
    `phase` is the job's phase while it runs, in the original's words ('copying data', 'creating indexes', …).
    A `small` step takes a moment, and may be done in one transaction with others.
    """

    key: str
    phase: str
    after: tuple[str, ...] = ()
    weight: int = 0
    holds: tuple[str, ...] = ()
    unlogged: bool = False
    small: bool = False


class Run(Step, frozen=True, kw_only=True, tag="run"):
    """Statements for the target, in order, in one transaction."""

    statements: tuple[Statement, ...]
    patient: bool = False
    """Whether it is run again, for a while, when it does not get a lock: it asks for that for a moment only, so that
    those who wait behind it need not wait long."""


class Part(msgspec.Struct, frozen=True):
    """Which pages of a table a step copies, and what tells later whether they still hold the same rows."""

    low: int = 0
    high: int | None = None
    """The page behind the last; None for all that follow."""
    origin: str = ""
    """The table's file and columns on the source."""
    horizon: int = 0
    """All transactions before this one had ended when the snapshot was taken."""


class Copy(Step, frozen=True, kw_only=True, tag="copy"):
    """Rows of one table, or of one part of it, from the source's snapshot into the target."""

    table: str
    """The source table as `schema.name`, unquoted: for progress and report.  Parts of one table share it."""
    display_name: str
    """The table's bare name, as current_table shows it."""
    parts: int
    """How many Copy steps make up this table."""
    copy_out: str
    """COPY … TO STDOUT, for the source."""
    copy_in: str
    """COPY … FROM STDIN, for the target."""
    empty: str
    """The statement that empties the target table.  A resumed job runs it once for a table that is not complete
    before copying all of its parts again: parts of two snapshots never meet in one table."""
    count: str
    """The query, for the target, that counts the rows which all parts of the table have brought."""
    estimated_rows: int | None
    """Rows expected; None if unknown."""
    estimated_bytes: int | None
    """Size of the rows on the source in bytes; None if unknown, as that of the rows which a condition chooses."""
    part: Part | None = None
    """Of one part of several; None for a table that is copied whole."""
    replica: bool = False
    """Whether triggers of foreign keys, which the table has already, are left out (session_replication_role)."""
    frozen_in: str = ""
    """What takes the place of `copy_in` behind `empty`, so that the rows arrive frozen; '' where they do not."""
    binary: bool = False
    """Whether both are in binary format, and not in text."""


class LargeObjects(Step, frozen=True, kw_only=True, tag="large objects"):
    """Large objects of the source's snapshot, by a range of their oids."""

    first: int
    last: int
    existing: Literal["error", "skip", "replace"]
    """What is done about those that the target has already."""


AnyStep = Run | Copy | LargeObjects


def table_key(table: str) -> str:
    """The key under which the data of a table is reported, whatever number of parts it has."""
    return f"table {table}"


def reported_key(step: AnyStep) -> str:
    """The key under which it is reported that a step is done: that of its table for data."""
    return table_key(step.table) if isinstance(step, Copy) else step.key


class Journal(msgspec.Struct, frozen=True):
    """Where the target keeps which steps of a job are done."""

    table: Name


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a job, and how to undo it.

    `on_failure` statements are run, each in its own transaction, when the job does not complete (drop of a staging
    schema); where there are any, a resumed job starts over, so none of its steps count as done.
    `swap` is the key of the step behind which `on_failure` has nothing left to undo, '' for none: what that step and
    those after it made stays, though a resumed job starts over all the same.
    `notes` are outcomes that are known before anything runs ('skipped: table exists').
    """

    steps: tuple[AnyStep, ...]
    tables: tuple[str, ...]
    """The tables of the clone as `schema.name`: their number is tables_total.  Those that have Copy steps; if nothing
    is copied, all that are made."""
    on_failure: tuple[Statement, ...] = ()
    staging: tuple[str, ...] = ()
    """The schemas that `on_failure` drops."""
    swap: str = ""
    kept: tuple[str, ...] = ()
    """Keys of steps that copy parts of tables: those that earlier jobs have done and that need not be done again."""
    notes: tuple[tuple[str, str], ...] = ()
    """(object, why it is left out)."""
    advice: str = ""
    """What to do if the target refuses a statement or a value, where the server does not say."""
