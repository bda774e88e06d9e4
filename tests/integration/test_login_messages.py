"""Messages of a login that are none: the proxy, where it checks clients itself, answers as the server does."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import pack

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from proxy.wire.messages import decode_fields
from tests.harness.proxies import running_proxies
from tests.harness.servers import Servers
from tests.harness.wire import message, startup
from tests.integration.login_roles import PASSWORD, with_roles

MECHANISM = b"SCRAM-SHA-256"
FIRST = b"n,,n=,r=abcdefgh"
PROOF = b",p=" + b"A" * 43 + b"="


def initial(data: bytes, mechanism: bytes = MECHANISM, size: int | None = None) -> bytes:
    """A SASLInitialResponse."""
    return message(b"p", mechanism + b"\0" + pack("!i", len(data) if size is None else size) + data)


FIRSTS = {
    "empty": initial(b""),
    "none": initial(b"", size=-1),
    "too short": initial(FIRST, size=100),
    "too long": initial(FIRST, size=2),
    "negative": initial(FIRST, size=-5),
    "nothing at all": message(b"p"),
    "no end of the mechanism": message(b"p", MECHANISM),
    "another mechanism": initial(FIRST, b"SCRAM-SHA-512"),
    "PLUS without TLS": initial(b"p=tls-server-end-point,,n=,r=abc", b"SCRAM-SHA-256-PLUS"),
    "another message": message(b"Q", b"SELECT 1\0"),
    "a terminator": message(b"X"),
    "a NUL": initial(b"n,,n=,r=a\0b"),
    "no flag": initial(b"x,,n=,r=abc"),
    "no comma behind n": initial(b"nn,,n=,r=abc"),
    "only a flag": initial(b"n"),
    "a flag and a comma": initial(b"n,"),
    "only a header": initial(b"n,,"),
    "y": initial(b"y,,n=,r="),
    "y without a comma": initial(b"yy"),
    "bound without PLUS": initial(b"p=tls-server-end-point,,n=,r=abc"),
    "an authorization identity": initial(b"n,a=root,n=,r=abc"),
    "something in the header": initial(b"n,b=root,n=,r=abc"),
    "a mandatory extension": initial(b"n,,m=x,n=,r=abc"),
    "no role": initial(b"n,,r=abc"),
    "no equals sign": initial(b"n,,n,r=abc"),
    "no nonce": initial(b"n,,n="),
    "another attribute than the nonce": initial(b"n,,n=,x=abc"),
    "a nonce with a blank": initial(b"n,,n=,r=a b"),
    "a nonce that is not ASCII": initial("n,,n=,r=aä".encode()),
    "an extension that is none": initial(b"n,,n=,r=abc,1=x"),
    "an extension without a value": initial(b"n,,n=,r=abc,x"),
    "longer than the server reads": initial(b"n,,n=,r=" + b"a" * 1100),
}

FINALS = {
    "empty": b"",
    "a NUL": b"c=biws,r=%b\0" + PROOF,
    "no binding": b"r=%b" + PROOF,
    "another binding": b"c=eSws,r=%b" + PROOF,
    "binding that is none": b"c=?,r=%b" + PROOF,
    "no nonce": b"c=biws" + PROOF,
    "another nonce": b"c=biws,r=%bx" + PROOF,
    "only the client's nonce": b"c=biws,r=abcdefgh" + PROOF,
    "no proof": b"c=biws,r=%b",
    "a proof that is short": b"c=biws,r=%b,p=AAAA",
    "a proof that is none": b"c=biws,r=%b,p=?",
    "an empty proof": b"c=biws,r=%b,p=",
    "something behind the proof": b"c=biws,r=%b" + PROOF + b",x=y",
    "an extension, and a wrong proof": b"c=biws,r=%b,x=y" + PROOF,
    "an attribute that is none": b"c=biws,r=%b,1=y" + PROOF,
    "a wrong proof": b"c=biws,r=%b" + PROOF,
    "longer than the server reads": b"c=biws,r=%b,x=" + b"a" * 1100 + PROOF,
}


@pytest.fixture(scope="module")
def logins(servers: Servers) -> Server:
    return with_roles(servers)


@pytest.fixture(scope="module")
def terminating(logins: Server) -> Iterator[ProxyProcess]:
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        file = Path(directory) / "auth"
        file.touch(mode=0o600)
        file.write_text(f'"lg_scram" "{PASSWORD}"\n')
        yield proxies.start(logins.conninfo(), {"auth": {"mode": "terminate", "file": str(file)}})


class Login:
    """A client that is asked for SCRAM-SHA-256."""

    def __init__(self, port: int, user: str = "lg_scram") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(startup(user, "postgres"))
        assert self.answer()[0] == b"R"

    def __enter__(self) -> Login:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.socket.close()

    def answer(self) -> tuple[bytes, bytes]:
        """The next message; nothing if the other side has left."""
        try:
            head = self.stream.read(5)
            return head[:1], self.stream.read(int.from_bytes(head[1:], "big") - 4) if head else b""
        except ConnectionResetError:  # it has left what was sent unread
            return b"", b""

    def refusal(self, sent: bytes) -> tuple[bytes, ...]:
        """Severity, SQLSTATE and message of the answer to a message; () if there is none."""
        self.socket.sendall(sent)
        kind, body = self.answer()
        if not kind:
            return ()
        if kind == b"R":
            return (b"R", body[:4])
        fields = decode_fields(body)
        assert self.answer()[0] == b"", "the connection stays"
        return kind, *(fields[name] for name in "VCM")


@pytest.mark.parametrize("first", FIRSTS)
def test_a_first_message(terminating: ProxyProcess, logins: Server, first: str) -> None:
    with Login(logins.port) as direct, Login(terminating.port) as through:
        assert through.refusal(FIRSTS[first]) == direct.refusal(FIRSTS[first])


def refused_at_last(port: int, final: bytes) -> tuple[bytes, ...]:
    with Login(port) as login:
        login.socket.sendall(initial(FIRST))
        kind, body = login.answer()
        assert (kind, body[:4]) == (b"R", pack("!I", 11))
        nonce = body[4:].split(b",")[0].removeprefix(b"r=")
        return login.refusal(message(b"p", final.replace(b"%b", nonce)))


@pytest.mark.parametrize("final", FINALS)
def test_a_last_message(terminating: ProxyProcess, logins: Server, final: str) -> None:
    direct = refused_at_last(logins.port, FINALS[final])
    assert refused_at_last(terminating.port, FINALS[final]) == direct


def test_roles_that_are_not_there_are_asked_like_others(terminating: ProxyProcess) -> None:
    def asked(user: str) -> tuple[int, bytes, int]:
        with Login(terminating.port, user) as login:
            login.socket.sendall(initial(FIRST))
            nonce, salt, count = login.answer()[1][4:].split(b",")
            return len(nonce), salt, len(salt) + len(count)

    there, not_there = asked("lg_scram"), asked("lg_nobody")
    assert not_there == asked("lg_nobody")
    assert there[0] == not_there[0]
    assert there[2] == not_there[2]


PASSWORDS = {
    "empty": message(b"p", b"\0"),
    "nothing at all": message(b"p"),
    "no NUL": message(b"p", b"secret"),
    "a NUL within": message(b"p", b"sec\0ret\0"),
    "another message": message(b"Q", b"SELECT 1\0"),
    "wrong": message(b"p", b"wrong\0"),
    "longer than the server reads": message(b"p", b"a" * 70000 + b"\0"),
}


@pytest.mark.parametrize("sent", PASSWORDS)
def test_a_password(proxy_with_password: ProxyProcess, logins: Server, sent: str) -> None:
    with Login(logins.port, "lg_clear") as direct, Login(proxy_with_password.port, "lg_clear") as through:
        assert through.refusal(PASSWORDS[sent]) == direct.refusal(PASSWORDS[sent])


@pytest.fixture(scope="module")
def proxy_with_password(logins: Server) -> Iterator[ProxyProcess]:
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        yield proxies.start(logins.conninfo())


def test_none_of_this_is_a_defect_of_the_proxy(terminating: ProxyProcess, proxy_with_password: ProxyProcess) -> None:
    for proxy in (terminating, proxy_with_password):
        assert "Traceback" not in proxy.log()
