"""What a real proxy logs of connections and jobs, and of whom."""

from __future__ import annotations

import json
import socket
from typing import Any

import psycopg
import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database
from tests.harness.waiting import wait_until
from tests.harness.wire import Client, message, startup

JSON = {"log": {"level": "info", "format": "json", "connections": True, "disconnections": True}}


def events(proxy: ProxyProcess, sentence: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in proxy.log().splitlines()]
    return [line for line in lines if line["event"] == sentence]


def one_event(proxy: ProxyProcess, sentence: str) -> dict[str, Any]:
    """The line with this sentence, once it is there; the only one."""
    (line,) = wait_until(lambda: events(proxy, sentence), 30, sentence)
    return line


@pytest.mark.parametrize("by_socket", [False, True])
def test_a_connection_from_its_login_to_its_end(proxies: Proxies, server: Server, by_socket: bool) -> None:
    proxy = proxies.start(server.conninfo(), JSON)
    with psycopg.connect(proxy.conninfo("template1", by_socket=by_socket)):
        begun = one_event(proxy, "connection authenticated")
    ended = one_event(proxy, "connection ended")
    for line in (begun, ended):
        assert (line["user"], line["database"], line["level"]) == ("postgres", "template1", "info")
        assert line["client"] == "[local]" if by_socket else line["client"].startswith("127.0.0.1:")
    assert begun["connection"] == ended["connection"]
    assert ended["reason"] == "the client has left"
    assert ended["seconds"] >= 0


def test_a_client_that_has_said_so_has_left_even_if_it_waits_for_the_server(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), JSON)
    with Client("127.0.0.1", proxy.port, "postgres", "postgres") as client:
        client.send(message(b"X"))
        assert client.receive() is None
        assert one_event(proxy, "connection ended")["reason"] == "the client has left"


def test_why_a_connection_ended(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), JSON)
    with connect(proxy) as connection, pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())")
    assert one_event(proxy, "connection ended")["reason"] == "the server has closed it"


def test_without_the_settings_connections_are_not_logged(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), {"log": {"level": "info"}})
    connect(proxy).close()
    proxy.stop()
    assert "connection" not in proxy.log()


def test_who_is_refused_and_why(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), {**JSON, "server": {"startup_timeout": 0.2}})
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
        assert client.recv(1) == b""
    assert "startup_timeout" in one_event(proxy, "connection refused")["reason"]


def test_cancel_requests_are_logged(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), JSON)
    with connect(proxy) as connection:
        connection.cancel_safe(timeout=10)
    assert one_event(proxy, "cancel request")["client"].startswith("127.0.0.1:")


def test_a_name_cannot_forge_a_line(proxies: Proxies, server: Server) -> None:
    proxy = proxies.start(server.conninfo(), {"log": {"connections": True, "disconnections": True}})
    forged = "x\n2026-01-01T00:00:00Z error    forged\x1b[2J"
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
        client.sendall(startup(forged, forged))
        while client.recv(4096):
            pass
    wait_until(lambda: "connection ended" in proxy.log(), 30, "the end of the connection")
    assert "\x1b" not in proxy.log()
    assert [line for line in proxy.log().splitlines() if "forged" in line and "connection=" not in line] == []


def test_a_job_from_its_acceptance_to_its_end(
    proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    proxy = proxies.start(server.conninfo(), JSON)
    source_database.execute("CREATE TABLE public.t ()")
    with connect(proxy, target_database.name) as connection:
        source = source_database.conninfo(application_name="x y")
        connection.execute("SELECT pgclone_table(%s, 'public', 't')", (source,))
    submitted = one_event(proxy, "job submitted")
    assert (submitted["job_id"], submitted["owner"], submitted["kind"]) == (1, "postgres", "table")
    assert one_event(proxy, "job is completed")["job_id"] == 1
