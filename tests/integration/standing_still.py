"""Jobs that stand still in a phase of a test's choice until they are let go on.

What holds them is real: locks of others, and functions that wait for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.harness.servers import Database
from tests.harness.waiting import wait_until

SOURCE = """
CREATE SCHEMA s;
CREATE FUNCTION s.held(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(7); RETURN $1; END $$;
CREATE TABLE s.a (id int PRIMARY KEY, v text);
CREATE TABLE s.b (id int PRIMARY KEY, a int REFERENCES s.a, v text);
CREATE TABLE s.empty (a int);
INSERT INTO s.a SELECT g, 'a' || g FROM generate_series(1, 2000) g;
INSERT INTO s.b SELECT g, g, 'b' || g FROM generate_series(1, 500) g;
ANALYZE;
"""
HOLD = "SELECT pg_catalog.pg_advisory_lock(7)"
DDL = """
CREATE FUNCTION public.hold_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
  $$ BEGIN IF current_query() ~ '{}' THEN PERFORM pg_catalog.pg_advisory_xact_lock_shared(7); END IF; END $$;
CREATE EVENT TRIGGER hold_ddl ON ddl_command_start EXECUTE FUNCTION public.hold_ddl();
"""
SWAPPED = "CREATE SCHEMA s; CREATE TABLE s.a AS SELECT 7 AS id"
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND backend_type = 'client backend'"
)


class Place(NamedTuple):
    """Both databases of a job."""

    source: Database
    target: Database


class Phase(NamedTuple):
    """How a job comes to stand still, and how that is seen."""

    on: str = "target"
    """The side on which it waits for a lock."""
    source: str = ""
    target: str = ""
    """What is there before."""
    hold: str = HOLD
    """What somebody does there in a transaction, for as long as the job is to wait."""
    options: str = "{}"
    call: str = "schema_async(%s, 's', true, %s)"
    pause: bool = False
    """Whether it is to be found where it does not wait for the lock just now."""


PHASES: dict[str, Phase] = {
    "pg_dump": Phase("source", hold="LOCK TABLE s.b"),
    "planning": Phase(hold="LOCK TABLE pg_catalog.pg_inherits"),  # new backends may have to read others, but not this
    "journal": Phase(target=DDL.format("CREATE SCHEMA .?pgclone_job")),
    "definitions": Phase(hold="CREATE SCHEMA s"),
    "COPY, the source sends nothing": Phase(
        "source", options='{"where": {"b": "s.held(v) IS NOT NULL"}, "parallel": 2}'
    ),
    "COPY, in the middle": Phase(
        "source", options='{"where": {"a": "id < 1000 OR s.held(v) IS NOT NULL"}, "parallel": 1}'
    ),
    "index": Phase(source="CREATE INDEX held ON s.a (s.held(v))"),
    "constraint": Phase(source="ALTER TABLE s.b ADD CONSTRAINT held EXCLUDE USING btree (s.held(v) WITH =)"),
    "foreign key": Phase(target=DDL.format("FOREIGN KEY")),
    "matview": Phase(source="CREATE MATERIALIZED VIEW s.m AS SELECT s.held(v) FROM s.a"),
    "swap": Phase(target=SWAPPED, hold="TABLE s.a", options='{"conflict": "replace"}'),
    "swap, between two attempts": Phase(target=SWAPPED, hold="TABLE s.a", options='{"conflict": "rename"}', pause=True),
    "last words": Phase(target=DDL.format("DROP SCHEMA IF EXISTS .?pgclone_job")),
    "large objects": Phase(
        source="SELECT lo_from_bytea(0, 'x')",
        hold="LOCK TABLE pg_catalog.pg_largeobject",
        call="database(%s, true, %s)",
    ),
}


@contextmanager
def held(place: Place, phase: Phase) -> Iterator[Callable[[], None]]:
    """What a job will meet; within the block it stands still, until what is given is called."""
    place.source.execute(SOURCE + phase.source)
    place.target.execute(phase.target)
    side = place.source if phase.on == "source" else place.target
    with side.connect() as holder:
        holder.execute("BEGIN")
        holder.execute(phase.hold.encode())

        def let_go() -> None:
            holder.execute("ROLLBACK")
            holder.execute("SELECT pg_advisory_unlock_all()")

        yield let_go


def wait_until_held(place: Place, phase: Phase) -> None:
    """Until the job waits for the lock, or has just given up to wait for it."""
    side = place.source if phase.on == "source" else place.target
    wait_until(lambda: side.rows(WAITING), 20, "the job to wait for a lock")
    if phase.pause:
        wait_until(lambda: not side.rows(WAITING), 20, "the job to pause")
