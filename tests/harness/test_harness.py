"""The harness itself: every server here starts, is reached both ways, and is gone when stopped."""

from __future__ import annotations

import psycopg
import pytest

from proxy.embedded import Server, installations, private_directory
from tests.harness.servers import PASSWORD, Database


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
