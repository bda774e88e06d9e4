"""Reading and writing the bodies of the messages that the proxy looks into (protocol chapters 54.7 and 54.8).

Pairs of encode and decode; a body is what follows the length.  Every decode raises ProtocolError for bytes that are
not such a message.  Which message may follow which is `exchange`'s business.
"""

from __future__ import annotations

import re
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from clone_engine.records.errors import PgError

_u32 = Struct("!I")
_i32 = Struct("!i")
_u16 = Struct("!H")

JSONB_OID = 3802

_DIGITS = re.compile(rb"-?[0-9]{1,18}")


class ProtocolError(Exception):
    """Bytes that are not the message they claim to be."""


def message(kind: bytes, body: bytes = b"") -> bytes:
    """A whole message: type byte, length, body."""
    return kind + _u32.pack(len(body) + 4) + body


def query(sql: bytes) -> bytes:
    """A Query message."""
    return message(b"Q", sql + b"\0")


def sync() -> bytes:
    """A Sync message."""
    return message(b"S")


def flush() -> bytes:
    """A Flush message."""
    return message(b"H")


def execute(portal: bytes = b"", rows: int = 0) -> bytes:
    """An Execute message; `rows` 0 is no limit."""
    return message(b"E", portal + b"\0" + _u32.pack(rows))


def close(what: bytes, name: bytes) -> bytes:
    """A Close message; `what` is b"S" for a statement, b"P" for a portal."""
    return message(b"C", what + name + b"\0")


def describe(what: bytes, name: bytes) -> bytes:
    """A Describe message; `what` is b"S" for a statement, b"P" for a portal."""
    return message(b"D", what + name + b"\0")


def ready(status: int) -> bytes:
    """ReadyForQuery with the transaction status byte."""
    return message(b"Z", bytes((status,)))


class Parse(NamedTuple):
    """A Parse message."""

    statement: bytes
    sql: bytes
    types: tuple[int, ...]

    def encode(self) -> bytes:
        """The whole message."""
        types = b"".join(_u32.pack(oid) for oid in self.types)
        return message(b"P", self.statement + b"\0" + self.sql + b"\0" + _u16.pack(len(self.types)) + types)


def decode_parse(body: bytes) -> Parse:
    """A Parse message from its body."""
    statement, rest = _string(body, 0)
    sql, rest = _string(body, rest)
    try:
        (count,) = _u16.unpack_from(body, rest)
        types = tuple(_u32.unpack_from(body, rest + 2 + 4 * i)[0] for i in range(count))
    except struct_error:
        raise ProtocolError("Parse is cut short") from None
    if rest + 2 + 4 * count != len(body):
        raise ProtocolError("Parse has bytes behind its types")
    return Parse(statement, sql, types)


class Bind(NamedTuple):
    """A Bind message.  A parameter of None is NULL."""

    portal: bytes
    statement: bytes
    formats: tuple[int, ...]
    parameters: tuple[bytes | None, ...]
    result_formats: bytes
    """The result formats as they were sent, count included."""

    def encode(self) -> bytes:
        """The whole message."""
        values = b"".join(_i32.pack(-1) if v is None else _u32.pack(len(v)) + v for v in self.parameters)
        formats = b"".join(_u16.pack(f) for f in self.formats)
        return message(
            b"B",
            self.portal + b"\0" + self.statement + b"\0" + _u16.pack(len(self.formats)) + formats
            + _u16.pack(len(self.parameters)) + values + self.result_formats,
        )  # fmt: skip

    def with_parameter(self, value: bytes) -> Bind:
        """The same Bind with one more parameter, in text format, behind the others."""
        count = len(self.parameters)
        one_for_all = self.formats * count if len(self.formats) == 1 else self.formats
        formats = (one_for_all or (0,) * count) + (0,)
        return self._replace(formats=formats, parameters=(*self.parameters, value))

    def integer(self, number: int) -> int | None:
        """The value of parameter `number`, of an integer type; None for NULL and for what is not plainly a number."""
        value = self.parameters[number - 1] if number <= len(self.parameters) else None
        if value is None:
            return None
        formats = self.formats or (0,)
        if formats[number - 1 if number <= len(formats) else 0]:
            return int.from_bytes(value, "big", signed=True)
        return int(value) if _DIGITS.fullmatch(value) else None


def bind_names(body: bytes) -> tuple[bytes, bytes]:
    """Portal and statement of a Bind, from its body."""
    portal, at = _string(body, 0)
    return portal, _string(body, at)[0]


