"""Start-up packets that no honest client sends: the same answer as the server's, byte for byte, or the same silence."""

from __future__ import annotations

import socket
from contextlib import suppress
from struct import pack
from typing import Any

import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from proxy.wire.messages import decode_fields
from tests.harness.proxies import Proxies, open_files
from tests.harness.waiting import wait_until
from tests.harness.wire import SSL_REQUEST, Client, query, startup

SECONDS = 20.0
WHERE_IN_THE_SOURCE = {"F", "L", "R"}


def packet(body: bytes, protocol: tuple[int, int] = (3, 0)) -> bytes:
    """A packet with any body behind the version."""
    return pack("!IHH", 8 + len(body), *protocol) + body


USER = b"user\0" + SUPERUSER.encode() + b"\0"
TO = USER + b"database\0postgres\0"

ENDED: dict[str, bytes] = {
    "nothing": b"",
    "half a length": b"\0\0",
    "a length and no more": pack("!I", 100),
    "half a packet": startup(SUPERUSER, "postgres")[:-3],
    "a request with a body": pack("!I", 12) + SSL_REQUEST[4:] + b"body",
    "half a packet behind a request": SSL_REQUEST + startup(SUPERUSER, "postgres")[:-3],
}
"""What the client stops in the middle of."""

PACKETS: dict[str, bytes] = {
    **{f"length {length}": pack("!i", length) + b"x" * 20 for length in (0, 3, 4, 7, 8, -1, 10_005, 2**31 - 1)},
    "no terminator": packet(TO),
    "no terminator of a value": packet(USER + b"database\0postgres"),
    "nothing but a version": packet(b""),
    "nothing but a terminator": packet(b"\0"),
    "a name without a value": packet(TO + b"application_name\0\0"),
    "a name without a terminator": packet(TO + b"application_name\0"),
    "something behind the terminator": packet(TO + b"\0more"),
    "another user behind the first": packet(b"user\0nobody\0" + TO + b"\0"),
    "no user": packet(b"database\0postgres\0\0"),
    "an empty user": packet(b"user\0\0database\0postgres\0\0"),
    "a user that is not there": packet(b"user\0nobody\0database\0postgres\0\0"),
    "a user with a name that is too long": packet(b"user\0" + b"u" * 100 + b"\0database\0postgres\0\0"),
    "a user that is not UTF-8": packet(b"user\0\xff\xfe\0database\0postgres\0\0"),
    "no database": packet(USER + b"\0"),
    "an empty database": packet(USER + b"database\0\0\0"),
    "a database with a name that is too long": packet(USER + b"database\0" + b"d" * 100 + b"\0\0"),
    "a database that is not there": packet(USER + b"database\0\xc3\xa4\0\0"),
    "a client_encoding that is none": packet(TO + b"client_encoding\0nosuch\0\0"),
    "replication that is none": packet(TO + b"replication\0maybe\0\0"),
    "an option of the protocol, and one of its value": packet(TO + b"_pq_.x\0_pq_.y\0\0"),
    **{f"protocol {major}.{minor}": packet(TO + b"\0", (major, minor))
       for major, minor in ((0, 0), (1, 0), (2, 0), (3, 1), (3, 2), (3, 9999), (4, 0), (1234, 0), (1234, 5677),
                            (1234, 5681), (65535, 65535))},
    "HTTP": b"GET / HTTP/1.1\r\nHost: postgres\r\n\r\n",
    "TLS where there is none": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "a request for encryption": SSL_REQUEST + packet(TO + b"\0"),
    "a query in place of a packet": query("SELECT 1"),
    **{f"a key of {size} bytes to cancel with": pack("!II", 12 + size, 80877102) + pack("!I", 1) + bytes(size)
       for size in (0, 3, 4, 32, 252, 253, 256, 257, 9000)},
    "nothing to cancel": pack("!II", 8, 80877102),
}  # fmt: skip


def answer(port: int, sent: bytes, *, ends: bool = False, piece: int = 1 << 20) -> list[Any]:
    """What comes back, up to a ReadyForQuery or the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        with suppress(ConnectionResetError, BrokenPipeError):  # the end, with something that was not read
            while sent.startswith(SSL_REQUEST):
                raw.sendall(SSL_REQUEST)
                sent = sent[len(SSL_REQUEST) :]
                assert raw.recv(1) == b"N"
            for start in range(0, len(sent), piece):
                raw.sendall(sent[start : start + piece])
            if ends:
                raw.shutdown(socket.SHUT_WR)
            while not is_ready(received) and (data := raw.recv(1 << 16)):
                received += data
        return shown(received)


def is_ready(received: bytes) -> bool:
    return received[-6:-1] == b"Z\0\0\0\5"


def shown(received: bytes) -> list[Any]:
    """Messages, without what differs from session to session; what is none as it is."""
    said: list[Any] = []
    while len(received) >= 5:
        kind, end = received[:1], 1 + int.from_bytes(received[1:5], "big")
        if end > len(received):
            break
        body, received = received[5:end], received[end:]
        if kind == b"E":
            said.append({k: v for k, v in decode_fields(body).items() if k not in WHERE_IN_THE_SOURCE})
        else:
            said.append((kind, len(body) if kind == b"K" else body))
    return [*said, received]


def test_the_answer_is_the_server_s(all_servers: list[Server], proxies: Proxies) -> None:
    for server in all_servers:
        proxy = proxies.start(server.conninfo())
        files = open_files(proxy)
        for cases, ends in ((PACKETS, False), (ENDED, True)):
            direct = {name: answer(server.port, sent, ends=ends) for name, sent in cases.items()}
            assert {name: answer(proxy.port, sent, ends=ends) for name, sent in cases.items()} == direct
        with Client("127.0.0.1", proxy.port, SUPERUSER, "postgres") as client:
            assert client.greeting[-1] == (b"Z", b"I")
        assert "Traceback" not in proxy.log()
        wait_until(lambda before=files, of=proxy: open_files(of) <= before, what="all sockets to be closed")


@pytest.mark.parametrize("piece", [1, 3])
def test_so_it_is_if_it_comes_in_pieces(server: Server, proxy: ProxyProcess, piece: int) -> None:
    for sent in (packet(TO + b"\0"), packet(TO), packet(TO + b"\0", (3, 9999)), packet(b"", (2, 0))):
        assert answer(proxy.port, sent, piece=piece) == answer(server.port, sent, piece=piece)
