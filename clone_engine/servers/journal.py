"""The journal of a job: a table on the target in which the transaction of each step leaves what it did.

A step has been done exactly if its entry is there: nobody has to know whether a COMMIT that was not answered came
through, and what a crash of the target takes away it takes from both.  So the entries of rows in unlogged tables, and
of values of unlogged sequences, are in an unlogged table too, which inherits from the other.

A job that goes on from another one takes its journal over: it is locked, read and renamed, behind which whatever is
still at work for the other job can commit nothing more.  SQL and records only; who runs it is `running.job` and
`running.copier`.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import msgspec

from clone_engine.records.jobs import Outcome
from clone_engine.records.names import Name, quote_ident, quote_literal
from clone_engine.records.steps import AnyStep, Copy, Journal, Part, table_key

WITHOUT = "without "
"""Begins the keys, kept beside those of done steps, that tell a resumed job what the target refused to make."""
PART = "part of a table "
"""Begins the keys that tell a resumed job which parts of an incomplete table are there: the entry follows."""
ROWS = "rows of a table "
"""Begins the keys that tell a resumed job how many rows a complete table has got: the entry follows."""
EMPTYING = "emptying of "
"""Begins the keys of steps that empty tables for their rows to be copied again: they say nothing to later jobs."""
TABLE = "steps"
"""What a journal is called in a schema of its own; elsewhere it has the name of its job."""
UNLOGGED = "{}_unlogged"
"""What its unlogged part is called, by its own name."""

FIND = f"""
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND pg_catalog.pg_get_userbyid(c.relowner) = ANY (%s)
  AND %s IN (c.relname, CASE c.relname WHEN '{TABLE}' THEN n.nspname END)"""
# Whoever owns a schema can put another table in the place of ours, with triggers that have our rights.  The owner of
# the one that the clone goes into can do that with its tables anyhow; others must be trusted anyhow, or be ourselves.
PLACES = """
SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), ARRAY(
  SELECT n.nspname FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
  JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
  WHERE pg_catalog.has_schema_privilege(n.oid, 'CREATE') AND n.nspname !~ '^pg_'
    AND (n.nspname = %s OR o.rolsuper OR o.oid = d.datdba OR o.rolname = 'pg_database_owner'
      OR pg_catalog.pg_has_role(o.oid, 'MEMBER'))
  ORDER BY n.nspname <> %s, n.nspname)"""


class Entry(msgspec.Struct, frozen=True):
    """What the transaction of one step leaves: its key, how many rows it copied, and what became of its objects."""

    step: str
    table: str = ""
    """The table of which the step copied one of `parts` parts; '' for a step that copied no table."""
    parts: int = 0
    rows: int = 0
    part: Part | None = None
    """Which part of the table it was; None for all of it."""
    unlogged: bool = False
    """Whether a crash takes it away, as it does what the step did."""
    outcomes: tuple[Outcome, ...] = ()


_decoder = msgspec.json.Decoder(Entry)


def place(name: str, may_create: bool, schemas: Sequence[str]) -> Journal | None:
    """Where the journal of job `name` goes, by an answer to PLACES; None if the role may create nothing in a schema
    whose owner can be trusted."""
    if may_create:
        return Journal(Name(name, TABLE))
    return Journal(Name(schemas[0], name)) if schemas else None


def make(journal: Journal) -> str:
    """The statements that make an empty journal."""
    schema = f"CREATE SCHEMA {quote_ident(journal.table.schema)};" if _own_schema(journal) else ""
    columns = "id pg_catalog.text PRIMARY KEY, entry pg_catalog.text NOT NULL"
    unlogged = f"CREATE UNLOGGED TABLE {_unlogged(journal).sql} (PRIMARY KEY (id)) INHERITS ({journal.table.sql})"
    return f"{schema} CREATE TABLE {journal.table.sql} ({columns}); {unlogged}"


def drop(journal: Journal) -> str:
    """The statement that drops the journal, and its schema if it has one of its own."""
    if _own_schema(journal):
        return f"DROP SCHEMA IF EXISTS {quote_ident(journal.table.schema)} CASCADE"
    return f"DROP TABLE IF EXISTS {_unlogged(journal).sql}, {journal.table.sql}"


def take_over(found: Journal, name: str) -> tuple[Journal, str, str]:
    """The journal of an earlier job as that of job `name`: where it is then, and what to run within one transaction,
    before and after reading it."""
    lock = f"LOCK TABLE {found.table.sql} IN ACCESS EXCLUSIVE MODE"
    if _own_schema(found):
        schema = quote_ident(found.table.schema)
        return Journal(Name(name, TABLE)), lock, f"ALTER SCHEMA {schema} RENAME TO {quote_ident(name)}"
    moved = Journal(Name(found.table.schema, name))
    tables = ((found.table, moved.table), (_unlogged(found), _unlogged(moved)))
    return moved, lock, "; ".join(f"ALTER TABLE {old.sql} RENAME TO {quote_ident(new.name)}" for old, new in tables)


def entries(journal: Journal) -> str:
    """The query for what is in the journal, as texts that `as_entry` reads."""
    return f"SELECT entry FROM {journal.table.sql}"


def entry(journal: Journal, step: str) -> str:
    """The query for the entry of one step."""
    return f"SELECT entry FROM {journal.table.sql} WHERE id = {_id(step)}"


def as_entry(text: str) -> Entry:
    """The entry in a text of the journal."""
    return _decoder.decode(text)


def insert(journal: Journal, step: AnyStep, rows: int, outcomes: Sequence[Outcome]) -> str:
    """The statement that makes a step's entry.  It inserts nothing if the step has been done already."""
    table, parts = (step.table, step.parts) if isinstance(step, Copy) else ("", 0)
    part = step.part if isinstance(step, Copy) else None
    return enter(journal, Entry(step.key, table, parts, rows, part, step.unlogged, tuple(outcomes)))


