"""A target that would be the proxy itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from proxy.config import ConfigError, ServerSettings
from proxy.listening import listeners, listeners_at
from proxy.own_addresses import Listeners
from proxy.upstream import parse_target
from proxy.upstream.own import refuse_itself

PORT = 6432


def at(*tcp: str, paths: tuple[str, ...] = ()) -> Listeners:
    return Listeners(frozenset((address, PORT) for address in tcp), frozenset(paths))


@pytest.mark.parametrize(
    ("ours", "target"),
    [
        (at("127.0.0.1"), "127.0.0.1"),
        (at("127.0.0.1"), "localhost"),
        (at("127.0.0.1"), "0.0.0.0"),
        (at("0.0.0.0"), "127.0.0.2"),
        (at("::"), "127.0.0.1"),
        (at(paths=(f"/tmp/.s.PGSQL.{PORT}",)), "/tmp/"),
        (at(paths=(f"@ours/.s.PGSQL.{PORT}",)), "@ours"),
    ],
)
def test_what_is_the_proxy_itself(ours: Listeners, target: str) -> None:
    with pytest.raises(ConfigError, match="the proxy itself"):
        refuse_itself(parse_target(f"host=elsewhere.example,{target} port={PORT}", 10), ours)


@pytest.mark.parametrize(
    ("ours", "target"),
    [
        (at("127.0.0.1"), f"host=127.0.0.1 port={PORT + 1}"),
        (at("127.0.0.1"), f"host=127.0.0.2 port={PORT}"),
        (at("0.0.0.0"), f"host=192.0.2.1 port={PORT}"),
        (at("127.0.0.1"), f"host=/tmp port={PORT}"),
        (at(paths=(f"/tmp/.s.PGSQL.{PORT}",)), f"host=/tmp port={PORT + 1}"),
        (at(paths=(f"/tmp/.s.PGSQL.{PORT}",)), f"host=localhost port={PORT}"),
    ],
)
def test_what_is_another(ours: Listeners, target: str) -> None:
    refuse_itself(parse_target(target, 10), ours)


def test_a_unix_socket_is_known_by_another_name_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(ConfigError, match="the proxy itself"):
        refuse_itself(
            parse_target(f"host={tmp_path}/link port={PORT}", 10), at(paths=(f"{tmp_path}/there/.s.PGSQL.{PORT}",))
        )


@pytest.fixture
def passed(short_tmp: Path) -> Iterator[list[socket.socket]]:
    """Sockets of each kind that a service manager may pass."""
    names = [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(short_tmp / "x")), (socket.AF_UNIX, "\0x/y")]
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket(family)) for family, _ in names]
        for sock, (_, name) in zip(sockets, names, strict=True):
            sock.bind(name)
        yield sockets


def test_where_sockets_that_are_passed_listen(short_tmp: Path, passed: list[socket.socket]) -> None:
    port = passed[0].getsockname()[1]
    ours = listeners_at(passed)
    assert ours == Listeners(frozenset({("127.0.0.1", port)}), frozenset({str(short_tmp / "x"), "@x/y"}))


def test_where_the_settings_have_the_proxy_listen() -> None:
    assert listeners(ServerSettings(unix_socket_dir="")) == at("127.0.0.1")
    assert listeners(ServerSettings()) == at("127.0.0.1", paths=("/tmp/.s.PGSQL.6432",))
    assert ("0.0.0.0", PORT) in listeners(ServerSettings(listen_host="")).tcp
