"""Who a start-up packet says that the client is."""

from __future__ import annotations

import pytest

from proxy.login.principal import Principal
from proxy.wire.startup import read_packet
from tests.harness.wire import startup


@pytest.mark.parametrize(
    ("value", "replication"),
    [(word, False) for word in ("off", "OFF", "of", "f", "fal", "False", "n", "no", "0")]
    + [(word, True) for word in ("database", "on", "true", "t", "YES", "y", "1")],
)
def test_replication_is_a_boolean_as_postgresql_reads_it(value: str, replication: bool) -> None:
    packet = read_packet(startup("me", "here", replication=value))
    assert packet is not None
    assert Principal(packet).replication == replication


def test_without_the_parameter_there_is_none() -> None:
    packet = read_packet(startup("me", "here"))
    assert packet is not None
    assert not Principal(packet).replication


def test_names_are_cut_as_by_the_server() -> None:
    """Or it would be somebody else here than there."""
    packet = read_packet(startup("u" * 63 + "more", "d" * 62 + "é"))
    assert packet is not None
    principal = Principal(packet)
    assert principal.role == "u" * 63
    assert principal.database.encode("utf-8", "surrogateescape") == b"d" * 62 + b"\xc3"
