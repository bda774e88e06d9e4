"""Which addresses are this machine's own, where a password may be asked for in clear."""

from __future__ import annotations

import pytest

from proxy.login.legs import is_loopback


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("128.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_addresses(address: str, own: bool) -> None:
    assert is_loopback(address) is own
