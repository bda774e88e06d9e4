"""Targets of several hosts: which of them a session comes to, and that its jobs and cancel requests come there too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from clone_engine.records.errors import PgError
from proxy.embedded import Server, free_port
from tests.harness.commands import run
from tests.harness.proxies import Proxies, ProxyProcess, connect
from tests.harness.servers import PASSWORD, Servers
from tests.harness.standbys import standby_of
from tests.harness.waiting import under_way, wait_until, wait_until_asleep

WHICH = "SELECT current_setting('port')::int"


class Pair(NamedTuple):
    """A primary and its hot standby."""

    primary: Server
    standby: Server


@pytest.fixture(scope="module")
def pair(servers: Servers) -> Iterator[Pair]:
    primary = servers.get(name="with standbys")
    with standby_of(primary, servers.directory / "standby") as standby:
        yield Pair(primary, standby)


def target(*servers: Server, more: str = "") -> str:
    ports = ",".join(str(server.port) for server in servers)
    return f"host={','.join(['127.0.0.1'] * len(servers))} port={ports} user=postgres {more}"


def port_of(proxy: ProxyProcess) -> int:
    with connect(proxy) as connection:
        row = connection.execute(WHICH).fetchone()
    assert row is not None
    return int(row[0])


CHOICES = {
    "any": "primary",  # which is first
    "read-write": "primary",
    "primary": "primary",
    "read-only": "standby",
    "standby": "standby",
    "prefer-standby": "standby",
}


@pytest.mark.parametrize("attrs", CHOICES)
def test_a_session_comes_to_the_first_server_that_is_what_is_asked_for(
    proxies: Proxies, pair: Pair, attrs: str
) -> None:
    proxy = proxies.start(target(*pair, more=f"target_session_attrs={attrs}"))
    assert port_of(proxy) == getattr(pair, CHOICES[attrs]).port


def test_whichever_place_it_has_in_the_list(proxies: Proxies, pair: Pair) -> None:
    proxy = proxies.start(target(pair.standby, pair.primary, more="target_session_attrs=read-write"))
    assert port_of(proxy) == pair.primary.port


def test_where_a_standby_is_preferred_a_primary_alone_will_do(proxies: Proxies, pair: Pair) -> None:
    assert port_of(proxies.start(target(pair.primary, more="target_session_attrs=prefer-standby"))) == pair.primary.port


def test_a_list_without_what_is_asked_for_is_said_at_the_start(short_tmp: Path, pair: Pair) -> None:
    alone = target(pair.primary, more="target_session_attrs=standby")
    done = run("serve", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET=alone)
    assert (done.returncode, "the server is no hot standby" in done.stderr) == (2, True)


def test_so_is_a_user_who_cannot_ask(short_tmp: Path, scram_server: Server) -> None:
    asking = target(scram_server, more="password=canary target_session_attrs=primary")
    done = run("serve", directory=short_tmp, PGCLONE_PROXY_SERVER_TARGET=asking)
    assert (done.returncode, "password authentication failed" in done.stderr) == (2, True)
    assert "canary" not in done.stderr


def test_the_passfile_may_have_the_password_of_who_asks(
    short_tmp: Path, proxies: Proxies, scram_server: Server
) -> None:
    passfile = short_tmp / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:postgres:{PASSWORD}\n")
    asking = target(scram_server, more="target_session_attrs=primary")
    proxy = proxies.start(asking, {"jobs": {"passfile": str(passfile)}})
    with connect(proxy, password=PASSWORD) as connection:
        assert connection.execute(WHICH).fetchone() == (scram_server.port,)


def test_a_host_that_does_not_answer_is_passed_over(proxies: Proxies, server: Server) -> None:
    dead = free_port()
    listed = f"host=127.0.0.1,localhost port={dead},{server.port}"
    assert port_of(proxies.start(listed)) == server.port


def test_so_is_a_server_that_lets_nobody_in(servers: Servers, proxies: Proxies, pair: Pair) -> None:
    """A standby that is no hot one answers 57P03; where there is no other server, that answer is the client's."""
    words = "the database system is not accepting connections"
    with standby_of(pair.primary, servers.directory / "cold", {"hot_standby": "off"}) as cold:
        assert port_of(proxies.start(target(cold, pair.primary))) == pair.primary.port
        with pytest.raises(psycopg.OperationalError, match=words):
            connect(proxies.start(target(cold)))


