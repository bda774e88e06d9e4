"""Lookups by the system's resolver: what they give; those that hang neither grow in number nor are waited for."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from proxy.resolver import Resolver


async def test_a_name_has_addresses() -> None:
    found = await Resolver(1).addresses("localhost", 5432)
    assert {"127.0.0.1", "::1"} & set(found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "a" * 70])
async def test_or_it_has_none(name: str) -> None:
    resolver = Resolver(1)
    for _ in range(2):  # the place is free again
        with pytest.raises(OSError):
            await resolver.addresses(name, 5432)


async def test_a_lookup_that_hangs_keeps_its_place_though_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a name server does not answer: there is none to be had on this machine that would not."""
    asked, answers = [], threading.Event()
    ask = socket.getaddrinfo

    def slow(name: str, *rest: int, **more: int) -> object:
        asked.append(name)
        answers.wait(20)
        return ask("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = Resolver(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolver.addresses("one", 5432), 0.01)
    second = asyncio.create_task(resolver.addresses("two", 5432))
    await asyncio.sleep(0)
    assert asked == ["one"]
    answers.set()
    assert await asyncio.wait_for(second, 20) == ["127.0.0.1"]
    assert asked == ["one", "two"]
