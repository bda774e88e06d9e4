"""A job's report: what became of each object, as the rows of pgclone_job_objects.

Pure.  Outcomes name objects in words ('index sales.orders_idx'); here these are taken apart, and what several
statements said of one object becomes one row.  Who collects outcomes is `running/job.py`, who keeps them the store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from clone_engine.records.jobs import Job, Outcome

COLUMNS = ("object_kind", "schema_name", "object_name", "state", "sqlstate", "message")
CANCELLED = "57014"

LONG_KINDS = (
    "access method",
    "domain constraint",
    "event trigger",
    "foreign data wrapper",
    "foreign key",
    "foreign table",
    "index alteration",
    "large object",
    "materialized view",
    "operator class",
    "operator family alteration",
    "operator family",
    "replica identity",
    "row security",
    "rule state",
    "security label",
    "session authorization",
    "statistics alteration",
    "text search configuration",
    "text search dictionary",
    "text search mapping",
    "text search parser",
    "text search template",
    "trigger state",
    "type alteration",
    "user mapping",
)
"""Kinds of more than one word, each before those that it begins with."""
_WORDS = re.compile(rf"((?:{'|'.join(LONG_KINDS)})(?= |\Z)|[^ ]*)(?: (?:of |on )?(.*))?", re.DOTALL)
"""The kind, and the name behind the little word in what is about another object: comment on …, owner of …."""
IN_NO_SCHEMA = frozenset({
    "access method", "cast", "database", "event trigger", "extension", "foreign data wrapper", "job", "language",
    "large object", "option", "publication", "schema", "server", "snapshot", "tablespace", "transform", "user mapping",
    "version",
})  # fmt: skip


class Named(NamedTuple):
    """An object's words taken apart."""

    kind: str
    schema: str
    name: str
    """Within the schema; what hangs on a relation has that in it too: 'check_total on orders'."""


def object_rows(job: Job, outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """One row for each object, by column, in the order in which the objects were first reported.

    Of an object that failed only the failures count, and whatever is done is done once.  A job that has failed or was
    cancelled is its own last row, with the reason.
    """
    shown = [_under_new_name(job, outcome) for outcome in outcomes]
    schemas = _schemas(job, shown)
    rows = [_row(named(outcome.object, schemas), outcome) for outcome in merged(shown)]
    if job.status in {"failed", "cancelled"}:
        message = job.error.partition("\n")[0] or "the job was cancelled"
        end = Outcome(f"job {job.job_id}", "failed", job.sqlstate or CANCELLED, message)
        rows.append(_row(named(end.object), end))
    return rows


def merged(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """One 'done' for each object, with the words that came with it, if any, and none beside a failure."""
    done: dict[str, Outcome] = {}
    others: dict[str, dict[Outcome, None]] = {}
    for outcome in outcomes:
        others.setdefault(outcome.object, {})
        if outcome.result != "done":
            others[outcome.object][outcome] = None
        elif not (outcome.object in done and done[outcome.object].message):
            done[outcome.object] = outcome
    found: list[Outcome] = []
    for object_, said in others.items():
        failures = [outcome for outcome in said if outcome.result == "failed"]
        as_done = [done[object_]] if object_ in done else []
        found += failures or [*as_done, *said]
    return found


def named(words: str, schemas: Sequence[str] = ()) -> Named:
    """The words taken apart.  `schemas` are known ones: names may hold dots, and are not quoted in reports.

    The first that fits counts, so the longest should come first: one name may be the beginning of another.
    """
    found = _WORDS.match(words)
    assert found, "it matches anything"
    kind, rest = found[1], found[2] or ""
    if kind in IN_NO_SCHEMA:
        return Named(kind, "", rest)
    for schema in schemas:
        if rest.startswith(f"{schema}."):
            return Named(kind, schema, rest[len(schema) + 1 :])
        if f" on {schema}." in rest:
            before, _, behind = rest.rpartition(f" on {schema}.")
            return Named(kind, schema, f"{before} on {behind}")
    return _by_the_first_dot(kind, rest)


def _by_the_first_dot(kind: str, rest: str) -> Named:
    before, on, qualified = rest.rpartition(" on ")
    schema, dot, name = qualified.partition(".")
    if not dot or not schema or "(" in schema:
        return Named(kind, "", rest)
    return Named(kind, schema, f"{before}{on}{name}")


def _schemas(job: Job, outcomes: Sequence[Outcome]) -> list[str]:
    """The schemas that are known to be part of the clone, the longest name first."""
    made = {outcome.object.removeprefix("schema ") for outcome in outcomes if outcome.object.startswith("schema ")}
    return sorted((made | {job.request.schema_name, "public"}) - {""}, key=lambda name: (-len(name), name))


def _under_new_name(job: Job, outcome: Outcome) -> Outcome:
    """What is said of the rows of a table that is cloned under another name: they are in that one."""
    request = job.request
    if not request.target_table_name or outcome.object != f"table {request.schema_name}.{request.table_name}":
        return outcome
    table = f"table {request.schema_name}.{request.target_table_name}"
    return Outcome(table, outcome.result, outcome.sqlstate, outcome.message)


def _row(of: Named, outcome: Outcome) -> dict[str, Any]:
    values = (of.kind, of.schema, of.name, outcome.result, outcome.sqlstate, outcome.message)
    return dict(zip(COLUMNS, values, strict=True))
