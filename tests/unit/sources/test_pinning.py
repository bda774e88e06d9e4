"""Hosts are looked up once: every address is checked, and goes into the conninfo."""

from __future__ import annotations

import asyncio

import pytest

from clone_engine.records.errors import PgError
from clone_engine.records.request import Conninfo
from proxy.resolver import LookUp, Resolver
from proxy.sources.patterns import Place
from proxy.sources.pinning import pinned


def pin(seen: list[Place] | None = None, look_up: LookUp | None = None, **parameters: str) -> dict[str, str]:
    check = [].append if seen is None else seen.append
    return asyncio.run(pinned(Conninfo(parameters), check, look_up or Resolver(1).addresses)).parameters


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"host": "127.0.0.1"}, {"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": "5432"}),
        ({"host": "a", "hostaddr": "10.0.0.1"}, {"host": "a", "hostaddr": "10.0.0.1", "port": "5432"}),
        ({"hostaddr": "10.0.0.1", "port": "1"}, {"hostaddr": "10.0.0.1", "port": "1"}),
        ({"hostaddr": "10.0.0.1,::1"}, {"hostaddr": "10.0.0.1,::1", "port": "5432,5432"}),
        ({"host": "/tmp", "port": "7"}, {"host": "/tmp", "port": "7"}),
        (
            {"host": "/tmp,127.0.0.2", "port": "7,"},
            {"host": "/tmp,127.0.0.2", "hostaddr": ",127.0.0.2", "port": "7,5432"},
        ),
        ({"host": "127.0.0.1,127.0.0.2", "port": "7"},
         {"host": "127.0.0.1,127.0.0.2", "hostaddr": "127.0.0.1,127.0.0.2", "port": "7,7"}),
    ],
)  # fmt: skip
def test_pinned(parameters: dict[str, str], expected: dict[str, str]) -> None:
    assert pin(**parameters, dbname="d") == expected | {"dbname": "d"}


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "017700000001"])
def test_every_spelling_of_an_address_is_checked_as_what_it_is(spelling: str) -> None:
    seen: list[Place] = []
    assert pin(seen, host=spelling)["hostaddr"] == "127.0.0.1"
    assert [str(place.address) for place in seen] == ["127.0.0.1"]


def test_a_name_with_several_addresses_becomes_as_many_hosts() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return {"db": ["10.0.0.1", "10.0.0.2"], "other": ["fd00::1"]}[host]

    seen: list[Place] = []
    assert pin(seen, look_up, host="db,other", port="1,2") == {
        "host": "db,db,other",
        "hostaddr": "10.0.0.1,10.0.0.2,fd00::1",
        "port": "1,1,2",
    }
    assert [(place.host, str(place.address), place.port, place.looked_up) for place in seen] == [
        ("db", "10.0.0.1", 1, True),
        ("db", "10.0.0.2", 1, True),
        ("other", "fd00::1", 2, True),
    ]


def test_one_refused_address_refuses_all() -> None:
    def check(place: Place) -> None:
        if str(place.address) == "127.0.0.2":
            raise PgError("42501", "no")

    for hosts in ("127.0.0.1,127.0.0.2", "127.0.0.2,127.0.0.1"):
        with pytest.raises(PgError, match="no"):
            asyncio.run(pinned(Conninfo({"host": hosts}), check, Resolver(1).addresses))


@pytest.mark.parametrize(
    ("parameters", "sqlstate"),
    [
        ({"host": "a", "hostaddr": "10.0.0.1,10.0.0.2"}, "22023"),
        ({"host": "a,b,c", "hostaddr": "10.0.0.1,10.0.0.2,10.0.0.3", "port": "1,2"}, "22023"),
        ({"host": ",127.0.0.1"}, "22023"),
        ({"hostaddr": "10.0.0.1,"}, "22023"),
        ({"hostaddr": "0x7f000001"}, "22023"),
        ({"hostaddr": "db.example"}, "22023"),
        ({"host": "no-such-host.invalid"}, "08001"),
        ({"host": "a" * 70}, "08001"),
        ({"host": "a..b"}, "08001"),
        ({"host": " 127.0.0.1 x"}, "08001"),
    ],
)
def test_refused(parameters: dict[str, str], sqlstate: str) -> None:
    with pytest.raises(PgError) as refused:
        pin(**parameters)
    assert refused.value.sqlstate == sqlstate
    assert refused.value.hint


def test_a_name_server_that_does_not_answer_is_not_waited_for() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().create_future()

    with pytest.raises(PgError) as refused:
        asyncio.run(pinned(Conninfo({"host": "db.example"}), [].append, look_up, seconds=0.01))
    assert refused.value.sqlstate == "08001"
