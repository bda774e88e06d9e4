"""The phases of a job, by name: what happens in each, and how long its steps take beside copying the same data.

Data only.  The names are the original's where it has one; the README lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Phase(NamedTuple):
    """What happens in a phase, for users, and what its steps cost."""

    meaning: str
    cost: float = 0.0
    """What a step takes of the time in which its bytes (its weight) are copied.  Rough: it only has to keep the
    percentage from standing still while indexes are built."""


SNAPSHOT: Final = "exporting snapshot"
CREATING: Final = "creating database"
STARTING: Final = "starting"
PLANNING: Final = "planning"
COPYING: Final = "copying data"
INDEXES: Final = "creating indexes"
CONSTRAINTS: Final = "creating constraints"
LOST: Final = {
    "source": "waiting for the source to come back",
    "target": "waiting for the target to come back",
}
PUT_OFF: Final = "waiting to try again"
CLEANING_UP: Final = "cleaning up"

PHASES: Mapping[str, Phase] = {
    "": Phase("it waits for its turn, or for its process"),
    SNAPSHOT: Phase("it connects to the source, and holds a snapshot there"),
    CREATING: Phase("`pgclone_database_create` creates the database"),
    STARTING: Phase("it connects to the target, and looks what an earlier job has left"),
    PLANNING: Phase("it reads the source's catalogues and definitions, and checks conflicts"),
    "creating table": Phase("schemas, types, functions, tables, views"),
    COPYING: Phase("rows and large objects", 1.0),
    CONSTRAINTS: Phase("primary keys and other constraints; owners and privileges", 0.2),
    INDEXES: Phase("indexes", 0.2),
    "setting sequences": Phase("values of sequences"),
    "swapping tables": Phase("`replace` and `rename`: the new tables take the place of the old ones"),
    "refreshing materialized views": Phase("materialized views are filled"),
    "creating triggers": Phase("triggers, rules, policies, publications"),
    "analyzing": Phase("`ANALYZE`", 0.02),
    "finishing": Phase("settings and privileges of a created database"),
    LOST["source"]: Phase("the connection to the source was lost"),
    LOST["target"]: Phase("the connection to the target was lost"),
    PUT_OFF: Phase("a step has failed for something that passes"),
    CLEANING_UP: Phase("what the job made for itself is removed, and what is half done undone"),
    "done": Phase("a copier waits for something to do"),
    "completed": Phase("the end"),
    "cancelled": Phase("the end of a job that was cancelled; a failed one keeps the phase in which it failed"),
}
"""Every phase, in the order in which jobs go through them."""
