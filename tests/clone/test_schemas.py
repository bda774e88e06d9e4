"""A schema arrives whole: definitions as pg_dump writes them, rows, sequence values, filled materialized views."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.embedded import Server
from tests.clone.serial import case, clone, contents, schema_definitions, schema_request
from tests.harness.servers import Database, fresh_database

SINCE = {"everyday": 15, "names": 15, "shapes": 15, "dependencies": 15, "recent": 18}


@pytest.fixture(scope="module")
def loaded(all_servers: list[Server]) -> Iterator[dict[tuple[int, str], Database]]:
    """A database for each case on each server, with the case's schema."""
    databases: dict[tuple[int, str], Database] = {}
    managers = []
    for server in all_servers:
        for name, since in SINCE.items():
            if server.installation.major >= since:
                manager = fresh_database(server, "source")
                managers.append(manager)
                database = manager.__enter__()
                database.execute(case(name)[0])
                databases[server.installation.major, name] = database
    yield databases
    for manager in managers:
        manager.__exit__(None, None, None)


@pytest.mark.parametrize("latest_first", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", SINCE)
def test_both_sides_are_equal(
    name: str, latest_first: bool, all_servers: list[Server], loaded: dict[tuple[int, str], Database]
) -> None:
    schema = case(name)[1]
    for server in all_servers:
        if (source := loaded.get((server.installation.major, name))) is None:
            continue
        with fresh_database(server, "target") as target:
            plan = clone(source, target, schema_request(schema), latest_first=latest_first)
            assert schema_definitions(target, schema) == schema_definitions(source, schema)
            assert contents(target, schema) == contents(source, schema)
            assert not plan.notes


@pytest.mark.parametrize("name", [name for name, since in SINCE.items() if since == 15])
def test_from_an_old_server_to_the_newest(
    name: str, all_servers: list[Server], loaded: dict[tuple[int, str], Database]
) -> None:
    """Versions write views differently, so what arrived is compared with the same script on the newest server.

    Not for names and shapes: 18 names every NOT NULL itself, and how it does so depends on the way there.
    """
    schema = case(name)[1]
    oldest = next(server for server in all_servers if server.installation.major >= SINCE[name])
    newest = all_servers[-1]
    source = loaded[oldest.installation.major, name]
    with fresh_database(newest, "target") as target, fresh_database(newest, "again") as again:
        clone(source, target, schema_request(schema))
        assert contents(target, schema) == contents(source, schema)
        again.execute(case(name)[0])
        if name in {"names", "shapes"}:
            return
        assert schema_definitions(target, schema) == schema_definitions(again, schema)


@pytest.mark.parametrize("name", ["everyday", "shapes"])
def test_without_data_the_definitions_are_the_same_and_nothing_is_filled(
    name: str, server: Server, loaded: dict[tuple[int, str], Database]
) -> None:
    source, schema = loaded[server.installation.major, name], case(name)[1]
    with fresh_database(server, "target") as target:
        clone(source, target, schema_request(schema, include_data=False))
        assert schema_definitions(target, schema) == schema_definitions(source, schema)
        assert target.value(f"SELECT count(*) FROM {schema}.{'orders' if name == 'everyday' else 'plain'}") == 0
        assert target.rows("SELECT relname FROM pg_class WHERE relkind = 'm' AND relispopulated") == []
        assert target.rows("SELECT schemaname FROM pg_sequences WHERE last_value IS NOT NULL") == []


def test_inserts_work_right_after_a_clone(server: Server, loaded: dict[tuple[int, str], Database]) -> None:
    with fresh_database(server, "target") as target:
        clone(loaded[server.installation.major, "everyday"], target, schema_request("app"))
        target.execute("INSERT INTO app.customers (name, email) VALUES ('new', 'a@b')")
        target.execute("INSERT INTO app.orders (customer_id, net) VALUES (100, 1)")
        assert target.value("SELECT nextval('app.moved')") == 3
        assert target.value("SELECT nextval('app.untouched')") == 77
