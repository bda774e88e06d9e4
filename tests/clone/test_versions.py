"""From every PostgreSQL version here to every other, newer or older: what every version can hold arrives whole.

The measure is what pg_dump and psql make of the same database on the target's version: versions write views, and name
NOT NULL constraints, in ways of their own.  What an older target cannot take is left out and said, or refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.jobs import Outcome
from proxy.embedded import Server
from proxy.installations import installations
from tests.clone.serial import (
    all_contents,
    carry_out,
    case,
    clone,
    contents,
    definitions,
    planned,
    schema_definitions,
    schema_request,
)
from tests.clone.test_databases import database_request
from tests.harness.proxies import Proxies
from tests.harness.servers import Database, fresh_database

MAJORS = sorted({installation.major for installation in installations()})
PAIRS = [(source, target) for source in MAJORS for target in MAJORS]
LARGE_OBJECTS = "SELECT oid::int8, lo_get(oid), obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata"
SETTING_OF_17 = 'unrecognized configuration parameter "transaction_timeout"'
"""All that an older server may have against a dump of what every version can hold."""


@pytest.fixture(scope="module")
def servers_of(all_servers: list[Server]) -> dict[int, Server]:
    """A server of each version."""
    return {server.installation.major: server for server in all_servers}


@pytest.fixture(scope="module")
def loaded(servers_of: dict[int, Server]) -> Iterator[dict[int, Database]]:
    """On each of them a database with the case."""
    with ExitStack() as stack:
        databases = {m: stack.enter_context(fresh_database(s, "source")) for m, s in servers_of.items()}
        for database in databases.values():
            database.execute(case("ageless")[0])
        yield databases


def restore(source: Database, target: Database) -> None:
    """Put the source's definitions into `target`, as pg_dump and psql do it."""
    done = target.program("psql", "-Xq", "-d", target.conninfo(), stdin=definitions(source))
    complaints = {line.split("ERROR:  ")[1] for line in done.stderr.splitlines() if "ERROR:" in line}
    assert complaints <= {SETTING_OF_17}


