"""What pg_dump is to write for a clone, and the statements that come of it.

pg_dump asks some seventy questions one after another, so from far away it takes most of the planning.  It therefore
begins with what is `likely` wanted, while that is still being found out: only if it turns out to be more, it begins
anew.  How pg_dump is run is `servers/dump.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from clone_engine.ddl.definitions import Ddl, parse_dump, parse_statement
from clone_engine.planning.needs import among, brought, without_others
from clone_engine.planning.routines import of_routines
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest
from clone_engine.servers.dump import Dumps, Selection, of_database, of_others, of_schema, of_tables
from clone_engine.servers.needs import Needs
from clone_engine.servers.source import Source


class Selections(NamedTuple):
    """One dump each."""

    clone: Selection
    """What is asked for; of schemas with what it needs elsewhere."""
    others: Selection = ()
    """What tables need elsewhere."""
    sequences: Selection = ()
    """Those that are needed elsewhere."""


def likely(request: CloneRequest) -> Selections:
    """What is wanted if nothing is left out, has partitions, or is needed elsewhere."""
    options = request.options
    if request.kind == "table":
        return Selections(of_tables([Name(request.schema_name, request.table_name)]))
    if options.tables or options.exclude_tables:
        return Selections(())
    return Selections(of_database() if request.whole_database else of_schema(request.schema_name))


def selections(request: CloneRequest, facts: Source, needs: Needs) -> Selections:
    """What is wanted."""
    if request.whole_database:
        return Selections(of_database(facts.left_out, facts.of_jobs))
    sequences = of_tables(needs.sequences)
    if request.kind == "table":
        return Selections(of_tables(facts.tables), of_others(needs.schemas, needs.extensions), sequences)
    schema = of_schema(request.schema_name, needs.schemas, needs.extensions, facts.left_out)
    return Selections(schema, sequences=sequences)


def definitions(dumps: Dumps, wanted: Selections, request: CloneRequest, facts: Source, needs: Needs) -> list[Ddl]:
    """The statements that make what is asked for, when the dumps that are wanted have them.  PgError as of `Dumps`."""
    clone, others, sequences = (parse_dump(dumps.text(selection)) for selection in wanted)
    sequences = brought(sequences, needs)
    if request.whole_database:
        return clone
    if request.kind != "table":
        ddls = [*sequences, *without_others(clone, needs)]
        return of_routines(ddls, needs.brought) if request.kind == "functions" else ddls
    ddls = among(brought(others, needs), [*sequences, *clone], needs)
    known = {ddl.identity for ddl in ddls if ddl.kind == "statistics"}
    return ddls + [ddl for ddl in map(parse_statement, facts.statistics) if ddl.identity not in known]