def enter(journal: Journal, made: Entry) -> str:
    """The statement that makes an entry, unless there is one of the same step."""
    values = f"{_id(made.step)}, {quote_literal(_text(made))}"
    table = _unlogged(journal) if made.unlogged else journal.table
    return f"INSERT INTO {table.sql} VALUES ({values}) ON CONFLICT DO NOTHING"


def forget(journal: Journal, step: str) -> str:
    """The statement that removes the entry of a step, which is about to be done again."""
    return f"DELETE FROM {journal.table.sql} WHERE id = {_id(step)}"


def done(found: Iterable[Entry]) -> tuple[str, ...]:
    """The keys of what is complete, as job processes say them: steps, whole tables, parts of others, and what was
    refused."""
    found = list(found)
    copied: defaultdict[str, list[Entry]] = defaultdict(list)
    for one in found:
        if one.table:
            copied[one.table].append(one)
    complete = {table for table, entries in copied.items() if _is_whole(entries)}
    steps = (one.step for one in found if not one.table and not one.step.startswith(EMPTYING))
    rest = (PART + _text(one) for one in found if one.part and one.table not in complete)
    refused = (WITHOUT + o.object for one in found for o in one.outcomes if o.result == "skipped")
    tables = chain.from_iterable(whole(table, sum(one.rows for one in copied[table])) for table in sorted(complete))
    return (*steps, *tables, *rest, *refused)


def whole(table: str, rows: int) -> tuple[str, str]:
    """The keys of a complete table: that it is, and with how many rows."""
    key = table_key(table)
    return key, ROWS + _text(Entry(key, table, rows=rows))


def _is_whole(entries: Sequence[Entry]) -> bool:
    """Whether these are all parts of their table.  Two jobs may have cut it in different ways."""
    parts = sorted((one.part for one in entries if one.part), key=lambda part: part.low)
    if len(parts) < len(entries):
        return len(entries) == entries[0].parts
    joined = all(one.high == following.low for one, following in pairwise(parts))
    return joined and parts[0].low == 0 and parts[-1].high is None


def parts_among(keys: Iterable[str]) -> list[Entry]:
    """The parts of incomplete tables among such keys."""
    return [as_entry(key.removeprefix(PART)) for key in keys if key.startswith(PART)]


def counts_among(keys: Iterable[str]) -> dict[str, int]:
    """How many rows the complete tables among such keys have got, by table."""
    keys = dict.fromkeys(keys)  # in order: what was said last counts
    told = [as_entry(key.removeprefix(ROWS)) for key in keys if key.startswith(ROWS)]
    return {one.table: one.rows for one in told if one.step in keys}


def without_parts(keys: Iterable[str]) -> tuple[str, ...]:
    """All such keys but those of parts."""
    return tuple(key for key in keys if not key.startswith(PART))


def _unlogged(journal: Journal) -> Name:
    return journal.table._replace(name=UNLOGGED.format(journal.table.name))


def _own_schema(journal: Journal) -> bool:
    return journal.table.name == TABLE


def _text(one: Entry) -> str:
    """In ASCII: names of the source need not exist in the target's encoding."""
    return json.dumps(msgspec.to_builtins(one))


def _id(step: str) -> str:
    """A literal that is as good as the step's key, which can be too long for an index."""
    return quote_literal(hashlib.sha256(step.encode()).hexdigest())
