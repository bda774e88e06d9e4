"""Messages: what is encoded is decoded again, and bytes that are no message are refused."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.wire import messages
from proxy.wire.messages import Bind, Parse, ProtocolError

PARSES = [Parse(b"", b"select 1", ()), Parse(b"s1", b"select $1", (23, 0)), Parse(b"", b"", (0,))]
BINDS = [
    Bind(b"", b"", (), (), b"\0\0"),
    Bind(b"p", b"s", (1,), (b"\0\0\0\7", None), b"\0\1\0\1"),
    Bind(b"", b"", (0, 1), (b"", b"x"), b"\0\0"),
]


@pytest.mark.parametrize("parse", PARSES)
def test_parse_survives_the_round_trip(parse: Parse) -> None:
    assert messages.decode_parse(parse.encode()[5:]) == parse


@pytest.mark.parametrize("bind", BINDS)
def test_bind_survives_the_round_trip(bind: Bind) -> None:
    assert messages.decode_bind(bind.encode()[5:]) == bind


@pytest.mark.parametrize("message", [*(p.encode() for p in PARSES), *(b.encode() for b in BINDS)])
def test_a_message_cut_short_is_refused(message: bytes) -> None:
    decode = {ord("P"): messages.decode_parse, ord("B"): messages.decode_bind}[message[0]]
    for end in range(5, len(message)):
        with pytest.raises(ProtocolError):
            decode(message[5:end])
    with pytest.raises(ProtocolError):
        decode(message[5:] + b"\0")


@pytest.mark.parametrize(
    ("formats", "parameters", "expected"),
    [
        ((), (), (0,)),
        ((), (b"a", b"b"), (0, 0, 0)),
        ((1,), (b"a", b"b"), (1, 1, 0)),
        ((1,), (), (0,)),
        ((0, 1), (b"a", b"b"), (0, 1, 0)),
    ],
)
def test_the_hidden_parameter_is_text_behind_the_others(
    formats: tuple[int, ...], parameters: tuple[bytes, ...], expected: tuple[int, ...]
) -> None:
    bind = Bind(b"", b"", formats, parameters, b"\0\0").with_parameter(b"{}")
    assert bind.formats == expected
    assert bind.parameters == (*parameters, b"{}")


def test_the_last_parameter_is_dropped_from_a_description() -> None:
    body = b"\0\2" + b"\0\0\0\x17" + b"\0\0\x0e\xda"
    assert messages.drop_last_parameter(body) == b"t\0\0\0\x0a\0\1\0\0\0\x17"


def test_an_error_has_all_its_fields() -> None:
    error = PgError("22023", "no", detail="why", hint="do", position=7)
    fields = messages.decode_fields(messages.encode_error(error, "utf-8")[5:])
    assert fields == {"S": b"ERROR", "V": b"ERROR", "C": b"22023", "M": b"no", "D": b"why", "H": b"do", "P": b"7"}


def test_text_that_the_client_cannot_take_does_not_break_the_message() -> None:
    fields = messages.decode_fields(messages.encode_error(PgError("22023", "tab\0le 表"), "latin-1")[5:])
    assert fields["M"] == b"table ?"


@pytest.mark.parametrize(
    ("formats", "value", "integer"),
    [
        ((), b"7", 7),
        ((), b"-2147483648", -(2**31)),
        ((0,), b"007", 7),
        ((1,), b"\0\7", 7),
        ((1,), b"\xff\xff\xff\xf9", -7),
        ((0, 1), b"\0\0\0\0\0\0\0\7", 7),
        ((0,), b" 7", None),
        ((0,), b"0x7", None),
        ((0,), b"7_0", None),
        ((0,), b"", None),
        ((0,), None, None),
        ((1,), None, None),
    ],
)
def test_parameters_that_are_integers(formats: tuple[int, ...], value: bytes | None, integer: int | None) -> None:
    bind = Bind(b"", b"", formats, (b"\0\1", value), b"\0\0")
    assert bind.integer(2) == integer
    assert bind.integer(3) is None
