"""Messages of a login: whatever the bytes are, they are accepted, or refused with the one documented error."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from clone_engine.records.errors import PgError
from proxy.config import ConfigError
from proxy.login.auth_file import parse
from proxy.login.saslprep import prepared
from proxy.login.scram import BINDING_HEADER, derive, parse_verifier, verifier_of
from proxy.login.scram_client import ClientExchange
from proxy.login.scram_server import Binding, ServerExchange
from proxy.wire.authentication import Initial, decode_initial, decode_mechanisms, decode_request
from proxy.wire.messages import ProtocolError

KEYS = derive(b"pencil", b"0123456789abcdef", 1)
PARTS = st.sampled_from(
    [b"n", b"y", b"p", b"=", b",", b"a", b"m", b"r", b"c", b"s", b"i", b"v", b"biws", b"1", b"\0", b"\xff", b"nonce"]
)
TEXTS = st.one_of(st.binary(max_size=60), st.lists(PARTS, max_size=20).map(b"".join))
BINDINGS = st.sampled_from([Binding(False, False), Binding(True, False, b"h"), Binding(True, True, b"h")])


@given(first=TEXTS, final=TEXTS, binding=BINDINGS)
def test_what_a_client_says_in_scram(first: bytes, final: bytes, binding: Binding) -> None:
    exchange = ServerExchange(verifier_of(KEYS), binding, b"server")
    with suppress(PgError):
        exchange.first(first)
        assert exchange.final(final) is None  # nobody guesses a proof
    with suppress(PgError):
        exchange.first((BINDING_HEADER if binding.chosen else b"n,,") + b"n=,r=nonce")
        assert exchange.final(final) is None


@given(first=TEXTS, final=TEXTS)
def test_what_a_server_says_in_scram(first: bytes, final: bytes) -> None:
    exchange = ClientExchange(b"n,,", b"", b"nonce")
    with suppress(PgError):
        exchange.challenge(first)
    exchange.final(exchange.challenge(b"r=nonce1,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=1"), KEYS)
    with suppress(PgError):
        exchange.verify(final)
        raise AssertionError("a signature was guessed")


@given(st.binary(max_size=40))
def test_bodies(body: bytes) -> None:
    decode_mechanisms(body)
    with suppress(ProtocolError):
        decode_initial(body)
    with suppress(ProtocolError):
        decode_request(b"R" + bytes(4) + body)


@given(st.binary().filter(lambda name: b"\0" not in name), st.none() | st.binary())
def test_initial_responses_go_round(mechanism: bytes, data: bytes | None) -> None:
    initial = Initial(mechanism, data)
    assert decode_initial(initial.encode()[5:]) == initial


@given(st.text(), st.binary())
def test_secrets_of_any_text(text: str, password: bytes) -> None:
    parse_verifier(text)
    prepared(password)
    prepared(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        parse(text, "file")
