"""Who a client says it is, in its start-up packet; and who it is, once the server has let it in."""

from __future__ import annotations

from proxy.wire.startup import Packet


class Principal:
    """Role and database as the start-up packet named them."""

    __slots__ = ("database", "replication", "role")

    def __init__(self, packet: Packet) -> None:
        # Names are bytes to the server; surrogates keep two that differ from becoming one principal.
        self.role = packet.parameters.get("user", b"").decode("utf-8", "surrogateescape")
        self.database = packet.parameters.get("database", b"").decode("utf-8", "surrogateescape") or self.role
        self.replication = packet.parameters.get("replication", b"") not in (b"", b"off", b"false", b"no", b"0")

    def __repr__(self) -> str:
        return f"<Principal {self.role}@{self.database}>"
