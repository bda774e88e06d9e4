"""CREATE EXTENSION IF NOT EXISTS pgclone: as if the extension were there, without anything installed."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from proxy.launch import ProxyProcess
from tests.harness.proxies import connect
from tests.harness.servers import Database

Said = list[tuple[Any, ...]]


def said(connection: psycopg.Connection[Any], statements: list[str], extension: str, prepare: bool) -> Said:
    """What the statements, with NAMED for the extension, are answered with: tags, notices, SQLSTATEs, states."""
    answers: Said = []
    connection.add_notice_handler(
        lambda d: answers.append((d.severity, d.sqlstate, (d.message_primary or "").replace(extension, "NAMED")))
    )
    for statement in statements:
        try:
            cursor = connection.execute(statement.replace("NAMED", extension).encode(), prepare=prepare)
            answers.append((cursor.statusmessage, connection.info.transaction_status))
        except psycopg.Error as error:
            answers.append((error.sqlstate, connection.info.transaction_status))
    return answers


SCRIPTS = {
    "alone": ["CREATE EXTENSION IF NOT EXISTS NAMED"],
    "with options": ["create extension if not exists \"NAMED\" with schema nowhere version '4.0' cascade"],
    "warnings only": ["SET client_min_messages = warning", "CREATE EXTENSION IF NOT EXISTS NAMED"],
    "transaction": ["BEGIN", "CREATE EXTENSION IF NOT EXISTS NAMED", "COMMIT"],
    "read-only": ["BEGIN READ ONLY", "CREATE EXTENSION IF NOT EXISTS NAMED", "ROLLBACK"],
    "failed": ["BEGIN", "SELECT 1 / 0", "CREATE EXTENSION IF NOT EXISTS NAMED", "ROLLBACK"],
}


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_answered_as_for_an_extension_that_exists(
    proxy: ProxyProcess, database: Database, name: str, prepare: bool
) -> None:
    with database.connect() as direct, connect(proxy, database.name) as through:
        expected = said(direct, SCRIPTS[name], "plpgsql", prepare)
        assert "42601" not in [each[0] for each in expected]
        assert said(through, SCRIPTS[name], "pgclone", prepare) == expected


def test_only_its_own_notice_is_changed_in_a_string_of_statements(proxy: ProxyProcess, database: Database) -> None:
    statements = (
        "CREATE EXTENSION IF NOT EXISTS NAMED; SELECT pgclone_version(); CREATE EXTENSION IF NOT EXISTS plpgsql"
    )
    with connect(proxy, database.name) as through:
        notices = [each[2] for each in said(through, [statements], "pgclone", False) if each[0] == "NOTICE"]
    assert notices == ['extension "NAMED" already exists, skipping', 'extension "plpgsql" already exists, skipping']


def test_without_if_not_exists_the_server_answers(proxy: ProxyProcess, database: Database) -> None:
    with database.connect() as direct, connect(proxy, database.name) as through:
        script = ["CREATE EXTENSION pgclone", "DROP EXTENSION pgclone", "CREATE EXTENSION IF NOT EXISTS pgclonex"]
        assert said(through, script, "-", False) == said(direct, script, "-", False)


def test_where_the_stand_in_does_not_exist_the_server_answers(proxy: ProxyProcess, database: Database) -> None:
    database.execute("DROP EXTENSION plpgsql")
    script = ["CREATE EXTENSION IF NOT EXISTS pgclone"]
    with database.connect() as direct, connect(proxy, database.name) as through:
        (answer,) = said(through, script, "pgclone", False)
        assert answer == said(direct, script, "pgclone", False)[0]
        assert answer[0] in {"0A000", "58P01"}  # since PostgreSQL 16, and before
    assert database.rows("SELECT extname FROM pg_extension") == []