@pytest.mark.parametrize(("source_major", "target_major"), PAIRS)
def test_what_every_version_can_hold(
    source_major: int, target_major: int, loaded: dict[int, Database], servers_of: dict[int, Server]
) -> None:
    source, server = loaded[source_major], servers_of[target_major]
    with (
        fresh_database(server, "target") as target,
        fresh_database(server, "of_schema") as of_schema,
        fresh_database(server, "restored") as restored,
    ):
        plan = clone(source, target, database_request())
        assert [object_ for object_, _ in plan.notes] == ["foreign table app.remote"]
        if source_major != target_major:
            restore(source, restored)
        measure = source if source_major == target_major else restored
        assert definitions(target) == definitions(measure)
        assert all_contents(target) == all_contents(source)
        assert target.rows(LARGE_OBJECTS) == source.rows(LARGE_OBJECTS)
        of_schema.execute("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
        clone(source, of_schema, schema_request("app"))
        assert schema_definitions(of_schema, "app") == schema_definitions(measure, "app")
        assert contents(of_schema, "app") == contents(source, "app")


@pytest.mark.parametrize(("source_major", "target_major"), [(MAJORS[0], MAJORS[-1]), (MAJORS[-1], MAJORS[0])])
def test_tables_are_replaced_on_another_version(
    source_major: int, target_major: int, loaded: dict[int, Database], servers_of: dict[int, Server]
) -> None:
    source = loaded[source_major]
    with fresh_database(servers_of[target_major], "target") as target:
        clone(source, target, database_request())
        made = definitions(target)
        target.execute("DELETE FROM app.plain WHERE id > 10; DROP VIEW app.grouped")
        clone(source, target, database_request(conflict="replace"))
        # pg_dump orders what publications hold by when it was added.
        assert sorted(definitions(target).splitlines()) == sorted(made.splitlines())
        assert all_contents(target) == all_contents(source)


NEW_THINGS = """
CREATE SCHEMA app; SET search_path = app;
CREATE TABLE parent (a int, b int); CREATE TABLE child () INHERITS (parent); ALTER TABLE child ALTER b SET NOT NULL;
INSERT INTO parent VALUES (1, NULL); INSERT INTO child VALUES (2, 3);
CREATE TABLE named (a int CONSTRAINT mine NOT NULL NO INHERIT, b int); COMMENT ON CONSTRAINT mine ON named IS 'x';
INSERT INTO named VALUES (1);
CREATE TABLE checked (a int, CONSTRAINT small CHECK (a < 10) NOT ENFORCED, CONSTRAINT big CHECK (a > 0));
COMMENT ON CONSTRAINT small ON checked IS 'x'; INSERT INTO checked VALUES (100);
CREATE UNLOGGED TABLE unlogged (id serial); SELECT nextval('unlogged_id_seq');
CREATE DOMAIN needed AS int CONSTRAINT never NOT NULL; COMMENT ON CONSTRAINT never ON DOMAIN needed IS 'x';
GRANT SELECT, MAINTAIN ON TABLE named TO pg_monitor; GRANT MAINTAIN ON TABLE parent TO pg_monitor;
CREATE FUNCTION login() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER onlogin ON login EXECUTE FUNCTION login(); COMMENT ON EVENT TRIGGER onlogin IS 'x';
CREATE PUBLICATION generated FOR TABLE checked WITH (publish_generated_columns = stored);
"""
GRANTED = "SELECT privilege_type FROM information_schema.table_privileges WHERE grantee = 'pg_monitor'"
LEFT_OUT = {
    17: {
        "constraint mine on app.named",
        "comment on mine on app.named",
        "constraint small on app.checked",
        "publication generated",
    },
    16: {
        "privileges on app.parent",
        "privileges on app.named",
        "event trigger onlogin",
        "comment on app.needed.never",
    },
    14: {"persistence of app.unlogged_id_seq"},
}
"""What a server of this version, and of those before it, has to do without."""
OLDER = [major for major in MAJORS if major < 18]


@pytest.mark.parametrize("major", OLDER)
def test_what_an_older_target_lacks_is_left_out_and_said(major: int, servers_of: dict[int, Server]) -> None:
    with fresh_database(servers_of[18], "source") as source, fresh_database(servers_of[major], "target") as target:
        source.execute(NEW_THINGS)
        outcomes: list[Outcome] = []
        with planned(source, target, database_request()) as (plan, keeper):
            carry_out(plan, keeper, target, outcomes=outcomes)
        noted = dict(plan.notes)
        assert noted.keys() == {name for since, names in LEFT_OUT.items() if major <= since for name in names}
        assert all(f"PostgreSQL {major} has no " in reason for reason in noted.values())
        assert [outcome for outcome in outcomes if outcome.result != "done"] == []
        assert all_contents(target) == all_contents(source)
        with pytest.raises(psycopg.errors.NotNullViolation):
            target.execute("INSERT INTO app.child VALUES (1, NULL)")
        assert target.rows(GRANTED) == [("SELECT",)]


@pytest.mark.parametrize("major", OLDER)
def test_what_rows_depend_on_is_refused_before_anything_is_made(major: int, servers_of: dict[int, Server]) -> None:
    with fresh_database(servers_of[18], "source") as source, fresh_database(servers_of[major], "target") as target:
        source.execute(case("recent")[0])
        with pytest.raises(PgError) as refused:
            clone(source, target, schema_request("app"))
        assert refused.value.sqlstate == "0A000"
        assert refused.value.message == (
            "pgclone: table app.computed cannot be made on the target: "
            f"PostgreSQL {major} has no virtual generated columns"
        )
        assert "constraint times_pkey on app.times: keys WITHOUT OVERLAPS" in refused.value.detail
        assert target.rows("SELECT FROM pg_namespace WHERE nspname = 'app'") == []
        left = {"exclude_tables": ("computed", "not_yet", "times", "within")}
        plan = clone(source, target, schema_request("app", **left))
        assert "foreign key loose_id_fkey on app.loose" in dict(plan.notes)
        assert contents(target, "app")["loose"] == contents(source, "app")["loose"]


FUNCTION_WITH_SETTING_OF_17 = (
    "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql SET transaction_timeout = 0 AS 'SELECT 1'"
)


def test_what_only_the_target_can_tell_fails_with_advice(servers_of: dict[int, Server], proxies: Proxies) -> None:
    newest, older = servers_of[MAJORS[-1]], servers_of[16]
    with fresh_database(newest, "source") as source, fresh_database(older, "target") as target:
        source.execute(f"CREATE SCHEMA app; {FUNCTION_WITH_SETTING_OF_17}")
        proxy = proxies.start(older.conninfo())
        with (
            psycopg.connect(proxy.conninfo(target.name), autocommit=True) as connection,
            pytest.raises(psycopg.errors.UndefinedObject, match="transaction_timeout") as refused,
        ):
            connection.execute("SELECT pgclone_schema(%s, 'app')", (source.conninfo(),))
        assert f"is older than the source, PostgreSQL {MAJORS[-1]}" in (refused.value.diag.message_hint or "")
