"""Which session a CancelRequest is for."""

from __future__ import annotations

from struct import pack

from proxy.cancel import CancelKeys
from proxy.upstream import parse_target

CANCEL_REQUEST = 80877102


async def test_without_a_key_nothing_is_cancelled() -> None:
    """As where the server has given out none."""
    keys, stopped, sent = CancelKeys(parse_target("host=a", 1)), [], []

    def stop() -> bool:
        stopped.append(True)
        return True

    async def send(packet: bytes) -> None:
        sent.append(packet)

    keys.add(b"", stop, send)
    assert not await keys.deliver_here(pack("!II", 8, CANCEL_REQUEST))
    keys.remove(b"", stop)
    assert (stopped, sent) == ([], [])


async def test_a_key_is_its_session_s() -> None:
    keys, stopped = CancelKeys(parse_target("host=a", 1)), []

    def stop() -> bool:
        stopped.append(True)
        return True

    async def send(packet: bytes) -> None:
        raise AssertionError(packet)

    keys.add(b"key", stop, send)
    assert not await keys.deliver_here(pack("!II", 11, CANCEL_REQUEST) + b"kez")
    assert await keys.deliver_here(pack("!II", 11, CANCEL_REQUEST) + b"key")
    assert stopped == [True]
