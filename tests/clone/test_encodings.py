"""Databases of different encodings: characters arrive as what they are, or the clone fails and says where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clone_engine.records.request import CloneRequest
from proxy.embedded import Server
from tests.harness.servers import Database, fresh_database
from tests.integration.job_runs import cloning

SCHEMA = CloneRequest("schema", "app")


@contextmanager
def encoded(server: Server, encoding: str) -> Iterator[Database]:
    """A new database of that encoding, with the C locale, which fits every one."""
    with fresh_database(server, "encoded") as database:
        admin = Database(server, "postgres")
        admin.execute(f"DROP DATABASE {database.name}")
        admin.execute(
            f"CREATE DATABASE {database.name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        yield database


@pytest.fixture
def latin1(server: Server) -> Iterator[Database]:
    with encoded(server, "LATIN1") as database:
        yield database


@pytest.fixture
def raw(server: Server) -> Iterator[Database]:
    with encoded(server, "SQL_ASCII") as database:
        yield database


NAMED = """
CREATE SCHEMA app; CREATE TABLE app."été" ("à" text DEFAULT 'ç', e app.mood);
INSERT INTO app."été" VALUES ('Ünï÷', 'très bien'); COMMENT ON TABLE app."été" IS 'déjà vu';
""".replace("CREATE TABLE", "CREATE TYPE app.mood AS ENUM ('très bien'); CREATE TABLE", 1)


def in_utf8(database: Database, statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last of some statements, whatever the database's encoding."""
    with database.connect(client_encoding="UTF8") as connection:
        cursor = connection.execute(statements.encode())
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("from_latin1", [True, False])
def test_characters_that_both_have(
    from_latin1: bool, latin1: Database, target_database: Database, tmp_path: Path
) -> None:
    source, target = (latin1, target_database) if from_latin1 else (target_database, latin1)
    in_utf8(source, NAMED)
    with cloning(source, target, tmp_path) as clone:
        assert clone.request(SCHEMA).wait().error == ""
    query = 'SELECT "à", e::text, obj_description(\'app."été"\'::regclass) FROM app."été"'
    assert in_utf8(target, query) == [("Ünï÷", "très bien", "déjà vu")]


def test_a_character_that_the_target_lacks(target_database: Database, latin1: Database, tmp_path: Path) -> None:
    target_database.execute("CREATE SCHEMA app; CREATE TABLE app.t (v text); INSERT INTO app.t VALUES ('a'), ('✓')")
    with cloning(target_database, latin1, tmp_path) as clone:
        ended = clone.request(SCHEMA).wait()
        assert (ended.status, ended.sqlstate) == ("failed", "22P05")
        assert "app.t" in ended.error and "database in UTF8" in ended.error
    assert latin1.value("SELECT count(*) FROM app.t") == 0


def insert_bytes(database: Database, statements: bytes) -> None:
    with database.connect(client_encoding="SQL_ASCII") as connection:
        connection.execute(statements)


def test_bytes_that_are_no_characters(raw: Database, target_database: Database, tmp_path: Path) -> None:
    """SQL_ASCII keeps any bytes: in rows they fail the table, which is named."""
    insert_bytes(raw, b"CREATE SCHEMA app; CREATE TABLE app.t (v text); INSERT INTO app.t VALUES ('a'), ('\xff\xe9')")
    with cloning(raw, target_database, tmp_path) as clone:
        ended = clone.request(SCHEMA).wait()
        assert (ended.status, ended.sqlstate) == ("failed", "22021")
        assert "app.t" in ended.error and "no UTF-8" in ended.error
    assert target_database.value("SELECT count(*) FROM app.t") == 0


WHERE_BYTES = {
    "comment": b"COMMENT ON TABLE app.t IS '\xff'",
    "default": b"ALTER TABLE app.t ALTER v SET DEFAULT '\xff'",
    "column": b'ALTER TABLE app.t ADD "\xff" int',
    "table": b'CREATE TABLE app."\xff" (id int)',
    "enum": b"CREATE TYPE app.e AS ENUM ('\xff')",
}


@pytest.mark.parametrize("where", WHERE_BYTES)
def test_bytes_that_are_no_characters_in_definitions(
    where: str, raw: Database, target_database: Database, tmp_path: Path
) -> None:
    insert_bytes(raw, b"CREATE SCHEMA app; CREATE TABLE app.t (v text); " + WHERE_BYTES[where])
    with cloning(raw, target_database, tmp_path) as clone:
        ended = clone.request(SCHEMA).wait()
        assert (ended.status, ended.sqlstate) == ("failed", "22021"), ended.error
    assert target_database.rows("SELECT FROM pg_namespace WHERE nspname = 'app'") == []


def test_utf8_kept_as_raw_bytes_arrives(raw: Database, target_database: Database, tmp_path: Path) -> None:
    insert_bytes(raw, NAMED.encode())
    with cloning(raw, target_database, tmp_path) as clone:
        assert clone.request(SCHEMA).wait().error == ""
    assert target_database.rows('SELECT "à", e::text FROM app."été"') == [("Ünï÷", "très bien")]
