"""The statements that are measured, as a table.  Where they run is `stage.py`."""

from __future__ import annotations

from typing import Literal, NamedTuple

How = Literal["simple", "new", "prepared", "unnamed"]
"""simple: a Query · new: one of another text each time ·
prepared: parsed once, then Bind and Execute · unnamed: Parse, Bind and Execute each time."""
Stage = Literal["few", "many", "busy"]
"""Which jobs there are: one · a thousand finished ones · these, one that runs and some that wait."""


class Case(NamedTuple):
    """One statement, and how it is sent."""

    title: str
    sql: str
    how: How = "prepared"
    stage: Stage = "few"
    values: tuple[bytes, ...] = ()
    times: int = 300


ORDINARY = "SELECT g, g * 2 AS twice FROM generate_series(1, 5) AS g WHERE g <> 3 ORDER BY g"
COLUMN = 'SELECT job_id, status AS "{}" FROM (VALUES (1, $$a$$)) AS v(job_id, status)'
VIEW = "SELECT * FROM pgclone_jobs_view"
ONE_JOB = f"{VIEW} WHERE job_id = 1"
COUNT = "SELECT count(*) FROM pgclone_jobs_view"
PROGRESS = "SELECT pgclone_progress($1)"
CANCEL = "SELECT pgclone_cancel(1)"
SCHEMA = "SELECT pgclone_schema_async('{conninfo}', 'held')"

CASES = (
    Case("ordinary statement, prepared", ORDINARY, times=1000),
    Case("ordinary statement, simple", ORDINARY, "simple", times=1000),
    Case("ordinary statement, unnamed", ORDINARY, "unnamed", times=1000),
    Case("view, prepared", VIEW, times=1000),
    Case("view, simple", VIEW, "simple"),
    Case("view, simple, another text each time", VIEW, "new"),
    Case("view, unnamed", VIEW, "unnamed"),
    Case("pgclone_progress($1), prepared", PROGRESS, values=(b"1",), times=1000),
    Case("pgclone_progress(1), simple", PROGRESS.replace("$1", "1"), "simple"),
    Case("pgclone_cancel of a finished job, prepared", CANCEL),
    Case("pgclone_cancel of a finished job, simple", CANCEL, "simple"),
    Case("view, all rows, prepared", VIEW, stage="many", times=100),
    Case("view, all rows, simple", VIEW, "simple", stage="many", times=100),
    Case("count(*) of the view, prepared", COUNT, stage="many", times=100),
    Case("view WHERE job_id = 1, prepared", ONE_JOB, stage="many", times=100),
    Case("pgclone_progress($1), prepared", PROGRESS, stage="many", values=(b"500",), times=100),
    Case("pgclone_progress(500), simple", PROGRESS.replace("$1", "500"), "simple", stage="many", times=100),
    Case("pgclone_jobs(), prepared", "SELECT pgclone_jobs()", stage="many", times=100),
    Case("pgclone_cancel of a finished job, prepared", CANCEL, stage="many", times=100),
    Case("view, all rows, prepared", VIEW, stage="busy", times=100),
    Case("pgclone_progress($1), prepared", PROGRESS, stage="busy", values=(b"500",), times=100),
    Case("pgclone_schema_async, simple", SCHEMA, "simple", stage="busy", times=50),
)
"""Measured directly, on stand-ins where they name ours, and through a proxy."""

ACCIDENTS: tuple[tuple[str, str, str, How], ...] = (
    ("the literal 'pgclone', simple", "SELECT 'pgcl0ne'", "SELECT 'pgclone'", "simple"),
    ("the literal 'pgclone', unnamed", "SELECT 'pgcl0ne'", "SELECT 'pgclone'", "unnamed"),
    ('a column "pgclone", simple', COLUMN.format("pgcl0ne"), COLUMN.format("pgclone"), "simple"),
)
"""Statements that the byte filter lets pass, and the same with another letter, which it does not."""
