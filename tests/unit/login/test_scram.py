"""SCRAM-SHA-256, both ends: the RFC's own example, another implementation, and each other."""

from __future__ import annotations

import pytest
from scramp import ScramClient

from clone_engine.records.errors import PgError
from proxy.login.credential import Keys
from proxy.login.saslprep import prepared
from proxy.login.scram import BINDING_HEADER, Verifier, derive, parse_verifier, unbase64, verifier_of
from proxy.login.scram_client import ClientExchange
from proxy.login.scram_server import Binding, ServerExchange

PLAIN = Binding(offered=False, chosen=False)

# RFC 7677, section 3: user "user", password "pencil".
NONCE = b"rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def pencil() -> Keys:
    return derive(b"pencil", unbase64(b"W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)


def test_the_server_s_end_is_the_rfc_s() -> None:
    exchange = ServerExchange(verifier_of(pencil()), PLAIN, b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert exchange.first(b"n,,n=user,r=" + NONCE) == SERVER_FIRST
    accepted = exchange.final(CLIENT_FINAL)
    assert accepted is not None
    assert accepted.message == SERVER_FINAL
    assert accepted.keys == pencil()


@pytest.mark.parametrize("password", ["pencil", "a b", "pässwörd", "\u00aa\u2168", "pass\u00adword\u00a0x"])
@pytest.mark.parametrize("iterations", [4096, 10000])
def test_the_server_s_end_and_scramp_s_client_agree(password: str, iterations: int) -> None:
    keys = derive(password.encode(), b"0123456789abcdef", iterations)
    exchange = ServerExchange(verifier_of(keys), PLAIN, b"server")
    client = ScramClient(["SCRAM-SHA-256"], "somebody", password)
    client.set_server_first(exchange.first(client.get_client_first().encode()).decode())
    accepted = exchange.final(client.get_client_final().encode())
    assert accepted is not None
    client.set_server_final(accepted.message.decode())
    assert accepted.keys == keys


@pytest.mark.parametrize("header", [b"n,,", b"y,,", BINDING_HEADER])
def test_both_ends_agree(header: bytes) -> None:
    bound = header == BINDING_HEADER
    data = b"h" * 32 if bound else b""
    client = ClientExchange(header, data, b"client")
    server = ServerExchange(verifier_of(pencil()), Binding(offered=bound, chosen=bound, data=data), b"server")
    challenge = client.challenge(server.first(client.first))
    # The keys are enough, without the password.
    accepted = server.final(client.final(challenge, pencil()))
    assert accepted is not None
    client.verify(accepted.message)


def test_another_certificate_is_noticed() -> None:
    client = ClientExchange(BINDING_HEADER, b"h" * 32, b"client")
    server = ServerExchange(verifier_of(pencil()), Binding(offered=True, chosen=True, data=b"o" * 32), b"server")
    challenge = client.challenge(server.first(client.first))
    with pytest.raises(PgError, match="channel binding check failed") as refused:
        server.final(client.final(challenge, pencil()))
    assert refused.value.sqlstate == "28000"


def test_an_offer_that_was_made_smaller_on_its_way_is_noticed() -> None:
    server = ServerExchange(verifier_of(pencil()), Binding(offered=True, chosen=False), b"server")
    with pytest.raises(PgError, match="negotiation error") as refused:
        server.first(ClientExchange(b"y,,", b"", b"client").first)
    assert refused.value.sqlstate == "28000"


def test_a_wrong_password_proves_nothing() -> None:
    client = ClientExchange(b"n,,", b"", b"client")
    server = ServerExchange(verifier_of(pencil()), PLAIN, b"server")
    challenge = client.challenge(server.first(client.first))
    assert server.final(client.final(challenge, derive(b"pen", challenge.salt, challenge.iterations))) is None


def test_a_server_that_does_not_know_the_verifier_is_noticed() -> None:
    client = ClientExchange(b"n,,", b"", b"client")
    server = ServerExchange(verifier_of(pencil()), PLAIN, b"server")
    client.final(client.challenge(server.first(client.first)), pencil())
    with pytest.raises(PgError, match="does not know the password") as refused:
        client.verify(SERVER_FINAL)
    assert refused.value.sqlstate == "28000"


@pytest.mark.parametrize(
    "server_first",
    [
        b"",
        b"r=nonce",
        b"r=nonce,s=AAAA,i=4096",  # nothing added to ours
        b"r=other1,s=AAAA,i=4096",
        b"r=nonce1,s=?,i=4096",
        b"r=nonce1,s=AAAA,i=0",
        b"r=nonce1,s=AAAA,i=-1",
        b"r=nonce1,s=AAAA,i=1e9",
        b"r=nonce1,s=AAAA,i=1000000000",
        b"r=nonce1,s=AAAA,i=" + b"9" * 5000,
        b"s=AAAA,r=nonce1,i=4096",
        b"m=x,r=nonce1,s=AAAA,i=4096",
        b"e=other-error",
    ],
)
def test_a_server_s_first_message_that_cannot_be_answered(server_first: bytes) -> None:
    with pytest.raises(PgError) as refused:
        ClientExchange(b"n,,", b"", b"nonce").challenge(server_first)
    assert refused.value.sqlstate == "08P01"


VERIFIER = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_a_verifier_as_the_server_writes_it() -> None:
    assert parse_verifier(VERIFIER) == verifier_of(pencil())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password",
        VERIFIER[:-2],
        VERIFIER + "x",
        VERIFIER.replace("4096", "0"),
        VERIFIER.replace("4096", "-1"),
        VERIFIER.replace("4096", "99999999999"),
        VERIFIER.replace("W22", "?22"),
        VERIFIER.replace("256", "512"),
        "md5" + 32 * "0",
    ],
)
def test_what_is_no_verifier(text: str) -> None:
    assert parse_verifier(text) is None


@pytest.mark.parametrize(
    ("password", "canonical"),
    [
        # RFC 4013, section 3.
        ("I\u00adX".encode(), b"IX"),
        (b"user", b"user"),
        ("\u00aa".encode(), b"a"),
        ("\u2168".encode(), b"IX"),
        ("\u0627\u0031".encode(), "\u0627\u0031".encode()),  # mixed directions: as it is
        # What PostgreSQL does with the rest.
        (b"\x07", b"\x07"),
        (b"\xff\xe4", b"\xff\xe4"),
        ("a\u00a0b".encode(), b"a b"),
        ("\u00ad".encode(), "\u00ad".encode()),  # nothing would be left
        ("\u0221".encode(), "\u0221".encode()),  # not in Unicode 3.2
        ("\u0627b\u0628".encode(), "\u0627b\u0628".encode()),
        ("\u0627\u0628".encode(), "\u0627\u0628".encode()),
    ],
)
def test_passwords_in_their_canonical_form(password: bytes, canonical: bytes) -> None:
    assert prepared(password) == canonical


def test_nothing_shows_a_secret() -> None:
    keys = derive(b"s3cret", b"0123456789abcdef", 4096)
    verifier: Verifier = verifier_of(keys)
    server = ServerExchange(verifier, PLAIN, b"n")
    shown = f"{keys} {keys!r} {verifier} {server!r}"
    assert "<Keys>" in shown
    assert repr(keys.client_key)[2:-1] not in shown
    assert repr(verifier.stored_key)[2:-1] not in shown