def test_random_order_finds_every_server(proxies: Proxies, pair: Pair) -> None:
    proxy = proxies.start(target(*pair, more="load_balance_hosts=random"))
    found: set[int] = set()

    def both() -> bool:
        found.add(port_of(proxy))
        return len(found) == 2

    wait_until(both, 20, "a session on each")


def test_jobs_and_cancel_requests_come_to_the_server_of_the_session(proxies: Proxies, pair: Pair) -> None:
    """libpq would try the standby first, as it is the first in the list."""
    proxy = proxies.start(target(pair.standby, pair.primary, more="target_session_attrs=read-write"))
    with connect(proxy) as connection:
        connection.execute("CREATE SCHEMA pinned; CREATE TABLE pinned.t AS SELECT 1 AS a")
        connection.execute("CREATE DATABASE pinned")
        with connect(proxy, "pinned") as inside:
            copied = inside.execute("SELECT pgclone_schema('dbname=postgres', 'pinned', true)").fetchone()
            assert copied == ("OK",)
            assert inside.execute("SELECT a FROM pinned.t").fetchone() == (1,)
        pid = connection.info.backend_pid
        with under_way(lambda: connection.execute("SELECT pg_sleep(60)")) as sleeping:
            wait_until_asleep(proxy.conninfo(), pid)
            connection.cancel_safe()
            assert isinstance(sleeping.exception(), psycopg.errors.QueryCanceled)


def test_after_a_failover_sessions_come_to_the_new_primary(servers: Servers, proxies: Proxies) -> None:
    with (
        Server(servers.usual, servers.directory / "old", settings={"wal_level": "replica"}) as old,
        standby_of(old, servers.directory / "new") as new,
    ):
        proxy = proxies.start(target(old, new, more="target_session_attrs=primary"))
        assert port_of(proxy) == old.port
        old.stop()
        with psycopg.connect(new.conninfo(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

        def moved() -> bool:
            try:
                return port_of(proxy) == new.port
            except psycopg.OperationalError as error:  # what the new one was is remembered for a moment
                assert "hot standby" in str(error)
                return False

        wait_until(moved, 20, "sessions on the new primary")


def test_no_server_at_all_is_said_with_what_is_wrong_with_each(proxies: Proxies, servers: Servers) -> None:
    server = servers.get(name="to be stopped")
    dead = free_port()
    proxy = proxies.start(f"host=127.0.0.1,127.0.0.2 port={server.port},{dead}")
    server.stop()
    with pytest.raises(psycopg.OperationalError, match="any of the target servers") as refused:
        connect(proxy)
    for port in (server.port, dead):
        assert f"{port}: Connection refused" in str(refused.value)


def test_without_a_host_the_socket_is_taken_where_there_is_one(proxies: Proxies, server: Server) -> None:
    name = f".s.PGSQL.{server.port}"
    place = Path("/tmp") / name
    place.symlink_to(server.directory / name)
    try:
        proxy = proxies.start(f"port={server.port}")
        address = "SELECT inet_server_addr()::text"
        with connect(proxy) as connection:
            assert connection.execute(address).fetchone() == (None,)
        place.unlink()
        with connect(proxy) as connection:
            assert connection.execute(address).fetchone() == ("127.0.0.1/32",)
    finally:
        place.unlink(missing_ok=True)


def test_the_proxy_itself_is_refused_as_its_own_target(proxies: Proxies) -> None:
    port = free_port()
    with pytest.raises(PgError) as refused:
        proxies.start(f"host=localhost port={port}", {"server": {"listen_port": port, "listen_host": "0.0.0.0"}})
    assert "the proxy itself" in refused.value.detail
