"""A database arrives whole: every schema, what is in none, and the rows that pg_dump would bring."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Options
from proxy.embedded import Server
from tests.clone.serial import all_contents, case, clone, definitions, skipped
from tests.harness.servers import Database, fresh_database

NEEDS = 15
"""Publications of schemas and of some columns came with it."""


def database_request(*, include_data: bool = True, **options: object) -> CloneRequest:
    """A request for a clone of the whole database."""
    return CloneRequest(kind="database", include_data=include_data, options=Options(**options))  # type: ignore[arg-type]


@pytest.fixture
def whole(server: Server) -> Iterator[tuple[Database, Database]]:
    """A database with the case, and an empty one."""
    with fresh_database(server, "source") as source, fresh_database(server, "target") as target:
        source.execute(case("database")[0])
        yield source, target


@pytest.mark.parametrize("latest_first", [False, True])
def test_both_sides_are_equal(latest_first: bool, all_servers: list[Server]) -> None:
    for server in all_servers:
        if server.installation.major < NEEDS:
            continue
        with fresh_database(server, "source") as source, fresh_database(server, "target") as target:
            source.execute(case("database")[0])
            plan = clone(source, target, database_request(), latest_first=latest_first)
            assert definitions(target) == definitions(source)
            assert all_contents(target) == all_contents(source)
            assert [object_ for object_, _ in plan.notes] == ["foreign table app.remote"]


def test_without_data_the_definitions_are_the_same_and_nothing_is_filled(whole: tuple[Database, Database]) -> None:
    source, target = whole
    clone(source, target, database_request(include_data=False))
    assert definitions(target) == definitions(source)
    assert target.rows("SELECT FROM app.t UNION ALL SELECT FROM app.piled") == []
    assert target.rows("SELECT relname FROM pg_class WHERE relkind = 'm' AND relispopulated") == []


def test_what_is_there_is_refused_by_name(whole: tuple[Database, Database]) -> None:
    source, target = whole
    target.execute("CREATE FOREIGN DATA WRAPPER nothing")
    with pytest.raises(PgError, match="foreign data wrapper nothing") as refused:
        clone(source, target, database_request())
    assert refused.value.sqlstate == "42710"
    assert target.rows("SELECT FROM pg_namespace WHERE nspname = 'app'") == []


def test_skip_adds_what_is_missing(whole: tuple[Database, Database]) -> None:
    source, target = whole
    target.execute("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing")
    target.execute("CREATE TYPE state AS ENUM ('new', 'old'); CREATE CAST (state AS int) WITH INOUT")
    plan = clone(source, target, database_request(conflict="skip"))
    left = {object_ for object_, reason in plan.notes if reason.startswith("exists")}
    assert left == {
        "foreign data wrapper nothing",
        "server nowhere",
        "type public.state",
        "cast public.state AS integer",
    }
    assert all_contents(target) == all_contents(source)


def test_replace_swaps_tables_of_one_name_in_several_schemas(whole: tuple[Database, Database]) -> None:
    source, target = whole
    source.execute("UPDATE app.t SET d = 'x'")  # rows that a domain constraint on the target would refuse stay refused
    clone(source, target, database_request())
    target.execute("ALTER EVENT TRIGGER watching DISABLE; DELETE FROM pgboss.t WHERE id > 10; DROP TABLE app.piled")
    # What is made in a schema with default privileges gets them, whoever makes it.
    target.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM PUBLIC")
    clone(source, target, database_request(conflict="replace"))
    target.execute("ALTER EVENT TRIGGER watching ENABLE")
    # pg_dump orders what publications hold by when it was added.
    assert sorted(definitions(target).splitlines()) == sorted(definitions(source).splitlines())
    assert all_contents(target) == all_contents(source)
    assert target.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'") == []


LARGE_OBJECTS = """
SELECT oid::int8, md5(lo_get(oid)), lomowner::regrole::text, lomacl::text, obj_description(oid, 'pg_largeobject')
FROM pg_largeobject_metadata ORDER BY 1
"""


def test_large_objects_come_with_their_numbers(source_database: Database, target_database: Database) -> None:
    source_database.execute("SELECT lo_from_bytea(4000000000 + i, 'x') FROM generate_series(1, 600) i")
    source_database.execute("SELECT lo_create(77), lo_from_bytea(78, decode(repeat('00ff5c', 1000000), 'hex'))")
    source_database.execute("COMMENT ON LARGE OBJECT 78 IS 'large'; GRANT SELECT ON LARGE OBJECT 78 TO PUBLIC")
    source_database.execute("REVOKE UPDATE ON LARGE OBJECT 77 FROM postgres")
    expected = source_database.rows(LARGE_OBJECTS)
    clone(source_database, target_database, database_request(include_data=False))
    assert target_database.rows(LARGE_OBJECTS) == []
    clone(source_database, target_database, database_request())
    assert target_database.rows(LARGE_OBJECTS) == expected
    with pytest.raises(PgError, match="large object 77 already exists"):
        clone(source_database, target_database, database_request())
    target_database.execute("SELECT lo_put(78, 0, 'other')")
    clone(source_database, target_database, database_request(conflict="replace"))
    assert target_database.rows(LARGE_OBJECTS) == expected
    target_database.execute("SELECT lo_put(78, 0, 'other'), lo_unlink(77)")
    clone(source_database, target_database, database_request(conflict="skip"))
    assert target_database.rows(LARGE_OBJECTS)[0] == expected[0]
    assert target_database.rows(LARGE_OBJECTS)[1] != expected[1]


SUPERUSERS = """
CREATE FUNCTION app.fast(internal) RETURNS internal LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION app.trigger_in_c() RETURNS trigger LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRIGGER in_c BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.trigger_in_c();
COMMENT ON TRIGGER in_c ON app.t IS 'goes with it';
CREATE ROLE clone_nobody;
CREATE POLICY of_nobody ON app.t TO clone_nobody USING (true);
COMMENT ON POLICY of_nobody ON app.t IS 'goes with it';
"""


@pytest.fixture
def ordinary(source_database: Database, target_database: Database) -> Iterator[tuple[Database, Database]]:
    """The case with more that needs rights, and a target whose caller clone_caller may make schemas and tables."""
    source_database.execute(case("database")[0])
    source_database.execute("ALTER EVENT TRIGGER watching DISABLE; DROP TABLE app.piled; DROP ACCESS METHOD pile")
    source_database.execute(SUPERUSERS)
    target_database.execute("CREATE ROLE clone_caller LOGIN; GRANT CREATE ON SCHEMA public TO clone_caller")
    target_database.execute(f"GRANT CREATE ON DATABASE {target_database.name} TO clone_caller")
    yield source_database, target_database
    target_database.execute("DROP OWNED BY clone_caller CASCADE; DROP ROLE clone_caller")
    source_database.execute("DROP OWNED BY clone_nobody; DROP ROLE clone_nobody")


def test_what_an_ordinary_role_may_not_make_is_reported(ordinary: tuple[Database, Database]) -> None:
    source, target = ordinary
    reported = skipped(source, target, database_request(), "clone_caller")
    assert all_contents(target) == all_contents(source)
    no_right = {object_ for object_, why in reported.items() if why == "42501" and not object_.startswith("owner of")}
    assert no_right >= {
        "event trigger watching",
        "foreign data wrapper nothing",
        "function app.fast(internal)",
        "function app.handler()",
        "function app.trigger_in_c()",
        "publication every",
        "tables of publication schemas",
        "comment on public",
    }
    needing = {object_: why for object_, why in reported.items() if why not in ("42501", "42704")}
    assert needing.items() >= {
        ("language mine", "function app.handler()"),
        ("comment on language mine", "language mine"),
        ("server nowhere", "foreign data wrapper nothing"),
        ("user mapping public SERVER nowhere", "server nowhere"),
        ("foreign table app.remote", "server nowhere"),
        ("trigger in_c on app.t", "function app.trigger_in_c()"),
        ("comment on in_c on app.t", "trigger in_c on app.t"),
        ("state of event trigger watching", "event trigger watching"),
        ("comment on event trigger watching", "event trigger watching"),
        ("comment on of_nobody on app.t", "policy of_nobody on app.t"),
    }
    assert reported["policy of_nobody on app.t"] == "42704"


def test_subscriptions_are_left_out_and_said(server: Server) -> None:
    with fresh_database(server, "source") as source, fresh_database(server, "target") as target:
        source.execute("CREATE SUBSCRIPTION feed CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)")
        try:
            plan = clone(source, target, database_request())
        finally:
            source.execute("ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed")
        assert [object_ for object_, _ in plan.notes] == ["subscription feed"]


def test_what_jobs_keep_for_themselves_is_not_cloned(source_database: Database, target_database: Database) -> None:
    """The source may be a target of other jobs, of roles whose journals nobody else may read."""
    job, like_it = "pgclone_job_12_0a1b2c3d", "pgclone_job_of_mine"
    source_database.execute(f"CREATE SCHEMA {job}; CREATE TABLE {job}.steps (id text); CREATE SCHEMA {job}_new")
    source_database.execute(f"CREATE SCHEMA {like_it}; CREATE TABLE {like_it}.steps AS SELECT 1 AS id")
    clone(source_database, target_database, database_request())
    assert target_database.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'pgclone%'") == [(like_it,)]
    assert target_database.rows(f"SELECT id FROM {like_it}.steps") == [(1,)]
