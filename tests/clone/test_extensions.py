"""Extensions that keep rows of users: those come with a clone of the database, and versions are reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clone_engine.records.request import CloneRequest
from proxy.embedded import Server
from tests.clone.serial import all_contents, clone, definitions, planned
from tests.harness.servers import Database, Servers, fresh_database

FILES = {
    "keeper.control": "default_version = '1.1'\nrelocatable = true\n",
    "keeper--1.0.sql": """
CREATE TABLE kept (id int PRIMARY KEY, v text);
INSERT INTO kept VALUES (1, 'of the extension');
CREATE SEQUENCE numbers;
CREATE TABLE internal AS SELECT 1 AS id;
SELECT pg_extension_config_dump('kept', 'WHERE id >= 100');
SELECT pg_extension_config_dump('numbers', '');
""",
    "keeper--1.0--1.1.sql": "CREATE FUNCTION added() RETURNS int LANGUAGE sql AS 'SELECT 1';",
}
REQUEST = CloneRequest(kind="database")


@pytest.fixture
def with_keeper(servers: Servers) -> Server:
    """A server that has the extension `keeper`; 18 is the first that finds any outside its own directories."""
    newest = servers.installations[-1]
    if newest.major < 18:
        pytest.skip("no server here takes extensions from a directory of ours")
    directory = servers.directory / "extensions" / "extension"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (directory / name).write_text(text)
    return servers.get(newest, settings={"extension_control_path": f"$system:{directory.parent}"})


@pytest.fixture
def both(with_keeper: Server) -> Iterator[tuple[Database, Database]]:
    """A database with the extension and rows of a user's in it, and an empty one."""
    with fresh_database(with_keeper, "source") as source, fresh_database(with_keeper, "target") as target:
        source.execute("CREATE SCHEMA e; CREATE EXTENSION keeper SCHEMA e VERSION '1.0'")
        source.execute("INSERT INTO e.kept VALUES (100, 'mine'); SELECT nextval('e.numbers'), nextval('e.numbers')")
        source.execute("UPDATE e.internal SET id = 2; CREATE TABLE t AS SELECT 1")
        yield source, target


def test_what_the_extension_wants_to_be_kept_comes_with_it(both: tuple[Database, Database]) -> None:
    source, target = both
    plan = clone(source, target, REQUEST)
    assert ("version of extension keeper", "is 1.1 on the target, and 1.0 on the source") in plan.notes
    assert definitions(target) == definitions(source)
    source.execute("UPDATE e.internal SET id = 1")  # the extension does not say that users may change this one
    assert all_contents(target) == all_contents(source)


def test_an_extension_that_is_there_keeps_its_own(both: tuple[Database, Database]) -> None:
    source, target = both
    target.execute("CREATE SCHEMA e; CREATE EXTENSION keeper SCHEMA e; INSERT INTO e.kept VALUES (100, 'theirs')")
    clone(source, target, REQUEST)
    assert target.rows("SELECT v FROM e.kept ORDER BY id") == [("of the extension",), ("theirs",)]


def test_a_job_that_goes_on_empties_only_what_was_copied(both: tuple[Database, Database]) -> None:
    with planned(*both, REQUEST) as (plan, _):
        (step,) = [step for step in plan.steps if step.key == "table e.kept"]
    assert step.empty == 'DELETE FROM ONLY "e"."kept" WHERE id >= 100'  # type: ignore[union-attr]
