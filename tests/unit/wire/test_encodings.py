"""Client encodings: text survives, and characters are counted as the server counts them."""

from __future__ import annotations

import pytest

from proxy.wire.encodings import codec_of, decode


@pytest.mark.parametrize(
    ("encoding", "data", "characters"),
    [
        ("UTF8", "é█".encode(), 2),
        ("LATIN1", b"\xe9", 1),
        ("WIN1252", b"\x80", 1),
        ("SJIS", b"\x83\x5c\x87\x40", 2),  # the second is of the vendors' rows, which PostgreSQL's SJIS has
        ("BIG5", b"\xa4\x40\xf9\xd6", 2),  # likewise
        ("EUC_JP", b"\xa4\xa2", 1),
        ("UHC", b"\x81\x41", 1),
        ("MULE_INTERNAL", b"\x81\xe9", 2),  # no codec: bytes
        ("UTF8", b"\xff", 1),  # not UTF-8: bytes
    ],
)
def test_text_survives_and_is_counted_right(encoding: str, data: bytes, characters: int) -> None:
    text = decode(data, codec_of(encoding))
    assert len(text.text) == characters
    assert text.text.encode(text.codec) == data
