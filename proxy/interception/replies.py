"""The server's messages to rewritten statements, as the client is to see them.  Pure.

Positions refer to the client's text, counts to the client's parameters, and the errors that our own expressions raise
on purpose become the errors that they stand for.
"""

from __future__ import annotations

import re

from clone_engine.records.errors import PgError
from proxy.calls.recording import marked_error
from proxy.wire import messages
from proxy.wire.exchange import Entry
from proxy.wire.frames import HEADER

UNDEFINED_FUNCTION = b"42883"
DUPLICATE_OBJECT = b"42710"
PROTOCOL_VIOLATION = b"08P01"
REJECT = "SELECT pg_catalog.pgclone_proxy_reject()"
"""Fails with 42883 wherever it is sent: so the server itself fails the transaction, and in its own order."""


def client_reply(entry: Entry, kind: int, message: bytes, codec: str) -> bytes | None:
    """What the client gets for the server's `message` to `entry`; None for the message itself."""
    if kind == ord("t") and entry.drop_parameter:
        return messages.drop_last_parameter(message[HEADER:])
    if kind == ord("E"):
        return client_error(entry, message[HEADER:], codec)
    if kind == ord("N") and entry.notice:
        return _notice(entry, message[HEADER:], codec)
    return None


def _notice(entry: Entry, body: bytes, codec: str) -> bytes | None:
    fields = messages.decode_fields(body)
    if fields.get("C") != DUPLICATE_OBJECT:
        return None
    ours = {"M": entry.notice, "D": "pgclone-proxy answers its functions here; nothing is installed on the server."}
    return messages.encode_fields(b"N", fields | {name: text.encode(codec) for name, text in ours.items()})


def client_error(entry: Entry, body: bytes, codec: str) -> bytes:
    """The ErrorResponse for the client, whole, from the server's to `entry`."""
    fields = messages.decode_fields(body)
    if entry.replacement is not None and fields.get("C") == UNDEFINED_FUNCTION:
        return messages.encode_error(entry.replacement, codec)
    marked = marked_error({k: v.decode(codec, "replace") for k, v in fields.items()})
    if marked is not None:
        return messages.encode_error(marked, codec)
    if entry.position is not None and fields.get("P", b"").isdigit():
        fields["P"] = str(entry.position(int(fields["P"]))).encode()
    if entry.extra_parameter and fields.get("C") == PROTOCOL_VIOLATION:
        fields["M"] = _one_parameter_less(fields.get("M", b""))
    if entry.alias is not None:
        hidden, shown = (b'"%s"' % name for name in entry.alias)
        fields["M"] = fields.get("M", b"").replace(hidden, shown)
    return messages.encode_fields(b"E", fields)


def late_error(body: bytes, codec: str) -> bytes | None:
    """The ErrorResponse for the client where a statement that is not ours has run into one of our expressions: FETCH
    from a cursor over them, or the COMMIT that fills a holdable one.  None for the server's own errors."""
    marked = marked_error({k: v.decode(codec, "replace") for k, v in messages.decode_fields(body).items()})
    return messages.encode_error(marked, codec) if marked else None


def rejected(error: PgError) -> Entry:
    """The entry for REJECT sent as a Query, whose failure is shown as `error`."""
    return Entry(ord("Q"), replacement=error)


def _one_parameter_less(text: bytes) -> bytes:
    """The counts in a complaint about parameters without the hidden one.  Statement names in quotes stay."""
    return re.sub(rb'"[^"]*"|\d+', lambda m: m[0] if m[0][:1] == b'"' else b"%d" % (int(m[0]) - 1), text)
