"""The harness itself: every server here starts, is reached both ways, and is gone when stopped."""

from __future__ import annotations

import re

import psycopg
import pytest

from proxy.embedded import Server
from proxy.installations import installations, private_directory
from tests.harness.compare import assert_same_schema
from tests.harness.network import BOTH, network_to
from tests.harness.servers import PASSWORD, Database
from tests.harness.waiting import under_way


def test_every_installed_server_runs(all_servers: list[Server]) -> None:
    assert len(all_servers) == len(installations()) > 0
    for server in all_servers:
        for by_socket in (False, True):
            with psycopg.connect(server.conninfo(by_socket=by_socket)) as conn:
                assert conn.info.server_version // 10000 == server.installation.major


def test_a_password_is_asked_for_where_it_should_be(scram_server: Server) -> None:
    with psycopg.connect(scram_server.conninfo(), password=PASSWORD):
        pass
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(scram_server.conninfo(), password="another")


def test_each_test_has_an_empty_database(database: Database) -> None:
    assert database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    assert database.program("psql", "-XAtc", "SELECT 1", database.conninfo()).stdout == "1\n"


def test_a_stopped_server_keeps_its_data_and_leaves_no_process() -> None:
    with private_directory() as directory:
        server = Server(installations()[-1], directory)
        with server:
            Database(server, "postgres").execute("CREATE TABLE kept ()")
            pid = int((server.data / "postmaster.pid").read_text().split()[0])
        assert not server.running
        assert not (server.data / "postmaster.pid").exists(), f"postmaster {pid} did not shut down"
        with server:
            assert Database(server, "postgres").value("SELECT count(*) FROM kept") == 0
    assert not directory.exists()


def test_comparing_sees_a_changed_row_a_missing_index_and_a_sequence(
    source_database: Database, target_database: Database
) -> None:
    for database in (source_database, target_database):
        database.execute(
            'CREATE SCHEMA "S 1"; CREATE TABLE "S 1".t AS SELECT i, i::float8 / 3 AS f FROM generate_series(1, 9) i'
        )
        database.execute('CREATE SEQUENCE "S 1".n; CREATE INDEX ix ON "S 1".t (i)')
    assert_same_schema(source_database, target_database, "S 1")
    for change, named in (
        ('UPDATE "S 1".t SET i = 0 WHERE i = 3', "table t: "),
        ('SELECT nextval($$"S 1".n$$)', "sequence n: "),
        ('DROP INDEX "S 1".ix', "CREATE INDEX ix"),
    ):
        target_database.execute(change)
        with pytest.raises(AssertionError, match=re.escape(named)):
            assert_same_schema(source_database, target_database, "S 1")


def test_a_network_holds_back_and_lets_pass_and_cuts(server: Server) -> None:
    with network_to(server.port) as network:
        conn = psycopg.connect(server.conninfo(), port=network.port)
        for direction in BOTH:
            network.hold(direction)
            with under_way(lambda: conn.execute("SELECT 1").fetchone()) as answer:
                with pytest.raises(TimeoutError):
                    answer.result(0.2)
                network.let_pass()
                assert answer.result(10) == (1,)
        network.reset()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
