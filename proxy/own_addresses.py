"""Which addresses are this machine's own."""

from __future__ import annotations

import socket
from contextlib import suppress


def is_own(address: str) -> bool:
    """Whether this IP address is one of this machine; also of one that stands for all of them, as 0.0.0.0."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))  # only an own address can be bound to
        return True
    return False
