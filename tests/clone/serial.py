"""Carries a plan out step by step in one process, and compares what came of it with the source.

A second, simple executor: what it does in any order that the plan allows must give the same copy as the real one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from clone_engine.planning.large_objects import copy_large_objects
from clone_engine.planning.plan import prepare
from clone_engine.records.channel import Start
from clone_engine.records.jobs import Outcome
from clone_engine.records.request import CloneRequest, Conninfo, Options
from clone_engine.records.steps import Copy, LargeObjects, Plan, Run, Statement
from clone_engine.servers.programs import find_pg_dump
from proxy.agreement import without_notes
from proxy.embedded import Server
from tests.harness.servers import Database, fresh_database

Connection = psycopg.Connection[Any]
CASES = Path(__file__).parent / "cases"
SCHEMAS = {"names": 'App %s {} "x".y'}
NEWEST_SERVER = 990000
"""As server_version_num: pg_dump of any version is compared with itself."""


def case(name: str) -> tuple[str, str]:
    """The script of a case, and the schema that it makes."""
    return (CASES / f"{name}.sql").read_text(), SCHEMAS.get(name, "app")


def schema_request(schema: str, *, include_data: bool = True, **options: Any) -> CloneRequest:
    """A request for a schema clone."""
    return CloneRequest(kind="schema", schema_name=schema, include_data=include_data, options=Options(**options))


def table_request(
    schema: str, table: str, target: str = "", *, include_data: bool = True, **options: Any
) -> CloneRequest:
    """A request for a table clone."""
    return CloneRequest(
        kind="table",
        schema_name=schema,
        table_name=table,
        target_table_name=target,
        include_data=include_data,
        options=Options(**options),
    )


@contextmanager
def planned(
    source: Database,
    target: Database,
    request: CloneRequest,
    parallel: int = 4,
    done: Collection[str] = (),
    caller: str = "postgres",
) -> Iterator[tuple[Plan, psycopg.Connection[Any]]]:
    """The plan of a clone, with the source connection whose snapshot it was made at."""
    conninfo = Conninfo({k: str(v) for k, v in conninfo_to_dict(source.conninfo()).items() if v is not None})
    with source.connect() as keeper, target.connect(user=caller) as connection:
        keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = keeper.execute("SELECT pg_export_snapshot()").fetchone()
        assert row
        start = Start(7, request, conninfo, Conninfo({}), parallel, "pgclone_job_7_serial")
        plan = prepare(keeper, connection, row[0], start, tuple(done))
        yield msgspec.json.decode(msgspec.json.encode(plan), type=Plan), keeper


def clone(
    source: Database,
    target: Database,
    request: CloneRequest,
    *,
    parallel: int = 4,
    latest_first: bool = False,
    caller: str = "postgres",
) -> Plan:
    """Plan a clone and carry it out.  Of the steps that may run next, the plan's first or its last is taken."""
    with planned(source, target, request, parallel, caller=caller) as (plan, keeper):
        carry_out(plan, keeper, target, latest_first=latest_first, caller=caller)
        return plan


def skipped(source: Database, target: Database, request: CloneRequest, caller: str) -> dict[str, str]:
    """Clone as `caller`; the objects that the target refused to make, each with the SQLSTATE or what it lacks."""
    outcomes: list[Outcome] = []
    with planned(source, target, request, caller=caller) as (plan, keeper):
        carry_out(plan, keeper, target, caller=caller, outcomes=outcomes)
    return {o.object: o.sqlstate or o.message for o in outcomes if o.result == "skipped"}


def carry_out(
    plan: Plan,
    keeper: psycopg.Connection[Any],
    target: Database,
    *,
    latest_first: bool = False,
    stop_before: str = "",
    caller: str = "postgres",
    outcomes: list[Outcome] | None = None,
) -> list[str]:
    """Run the steps as `caller`; returns their keys.  With `stop_before` it ends before the first step of that key.

    What became of each object is added to `outcomes`.
    """
    reported: list[Outcome] = [] if outcomes is None else outcomes
    left = {step.key: step for step in plan.steps}
    assert len(left) == len(plan.steps), "two steps have one key"
    done: list[str] = []
    with target.connect(user=caller) as connection:
        while left:
            ready = [key for key, step in left.items() if set(step.after) <= set(done)]
            assert ready, f"nothing can run: {sorted(left)}"
            key = ready[-1 if latest_first else 0]
            if stop_before and key.startswith(stop_before):
                break
            step = left.pop(key)
            with connection.transaction():
                if isinstance(step, Copy):
                    _copy(step, keeper, connection)
                elif isinstance(step, LargeObjects):
                    reported += _large_objects(step, keeper, connection)
                else:
                    reported += _run(step, connection, reported)
            done.append(key)
    return done


