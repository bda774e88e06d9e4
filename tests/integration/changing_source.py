"""A job process whose source changes under it: `python -m tests.integration.changing_source SQL BEFORE`.

The real planner, beside which another session runs SQL on the source: with BEFORE `plan` when the snapshot is taken
and nothing is read yet, with `pin` when the plan is made and its tables are not locked yet.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import psycopg

from clone_engine.planning.plan import prepare
from clone_engine.records.channel import Start
from clone_engine.records.request import Conninfo
from clone_engine.records.steps import Plan
from clone_engine.running.job_process import main
from clone_engine.servers.connect import connect


def planner(
    source: psycopg.Connection, target: psycopg.Connection, snapshot: str, start: Start, done: Sequence[str]
) -> Plan:
    """The plan of the snapshot, and a source that has changed meanwhile."""
    statements, before = sys.argv[1:]
    if before == "plan":
        change(start.source, statements)
    plan = prepare(source, target, snapshot, start, done)
    if before == "pin":
        change(start.source, statements)
    return plan


def change(conninfo: Conninfo, statements: str) -> None:
    """Run the statements as another session would."""
    with connect(conninfo, "source", 0) as other:
        other.execute("SET default_transaction_read_only = off")
        other.execute(statements.encode())


if __name__ == "__main__":
    sys.exit(main(planner))
