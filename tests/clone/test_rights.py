"""Roles, owners, privileges and extensions: what the target cannot take over does not spoil the copy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.embedded import Server
from tests.clone.serial import case, clone, contents, schema_definitions, schema_request
from tests.harness.servers import Database, fresh_database

ROLES = ("clone_owner", "clone_reader", "clone_caller")


@pytest.fixture
def roles(source_database: Database, target_database: Database) -> Iterator[None]:
    """Three roles on the source; on the target only the caller, who may create schemas."""
    for role in ROLES:
        source_database.execute(f"CREATE ROLE {role} LOGIN")
    target_database.execute("CREATE ROLE clone_caller LOGIN")
    target_database.execute(f"GRANT CREATE ON DATABASE {target_database.name} TO clone_caller")
    yield
    for database in (source_database, target_database):
        for role in ROLES:
            if database.rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


OWNED = """
ALTER TABLE app.orders OWNER TO clone_owner; ALTER MATERIALIZED VIEW app.a_top OWNER TO clone_owner;
GRANT SELECT ON app.z_totals TO clone_owner; GRANT USAGE ON SCHEMA app TO clone_owner, clone_reader;
REVOKE ALL ON app.orders FROM clone_owner; GRANT SELECT (id) ON app.orders TO clone_reader WITH GRANT OPTION;
SET ROLE clone_reader; GRANT SELECT (id) ON app.orders TO clone_caller; RESET ROLE;
ALTER DEFAULT PRIVILEGES FOR ROLE clone_owner IN SCHEMA app GRANT SELECT ON TABLES TO clone_reader;
"""


@pytest.mark.usefixtures("roles")
def test_owners_and_privileges_arrive_where_the_roles_are(source_database: Database, target_database: Database) -> None:
    source_database.execute(case("everyday")[0])
    source_database.execute(OWNED)
    target_database.execute("CREATE ROLE clone_owner; CREATE ROLE clone_reader")
    clone(source_database, target_database, schema_request("app"))
    assert schema_definitions(target_database, "app") == schema_definitions(source_database, "app")
    assert contents(target_database, "app") == contents(source_database, "app")


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("conflict", ["error", "replace"])
def test_an_ordinary_caller_gets_everything_as_his_own(
    conflict: str, source_database: Database, target_database: Database
) -> None:
    source_database.execute(case("everyday")[0])
    source_database.execute(OWNED)
    clone(source_database, target_database, schema_request("app"), caller="clone_caller")
    if conflict == "replace":
        clone(source_database, target_database, schema_request("app", conflict=conflict), caller="clone_caller")
    assert contents(target_database, "app") == contents(source_database, "app")
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'app'::regnamespace"
    assert target_database.rows(owners) == [("clone_caller",)]


GIVING = """
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO clone_reader, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO clone_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO clone_reader;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO "odd ""reader";
"""
TAKING = """
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
"""


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("defaults", [GIVING, TAKING])
@pytest.mark.parametrize("conflict", ["error", "replace"])
def test_default_privileges_of_the_target_do_not_count(
    defaults: str, conflict: str, source_database: Database, target_database: Database
) -> None:
    """Guards against tables that roles of the target could read, and those of the source not."""
    source_database.execute(case("everyday")[0])
    source_database.execute(
        "GRANT SELECT ON app.orders TO clone_reader; CREATE AGGREGATE app.most(int) (SFUNC = int4larger, STYPE = int);"
        "CREATE PROCEDURE app.p(IN a int[], OUT b text) LANGUAGE sql AS 'SELECT 1';"
        "REVOKE EXECUTE ON PROCEDURE app.p FROM PUBLIC; CREATE SEQUENCE app.free; CREATE DOMAIN app.d AS int;"
        "CREATE TABLE app.numbered (id int GENERATED ALWAYS AS IDENTITY)"
    )
    target_database.execute("CREATE ROLE clone_owner; CREATE ROLE clone_reader")
    target_database.execute('DROP ROLE IF EXISTS "odd ""reader"; CREATE ROLE "odd ""reader"')
    try:
        if conflict == "replace":
            clone(source_database, target_database, schema_request("app"))
        target_database.execute(defaults)
        clone(source_database, target_database, schema_request("app", conflict=conflict))
        made, given = (schema_definitions(d, "app").splitlines() for d in (target_database, source_database))
        assert made == given, set(made) ^ set(given)
    finally:
        target_database.execute('DROP OWNED BY "odd ""reader" CASCADE; DROP ROLE "odd ""reader"')


@pytest.fixture
def with_extensions(all_servers: list[Server]) -> Server:
    """A server that has the extensions citext and hstore to install."""
    for server in all_servers:
        if len(Database(server, "postgres").rows(
            "SELECT name FROM pg_available_extensions WHERE name IN ('citext', 'hstore')"
        )) == 2:  # fmt: skip
            return server
    pytest.skip("no server here has citext and hstore")


def test_extensions_that_the_schema_needs_come_with_it(with_extensions: Server) -> None:
    with fresh_database(with_extensions, "source") as source, fresh_database(with_extensions, "target") as target:
        source.execute(
            "CREATE SCHEMA app; CREATE EXTENSION citext; CREATE EXTENSION hstore SCHEMA app;"
            "CREATE TABLE app.t (c public.citext PRIMARY KEY, h app.hstore DEFAULT 'a=>1');"
            "CREATE INDEX ON app.t USING gin (h); INSERT INTO app.t VALUES ('X')"
        )
        clone(source, target, schema_request("app"))
        assert schema_definitions(target, "app") == schema_definitions(source, "app")
        assert target.value("SELECT count(*) FROM app.t WHERE c = 'x'") == 1
        clone(source, target, schema_request("app", conflict="replace"))
        assert schema_definitions(target, "app") == schema_definitions(source, "app")