def undo(plan: Plan, target: Database) -> None:
    """What is done when a job fails."""
    for statement in plan.on_failure:
        target.execute(statement.sql)


def _large_objects(step: LargeObjects, source: Connection, target: Connection) -> list[Outcome]:
    return [news for news in copy_large_objects(source, target, step) if isinstance(news, Outcome)]


def _copy(step: Copy, source: psycopg.Connection[Any], target: psycopg.Connection[Any]) -> None:
    if step.replica:
        target.execute("SET LOCAL session_replication_role = replica")
    if step.frozen_in:
        target.execute(step.empty.encode())
        step = msgspec.structs.replace(step, copy_in=step.frozen_in)
    reading, writing = source.cursor(), target.cursor()
    with reading.copy(step.copy_out.encode()) as rows, writing.copy(step.copy_in.encode()) as into:
        for data in rows:
            into.write(data)


def _run(step: Run, target: psycopg.Connection[Any], before: list[Outcome]) -> list[Outcome]:
    refused = {outcome.object for outcome in before if outcome.result == "skipped"}
    outcomes: list[Outcome] = []
    for statement in step.statements:
        needed = refused.intersection(statement.needs)
        if needed:
            outcomes.append(Outcome(statement.object, "skipped", message=min(needed)))
        elif not (statement.tolerated or statement.optional):
            target.execute(statement.sql.encode())
        else:
            outcomes.append(_attempt(statement, target))
        refused |= {outcome.object for outcome in outcomes[-1:] if outcome.result == "skipped"}
    return outcomes


def _attempt(statement: Statement, target: psycopg.Connection[Any]) -> Outcome:
    try:
        with target.transaction():
            target.execute(statement.sql.encode())
    except psycopg.Error as error:
        # A role is missing, rows that a foreign key refers to are, or the caller may not give objects away (0A000: a
        # sequence whose table he has kept); 42830: what a foreign key refers to is no key there.
        expected = statement.optional or ("42704", "22023", "23503", "42501", "0A000", "42830")
        assert error.sqlstate in expected, error
        return Outcome(statement.object, "skipped", error.sqlstate)
    return Outcome(statement.object, "done")


def definitions(database: Database, *selection: str) -> str:
    """What pg_dump writes for a selection, without what differs from run to run."""
    program = find_pg_dump(database.server.installation.major * 10000)
    done = subprocess.run(
        [program.path, "--schema-only", *selection, "-d", database.conninfo()],
        capture_output=True,
        text=True,
        check=True,
    )
    frame = ("\\restrict", "\\unrestrict", "-- Dumped ")
    return without_notes("\n".join(line for line in done.stdout.split("\n") if not line.startswith(frame)))


def wanted(server: Server, script: str, *selection: str) -> str:
    """What pg_dump writes where just this has been run."""
    with fresh_database(server, "wanted") as database:
        database.execute(script)
        return definitions(database, *selection)


def schema_definitions(database: Database, schema: str) -> str:
    """All definitions of one schema."""
    quoted = schema.replace('"', '""')
    return definitions(database, "-n", f'"{quoted}"')


RELATIONS = """
SELECT c.relkind::text, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND (c.relkind IN ('r', 'S') OR c.relkind = 'm' AND c.relispopulated) ORDER BY 2, 3"""
CONTENTS = {
    "r": "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM ONLY {} t",
    "m": "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM {} t",
    "S": "SELECT last_value, is_called FROM {}",
}


def contents(database: Database, schema: str) -> dict[str, Any]:
    """Number and checksum of the rows of each table and filled materialized view; where each sequence stands."""
    return {name: found for (there, name), found in all_contents(database).items() if there == schema}


def all_contents(database: Database) -> dict[tuple[str, str], Any]:
    """The same for all schemas, by schema and name."""
    with database.connect() as connection:
        return {
            (schema, name): connection.execute(sql.SQL(CONTENTS[kind]).format(sql.Identifier(schema, name))).fetchone()
            for kind, schema, name in connection.execute(RELATIONS).fetchall()
        }
