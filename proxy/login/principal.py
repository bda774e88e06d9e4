"""Who a client says it is, in its start-up packet; and who it is, once the server has let it in."""

from __future__ import annotations

from proxy.wire.startup import Packet

LONGEST_NAME = 63
"""Bytes: NAMEDATALEN - 1."""


class Principal:
    """Role and database as the start-up packet named them."""

    __slots__ = ("database", "replication", "role")

    def __init__(self, packet: Packet) -> None:
        # Names are bytes to the server; surrogates keep two that differ from becoming one principal.
        self.role = _name(packet.parameters.get("user", b""))
        self.database = _name(packet.parameters.get("database", b"")) or self.role
        self.replication = not _is_off(packet.parameters.get("replication", b""))

    def __repr__(self) -> str:
        return f"<Principal {self.role}@{self.database}>"


def _name(value: bytes) -> str:
    """Cut as the server cuts it."""
    return value[:LONGEST_NAME].decode("utf-8", "surrogateescape")


def _is_off(value: bytes) -> bool:
    """Whether a boolean is false as PostgreSQL reads it: any beginning of a word that is no other's."""
    word = value.decode("latin-1").lower()
    return any(begin.startswith(word) for begin in ("false", "no", "0")) or (len(word) > 1 and "off".startswith(word))
