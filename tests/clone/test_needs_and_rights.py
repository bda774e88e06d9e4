"""What a clone needs of extensions, and what the role may not make: it does without, or is refused."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import Server
from tests.clone.serial import clone, definitions, schema_request, skipped, table_request, wanted
from tests.harness.servers import Database, fresh_database


@pytest.fixture
def with_extensions(all_servers: list[Server]) -> Server:
    """A server that has extensions of PostgreSQL's contrib to install."""
    names = ("citext", "hstore", "moddatetime")
    for server in all_servers:
        query = f"SELECT name FROM pg_available_extensions WHERE name IN {names}"
        if len(Database(server, "postgres").rows(query)) == len(names):
            return server
    pytest.skip("no server here has citext, hstore and moddatetime")


ROLE = """
DO $$ BEGIN CREATE ROLE clone_of_needs LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
GRANT CREATE ON SCHEMA public TO clone_of_needs"""
EXTENDED = """
CREATE SCHEMA app; CREATE SCHEMA lib; CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION moddatetime SCHEMA ext;
CREATE DOMAIN lib.word AS ext.citext;
CREATE TABLE app.t (w lib.word, at timestamp);
CREATE TRIGGER dated BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION ext.moddatetime(at);
"""


@pytest.mark.parametrize("kind", ["table", "schema"])
def test_extensions_come_when_something_of_theirs_is_needed(kind: str, with_extensions: Server) -> None:
    request = table_request("app", "t") if kind == "table" else schema_request("app")
    with fresh_database(with_extensions, "source") as source, fresh_database(with_extensions, "target") as target:
        source.execute(EXTENDED + "CREATE EXTENSION hstore")
        clone(source, target, request)
        assert definitions(target) == wanted(with_extensions, EXTENDED)


@pytest.mark.parametrize("needed", ["CREATE TYPE lib.x AS ENUM ()", "CREATE FUNCTION lib.x() RETURNS int RETURN 1"])
def test_without_the_right_to_make_it_there_is_no_clone(
    needed: str, source_database: Database, target_database: Database
) -> None:
    column = "c lib.x" if "TYPE" in needed else "c int DEFAULT lib.x()"
    source_database.execute(f"CREATE SCHEMA lib; {needed}; CREATE TABLE public.t ({column})")
    target_database.execute(f"CREATE SCHEMA lib; {ROLE}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema lib"):
        clone(source_database, target_database, table_request("public", "t"), caller="clone_of_needs")
    assert target_database.value("SELECT to_regclass('public.t')") is None


def test_without_the_right_to_make_its_function_a_trigger_is_left_out(
    source_database: Database, target_database: Database
) -> None:
    source_database.execute(
        "CREATE SCHEMA lib; CREATE FUNCTION lib.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TABLE public.t (a int); CREATE TRIGGER x AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION lib.f()"
    )
    target_database.execute(f"CREATE SCHEMA lib; GRANT USAGE ON SCHEMA lib TO public; {ROLE}")
    found = skipped(source_database, target_database, table_request("public", "t"), "clone_of_needs")
    assert {"function lib.f()", "trigger x on public.t"} <= found.keys()
    assert target_database.value("SELECT count(*) FROM public.t") == 0


def test_what_an_extension_that_may_not_be_made_would_bring_is_said(with_extensions: Server) -> None:
    with fresh_database(with_extensions, "source") as source, fresh_database(with_extensions, "target") as target:
        source.execute(
            "CREATE EXTENSION moddatetime; CREATE TABLE public.t (at timestamp);"
            "CREATE TRIGGER dated BEFORE UPDATE ON public.t FOR EACH ROW EXECUTE FUNCTION moddatetime(at)"
        )
        target.execute(ROLE)
        found = skipped(source, target, table_request("public", "t"), "clone_of_needs")
        assert found["extension moddatetime"] == "42501"
        assert "trigger dated on public.t" in found
        assert target.value("SELECT count(*) FROM public.t") == 0