def decode_bind(body: bytes) -> Bind:
    """A Bind message from its body."""
    portal, at = _string(body, 0)
    statement, at = _string(body, at)
    try:
        (count,) = _u16.unpack_from(body, at)
        formats = tuple(_u16.unpack_from(body, at + 2 + 2 * i)[0] for i in range(count))
        at += 2 + 2 * count
        (count,) = _u16.unpack_from(body, at)
        at += 2
        parameters: list[bytes | None] = []
        for _ in range(count):
            (size,) = _i32.unpack_from(body, at)
            at += 4
            if size < -1 or at + max(size, 0) > len(body):
                raise ProtocolError("Bind has a parameter of impossible length")
            parameters.append(None if size == -1 else body[at : at + size])
            at += max(size, 0)
        (count,) = _u16.unpack_from(body, at)
    except struct_error:
        raise ProtocolError("Bind is cut short") from None
    if at + 2 + 2 * count != len(body):
        raise ProtocolError("Bind has bytes behind its result formats")
    return Bind(portal, statement, formats, tuple(parameters), body[at:])


class Execute(NamedTuple):
    """An Execute message; `rows` 0 is no limit."""

    portal: bytes
    rows: int


def decode_execute(body: bytes) -> Execute:
    """An Execute message from its body."""
    portal, at = _string(body, 0)
    if len(body) != at + 4:
        raise ProtocolError("Execute has a wrong length")
    return Execute(portal, _u32.unpack_from(body, at)[0])


def decode_target(body: bytes) -> tuple[bytes, bytes]:
    """What a Describe or Close is about, from its body: (b"S" or b"P", name)."""
    name, at = _string(body, 1)
    if at != len(body):
        raise ProtocolError("a message has bytes behind its name")
    return body[:1], name


def drop_last_parameter(body: bytes) -> bytes:
    """The ParameterDescription whose body is given, as a whole message without its last parameter.  ProtocolError if
    it has none."""
    count = int.from_bytes(body[:2], "big")
    if count == 0:
        raise ProtocolError("a ParameterDescription has no parameters")
    return message(b"t", _u16.pack(count - 1) + body[2:-4])


def decode_row(body: bytes) -> list[bytes | None]:
    """The columns of a DataRow.  ProtocolError if they are not all there."""
    at, columns = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        if len(body) < at + 4:
            raise ProtocolError("a DataRow has fewer columns than it says")
        (size,) = _i32.unpack_from(body, at)
        at += 4
        columns.append(None if size < 0 else body[at : at + size])
        at += max(size, 0)
    return columns


def decode_parameter_status(body: bytes) -> tuple[str, str]:
    """Name and value of a ParameterStatus; bytes that are not ASCII come back as Latin-1."""
    name, at = _string(body, 0)
    value, _ = _string(body, at)
    return name.decode("latin-1"), value.decode("latin-1")


def decode_fields(body: bytes) -> dict[str, bytes]:
    """The fields of an ErrorResponse or NoticeResponse by their one-letter names (chapter 54.8), up to one that has no
    end."""
    fields: dict[str, bytes] = {}
    at = 0
    while at < len(body) and body[at]:
        end = body.find(b"\0", at + 1)
        if end < 0:
            break
        fields[chr(body[at])] = body[at + 1 : end]
        at = end + 1
    return fields


def is_fatal(body: bytes) -> bool:
    """Whether the server closes the connection after the ErrorResponse with this body."""
    return decode_fields(body).get("V") in (b"FATAL", b"PANIC")


def encode_fields(kind: bytes, fields: dict[str, bytes]) -> bytes:
    """An ErrorResponse (b"E") or NoticeResponse (b"N") with these fields, as a whole message."""
    return message(kind, b"".join(k.encode() + v + b"\0" for k, v in fields.items()) + b"\0")


def encode_error(error: PgError, codec: str, severity: str = "ERROR") -> bytes:
    """An ErrorResponse for `error`.  Characters that the client's encoding lacks become question marks."""
    texts = {"S": severity, "V": severity, "C": error.sqlstate, "M": error.message}
    texts |= {k: v for k, v in (("D", error.detail), ("H", error.hint)) if v}
    if error.position:
        texts["P"] = str(error.position)
    # A NUL would end the field early.
    return encode_fields(b"E", {k: v.replace("\0", "").encode(codec, "replace") for k, v in texts.items()})


def encode_warning(warning: PgError, codec: str) -> bytes:
    """A NoticeResponse of severity WARNING."""
    return b"N" + encode_error(warning, codec, "WARNING")[1:]


def encode_notice(text: str, codec: str, severity: str = "NOTICE", sqlstate: str = "00000", hint: str = "") -> bytes:
    """A NoticeResponse."""
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": text} | ({"H": hint} if hint else {})
    return encode_fields(b"N", {k: v.replace("\0", "").encode(codec, "replace") for k, v in fields.items()})


def _string(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.find(b"\0", at)
    if end < 0:
        raise ProtocolError("a string has no end")
    return body[at:end], end + 1
