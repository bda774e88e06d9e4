"""Lists of hosts, as libpq reads them."""

from __future__ import annotations

import asyncio

import pytest

from proxy.config import ConfigError
from proxy.upstream.places import Names, Place, listed, places

LISTS: tuple[tuple[dict[str, str], tuple[Place, ...]], ...] = (
    ({"host": "a"}, (Place("a", "", 5432),)),
    ({"host": "a,b"}, (Place("a", "", 5432), Place("b", "", 5432))),
    ({"host": "a, b", "port": "1"}, (Place("a", "", 1), Place("b", "", 1))),
    ({"host": "a,b", "port": "1,"}, (Place("a", "", 1), Place("b", "", 5432))),
    ({"hostaddr": "10.0.0.1,::1"}, (Place("", "10.0.0.1", 5432), Place("", "::1", 5432))),
    ({"host": "a,b", "hostaddr": "10.0.0.1,"}, (Place("a", "10.0.0.1", 5432), Place("b", "", 5432))),
    ({"host": "/run,@x", "port": "7"}, (Place("/run", "", 7), Place("@x", "", 7))),
    ({"port": "7"}, (Place("/var/run/postgresql", "", 7), Place("/tmp", "", 7), Place("localhost", "", 7))),
)


@pytest.mark.parametrize(("parameters", "expected"), LISTS)
def test_each_host_is_a_place(parameters: dict[str, str], expected: tuple[Place, ...]) -> None:
    assert places(parameters) == expected


@pytest.mark.parametrize(("parameters", "expected"), LISTS)
def test_what_libpq_is_given_lists_the_same(parameters: dict[str, str], expected: tuple[Place, ...]) -> None:
    assert places(listed(expected)) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"host": "a,b", "port": "1,2,3"},
        {"host": "a,b", "hostaddr": "10.0.0.1"},
        {"hostaddr": "a"},
        {"port": "0"},
        {"port": "65536"},
        {"port": "x"},
        {"host": "a", "port": "²"},
    ],
)
def test_what_does_not_fit_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"server\.target"):
        places(parameters)


@pytest.mark.parametrize(
    ("place", "path", "shown"),
    [
        (Place("/run", "", 7), "/run/.s.PGSQL.7", "/run/.s.PGSQL.7"),
        (Place("/run/", "", 7), "/run/.s.PGSQL.7", "/run/.s.PGSQL.7"),
        (Place("@x", "", 7), "@x/.s.PGSQL.7", "@x/.s.PGSQL.7"),
        (Place("a", "", 7), "", "a:7"),
        (Place("", "::1", 7), "", "[::1]:7"),
        (Place("/run", "10.0.0.1", 7), "", "/run:7"),
    ],
)
def test_a_host_that_is_a_path_is_a_unix_socket(place: Place, path: str, shown: str) -> None:
    assert (place.socket_path, str(place)) == (path, shown)


async def test_a_name_is_looked_up_once_for_all_who_ask() -> None:
    asked, answer = [], asyncio.Event()

    async def look_up(name: str, port: int) -> list[str]:
        asked.append((name, port))
        await answer.wait()
        return ["10.0.0.1"]

    names, place = Names(look_up, remembered=3600), Place("db", "", 5432)
    waiting = [asyncio.create_task(names.addresses(place)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting.pop().cancel()  # which is not the others' end
    answer.set()
    assert await asyncio.gather(*waiting) == [["10.0.0.1"]] * 4
    assert await names.addresses(place) == ["10.0.0.1"]
    assert asked == [("db", 5432)]


async def test_so_is_one_that_has_no_address() -> None:
    asked = []

    async def look_up(name: str, port: int) -> list[str]:
        asked.append(name)
        raise OSError("no such name")

    names = Names(look_up, remembered=0.0)
    for count in (1, 2):
        with pytest.raises(OSError, match="no such name"):
            await names.addresses(Place("db", "", 5432))
        assert asked == ["db"] * count


async def test_addresses_and_sockets_are_no_names() -> None:
    names = Names()
    assert await names.addresses(Place("db", "10.0.0.1", 5432)) == ["10.0.0.1"]
    assert await names.addresses(Place("::1", "", 5432)) == ["::1"]
    assert await names.addresses(Place("/run", "", 5432)) == ["/run/.s.PGSQL.5432"]
