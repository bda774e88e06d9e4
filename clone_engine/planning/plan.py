"""Turns a clone request into the ordered steps that carry it out.

`prepare` asks the servers and pg_dump; `build` orders what they said and is pure.  Which statements are run is
`selection.py`, under which names `retarget.py`; how steps are run is `foreman.py` and `copier.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from clone_engine.ddl.columns import ungenerated
from clone_engine.ddl.definitions import Ddl
from clone_engine.ddl.naming import belongings, naming
from clone_engine.ddl.stubs import without_stubs
from clone_engine.planning.conflict import TABLES, Conflicts, resolve
from clone_engine.planning.decided import Decided, decided
from clone_engine.planning.dependents import dependents
from clone_engine.planning.dumping import definitions, likely, selections
from clone_engine.planning.graph import Graph, Inputs
from clone_engine.planning.large_objects import check_large_objects
from clone_engine.planning.narrowing import narrowed
from clone_engine.planning.needs import unneeded
from clone_engine.planning.older import advice, fitted
from clone_engine.planning.routines import needed_schemas, without_needs
from clone_engine.planning.selection import Wanted, itemize, select
from clone_engine.planning.still_there import check_complete, still_there
from clone_engine.planning.unchanged import unchanged
from clone_engine.records.channel import Start
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest, Conninfo
from clone_engine.records.steps import Plan
from clone_engine.servers.connect import TIME_LIMITS, application_name
from clone_engine.servers.dump import Dumps
from clone_engine.servers.journal import Entry
from clone_engine.servers.needs import Needs, read_needs
from clone_engine.servers.programs import find_pg_dump
from clone_engine.servers.source import Source, read_rest, read_tables
from clone_engine.servers.target import Existing, read_target, schemas_named

STAGING = "{}_new"
"""What the schemas to build in are called, by the name of the job."""


class Dumped(NamedTuple):
    """What was found on both servers: all that `build` needs."""

    source: Source
    ddls: list[Ddl]
    existing: Existing
    conflicts: Conflicts
    staging: str
    """What the schemas to build in are called if tables are swapped."""
    stale: tuple[str, ...] = ()
    """Such schemas of earlier jobs that did not live to drop them."""
    left_out: Sequence[tuple[str, str]] = ()
    """What options leave out, with why."""
    needs: Needs = Needs()
    """What the clone brings along because the target lacks it."""
    kept: Mapping[Name, Sequence[Entry]] = {}
    """Parts of tables that an earlier job has copied and that are the same on this snapshot."""
    done: frozenset[str] = frozenset()
    """The keys of what earlier jobs have done, some of it at another snapshot."""


def prepare(
    source: psycopg.Connection[Any],
    target: psycopg.Connection[Any],
    snapshot: str,
    start: Start,
    done: Sequence[str],
) -> Plan:
    """The plan of a job.  Nothing is changed on either server.

    `source` is in the transaction of `snapshot` ('' if the clone need not be consistent), `target` in none.
    `done` are the keys of what earlier jobs have done: what those made is then no conflict.
    PgError: 3F000, 42P01, 42809, 42703 for what the source does not have; 42P07 and 42710 for what the target has
    already, 55000 if it has lost what earlier jobs copied; 58P01, 0A000, 38000 for pg_dump; 0A000 for what the
    target is too old for; otherwise the server's own words.
    """
    request = start.request
    earlier = decided(done)
    program = find_pg_dump(source.info.server_version, start.source.parameters.get("sslmode", ""))
    with Dumps(program, _named(start), snapshot) as dumps:
        dumps.want(*likely(request))
        facts = read_tables(source, request)
        needs = read_needs(source, target, request, facts, earlier.brought if earlier else ())
        wanted = selections(request, facts, needs)
        dumps.want(*wanted)
        facts = read_rest(source, request, facts, needs.sequences)
        ddls = without_stubs(definitions(dumps, wanted, request, facts, needs))
    ddls, left_out = narrowed(ddls, facts)
    whole = request.kind != "functions"
    existing = read_target(
        target, ddls, schemas_named(ddls) | facts.schemas | (set() if whole else needed_schemas(ddls))
    )
    stale = _stale(existing.schemas, [STAGING.format(one.name) for one in start.earlier])
    staging = STAGING.format(start.name)
    dumped = Dumped(facts, ddls, existing, Conflicts(), staging, stale, left_out, needs)
    if earlier:
        decided_then, parts = _conflicts_of(earlier, ddls), unchanged(source, facts, done, request)
        dumped = dumped._replace(conflicts=decided_then, kept=parts, done=frozenset(done))
        plan = build(dumped, request, start.parallel)
        check_complete(target, plan, done)
        kept = still_there(target, plan, dumped.kept)
        return plan if kept == dumped.kept else build(dumped._replace(kept=kept), request, start.parallel)
    owned = belongings(ddls)
    final = naming(owned, request).final
    check_large_objects(target, facts.large_objects, request.options.conflict)
    conflicts = resolve(ddls, owned, final, existing, request.options.conflict)
    conflicts = dependents(target, conflicts, ddls, drop_tables=request.options.conflict == "replace")
    return build(dumped._replace(conflicts=conflicts), request, start.parallel)


def _stale(schemas: Iterable[str], staging: Sequence[str]) -> tuple[str, ...]:
    """The staging schemas of earlier jobs that did not live to drop them."""
    return tuple(sorted(s for s in schemas if any(s == name or s.startswith(f"{name}_") for name in staging)))


def _named(start: Start) -> Conninfo:
    """The source, for a pg_dump whose session can be told by its name: its process id is not known."""
    named = TIME_LIMITS | start.source.parameters | {"application_name": application_name(start.job_id)}
    return start.source.with_parameters(named)


def build(dumped: Dumped, request: CloneRequest, parallel: int) -> Plan:
    """The plan from everything that is known.  Pure: the same facts give the same plan."""
    dumped = _as_needed(dumped, request)
    facts, conflicts = dumped.source, dumped.conflicts
    owned = belongings(dumped.ddls)
    staging = dumped.staging if conflicts.swapped else ""
    names = naming(owned, request, staging)
    missing = facts.columns_left_out(request)
    items = itemize(dumped.ddls)
    unmet = without_needs(dumped.ddls, dumped.existing) if request.kind == "functions" else {}
    wanted = Wanted(
        request.options, owned, names.final, dumped.existing, conflicts, facts, dumped.needs, missing, unmet
    )
    chosen = select(wanted, items)
    fit = fitted(chosen.items, facts.version, dumped.existing.version)
    _check_anew(conflicts, dumped.ddls, [item.ddl for item in fit.items])
    inputs = Inputs(
        items=fit.items,
        source=facts,
        owned=owned,
        names=names,
        existing=dumped.existing,
        conflicts=conflicts,
        request=request,
        parallel=parallel,
        missing=missing,
        ungenerated={
            d.relation: ungenerated(d, missing) for d in dumped.ddls if d.kind in TABLES and d.relation and missing
        },
        definitions_key=Decided(frozenset(conflicts.left.values()), frozenset(dumped.needs.brought.values())).key,
        stale=dumped.stale,
        needs=dumped.needs,
        kept=dumped.kept,
        done=dumped.done,
    )
    graph = Graph(inputs)
    return Plan(
        steps=tuple(graph.steps()),
        tables=tuple(str(name) for name in graph.reported_tables()),
        on_failure=tuple(graph.on_failure()),
        staging=tuple(names.staging.values()),
        swap=graph.swap_key,
        kept=tuple(one.step for found in dumped.kept.values() for one in found),
        notes=(
            *facts.notes,
            *dumped.left_out,
            *dumped.needs.notes,
            *conflicts.notes,
            *chosen.notes,
            *fit.notes,
            *graph.notes(),
        ),
        advice=advice(facts.version, dumped.existing.version),
    )


def _as_needed(dumped: Dumped, request: CloneRequest) -> Dumped:
    """A table that is left as it is needs nothing."""
    left = dumped.conflicts.left
    if request.kind != "table" or any(("relation", *table) not in left for table in dumped.source.tables):
        return dumped
    return dumped._replace(ddls=unneeded(dumped.ddls, dumped.needs), needs=Needs())


def _check_anew(conflicts: Conflicts, ddls: Iterable[Ddl], chosen: Iterable[Ddl]) -> None:
    """PgError 2BP01 if something would be dropped that the options leave out of the clone."""
    lost = conflicts.anew.difference(ddl.identity for ddl in chosen)
    if labels := [ddl.label for ddl in ddls if ddl.identity in lost]:
        raise PgError(
            "2BP01",
            f"pgclone: {labels[0]} depends on what the clone would replace, and options leave it out",
            detail="Nothing is changed.",
            hint="Let the clone bring it, or drop it on the target first.",
        )


def _conflicts_of(earlier: Decided, ddls: Iterable[Ddl]) -> Conflicts:
    """What an earlier job decided."""
    return Conflicts({ddl.identity: ddl.label for ddl in ddls if ddl.label in earlier.left})
