"""A job process whose plan is read from a file instead of being made: `python -m tests.integration.hand_planned FILE`.

Everything else is the real job process.  With a second argument, a statement, the planner runs that on the target
first (to be stopped in the middle of planning).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from clone_engine.records.steps import Plan
from clone_engine.running.job_process import main


def planner(_source: psycopg.Connection, target: psycopg.Connection, *_rest: Any) -> Plan:
    """The plan in the file."""
    for statement in sys.argv[2:]:
        target.execute(statement.encode())
    return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)


if __name__ == "__main__":
    sys.exit(main(planner))
