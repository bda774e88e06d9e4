"""What tools ask the catalogues comes back as without the proxy, and lists the jobs view where the stubs are installed.

The statements are bi_catalogs.sql.  Each is sent in both protocols, directly and through the proxy.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.calls.signatures import VIEW_COLUMNS
from proxy.embedded import Server
from proxy.launch import ProxyProcess, clean_environment
from proxy.wire.messages import decode_row
from tests.harness.servers import Database, fresh_database
from tests.harness.wire import Client, bind, execute, message, parse, query

VIEW = "pgclone_jobs_view"
READER = "bi_reader"
"""A role without any right of its own, as a dashboard's is."""
Replies = list[tuple[bytes, bytes]]


class Question(NamedTuple):
    """One statement of the file."""

    name: str
    kind: str
    """start, tables or columns."""
    sql: str


def questions() -> list[Question]:
    """The statements of the file, in order."""
    text = Path(__file__).with_name("bi_catalogs.sql").read_text(encoding="utf-8")
    found = []
    for block in re.split("^--@ ", text, flags=re.M)[1:]:
        head, _, sql = block.partition("\n")
        name, _, kind = head.rpartition(" | ")
        assert kind in ("start", "tables", "columns"), head
        found.append(Question(name, kind, sql.strip().removesuffix(";")))
    return found


QUESTIONS = {question.name: question for question in questions()}


@pytest.fixture(scope="module")
def with_stubs(server: Server, proxy: ProxyProcess) -> Iterator[Database]:
    with fresh_database(server) as database:
        command = [sys.executable, "-m", "proxy", "install-stubs", "-c", str(proxy.config_path)]
        subprocess.run([*command, "--dbname", database.name], check=True, env=clean_environment({}))
        database.execute(f"CREATE ROLE {READER} LOGIN")
        yield database
    Database(server, "postgres").execute(f"DROP ROLE {READER}")


def said(port: int, database: Database, request: bytes) -> Replies:
    """What is answered to the request in a session of its own."""
    with Client("127.0.0.1", port, READER, database.name) as client:
        client.send(request)
        return client.until_ready()


def requests(question: Question) -> Iterator[bytes]:
    """The question in each protocol that it can come in."""
    yield query(question.sql)
    if ";" not in question.sql:
        yield parse(question.sql) + bind() + message(b"D", b"P\0") + execute() + message(b"S")


@pytest.mark.parametrize("name", QUESTIONS)
def test_catalogues(with_stubs: Database, proxy: ProxyProcess, name: str) -> None:
    question = QUESTIONS[name]
    for request in requests(question):
        replies = said(proxy.port, with_stubs, request)
        assert replies == said(with_stubs.server.port, with_stubs, request)
        assert not [body for kind, body in replies if kind == b"E"]
        rows = [decode_row(body) for kind, body in replies if kind == b"D"]
        if question.kind == "tables":
            assert any(VIEW.encode() in row for row in rows)
        if question.kind == "columns":
            assert [row[0] for row in rows] == [column.encode() for column, _ in VIEW_COLUMNS]
