"""PostgreSQL's client encodings as Python's codecs.

Where Python has no codec, or the bytes are not of the encoding, Latin-1 is used: it keeps every byte, and every such
encoding has its trailing bytes above 127, so no ASCII character is misread (chapter 24.3).
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

KEEPS_BYTES = "latin-1"

# Names whose Python codec is called otherwise; the other names are found by Python itself.
RENAMED = {
    "SQL_ASCII": "ascii",
    "EUC_CN": "gb2312",
    "UHC": "cp949",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "SJIS": "cp932",
    "BIG5": "cp950",
    "LATIN6": "iso8859-10",
    "LATIN10": "iso8859-16",
}


def codec_of(encoding: str) -> str:
    """The Python codec for the name in a client_encoding or server_encoding ParameterStatus."""
    name = RENAMED.get(encoding.upper(), encoding.upper().replace("WIN", "cp"))
    try:
        return codecs.lookup(name).name
    except LookupError:
        return KEEPS_BYTES


class Text(NamedTuple):
    """Decoded text, and the codec with which text derived from it has to be encoded again."""

    text: str
    codec: str


def decode(data: bytes, codec: str) -> Text:
    """`data` decoded, by Latin-1 where it is not valid in `codec`."""
    try:
        return Text(data.decode(codec), codec)
    except UnicodeDecodeError:
        return Text(data.decode(KEEPS_BYTES), KEEPS_BYTES)
