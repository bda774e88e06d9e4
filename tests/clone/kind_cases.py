"""The cases of `kinds`: one script for each kind of object, all of them in one database, and what of it is whose.

A script makes everything in the schema of its own name, or in one whose name begins with that and `_`; what is in no
schema bears such a name itself.  So one clone of one database tries all kinds, and each difference is laid to one.
Its first line may begin with `Minimum version:` or `Needs ICU`, or with `Left out:` and the type, in pg_dump's words,
that clones leave out on purpose.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import sql

from tests.clone.serial import all_contents, definitions
from tests.harness.servers import Database

SCRIPTS = Path(__file__).parent / "kinds"
OLDEST = 15
"""The version that knows every case that says nothing else."""
NO_KIND = "no kind"
ENTRY = re.compile(r"(?:^SET default_\w+ = .*;\n\n)*^--\n-- Name: ", re.MULTILINE)
HEADER = re.compile(r"-- Name: (?P<name>.*); Type: (?P<type>[A-Z ]+); Schema: (?P<schema>.*); Owner: ")
LARGE_OBJECTS = """
SELECT oid::int8, md5(lo_get(oid)), lomowner::regrole::text, lomacl::text, obj_description(oid, 'pg_largeobject')
FROM pg_largeobject_metadata ORDER BY 1
"""


class Kind(NamedTuple):
    """One case."""

    name: str
    script: str
    since: int
    needs_icu: bool
    left_out: str
    """The type of what is not cloned; "" mostly."""

    def is_known_to(self, database: Database) -> bool:
        """Whether the server has what the case is about."""
        if self.needs_icu and not database.rows("SELECT FROM pg_collation WHERE collname = 'und-x-icu'"):
            return False
        return database.server.installation.major >= self.since


def _kind(path: Path) -> Kind:
    script = path.read_text(encoding="utf-8")
    since = re.match(r"-- Minimum version: (\d+)\.", script)
    left_out = re.match(r"-- Left out: ([A-Z ]+)\.", script)
    return Kind(
        path.stem,
        script,
        int(since[1]) if since else OLDEST,
        script.startswith("-- Needs ICU."),
        left_out[1] if left_out else "",
    )


KINDS = {path.stem: _kind(path) for path in sorted(SCRIPTS.glob("*.sql"))}
Differences = Mapping[str, list[str]]
"""By the name of a kind: what differs, in words."""


class State(NamedTuple):
    """What a database holds, by kind: how often each thing is there, each as text."""

    things: Mapping[str, Counter[str]]

    def differences(self, other: State) -> Differences:
        """What only one of the two has."""
        found: dict[str, list[str]] = defaultdict(list)
        for kind in self.things.keys() | other.things.keys():
            here, there = self.things.get(kind, Counter()), other.things.get(kind, Counter())
            found[kind] += [f"- {thing}" for thing in (here - there).elements()]
            found[kind] += [f"+ {thing}" for thing in (there - here).elements()]
        return found


def state(database: Database, *selection: str) -> State:
    """All definitions, in whatever order; number and checksum of rows; where sequences stand; large objects.

    What is left out on purpose is not in it.
    """
    things: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in _entries(definitions(database, *selection).replace(database.name, "the_database")):
        header = HEADER.search(entry)
        assert header, entry
        kind = "properties" if "the_database" in entry else whose(header["schema"]) or _whose_words(entry)
        if not _is_left_out(KINDS.get(kind), header):
            things[kind][entry.strip()] += 1
    for (schema, name), found in all_contents(database).items():
        things[whose(schema) or NO_KIND][f"{schema}.{name}: {found}"] += 1
    for number, *found in database.rows(LARGE_OBJECTS):
        things["large_objects"][f"large object {number}: {found}"] += 1
    return State(things)


def _entries(dump: str) -> Iterator[str]:
    starts = [match.start() for match in ENTRY.finditer(dump)]
    for start, end in zip(starts, [*starts[1:], dump.index("-- PostgreSQL database dump complete")], strict=True):
        yield dump[start:end].rstrip("-\n")


def whose(schema: str) -> str:
    """The kind whose schema it is; "" if it is none's."""
    return max((kind for kind in KINDS if f"{schema}_".startswith(f"{kind}_")), key=len, default="")


def _whose_words(entry: str) -> str:
    """The kind of what is in no schema: the most exact name that stands in it."""
    words = re.findall(r"[a-z_0-9]+", entry)
    return max((kind for word in words if (kind := whose(word))), key=len, default=NO_KIND)


def _is_left_out(kind: Kind | None, header: re.Match[str]) -> bool:
    return kind is not None and kind.left_out in (header["type"], header["name"].split(" ")[0])


BELONGINGS = """
SELECT n.nspname, c.relname, c.relkind::text, c.relpersistence, c.reloptions::text, c.relrowsecurity,
       c.relforcerowsecurity, c.relreplident, c.relowner::regrole::text, c.relacl::text,
       (SELECT array_agg(format('%s %s %s %s', attname, atttypid, attnotnull, attacl) ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)::text,
       (SELECT array_agg(format('%s %s %s', contype, condeferrable, conkey) ORDER BY contype, conkey, conname)
        FROM pg_constraint WHERE conrelid = c.oid)::text,
       (SELECT array_agg(format('%s %s %s', indisunique, indisvalid, indkey) ORDER BY indisunique, indkey, indexrelid)
        FROM pg_index WHERE indrelid = c.oid)::text,
       (SELECT array_agg(format('%s %s', tgname, tgenabled) ORDER BY tgname)
        FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)::text,
       (SELECT array_agg(polname ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid)::text,
       (SELECT array_agg(rulename ORDER BY rulename) FROM pg_rewrite WHERE ev_class = c.oid)::text,
       (SELECT array_agg(pg_sequence_last_value(d.objid) ORDER BY d.refobjsubid, d.objid)
        FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
        WHERE d.refobjid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^(pg_|information_schema)'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


Tables = Mapping[tuple[str, str], tuple[Any, ...]]


def tables(database: Database) -> Tables:
    """Each table with all that is its own, but for the names of it: rows, columns, constraints, sequences, …"""
    rows = all_contents(database)
    return {(s, t): (*own, rows.get((s, t))) for s, t, *own in database.rows(BELONGINGS)}


SPOILED = """
SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND n.nspname !~ '^(pg_|information_schema)'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""
SPOIL = {
    "r": "DELETE FROM ONLY {0} WHERE ctid IN (SELECT ctid FROM ONLY {0} LIMIT (SELECT count(*) / 2 + 1 FROM ONLY {0}))",
    "S": "SELECT nextval({1})",
}


def spoil(database: Database) -> None:
    """Take half of its rows from each table, and move each sequence on."""
    with database.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        for schema, name, relkind in connection.execute(SPOILED).fetchall():
            relation = sql.Identifier(schema, name)
            statement = sql.SQL(SPOIL[relkind]).format(relation, sql.Literal(relation.as_string(connection)))
            connection.execute(statement)
