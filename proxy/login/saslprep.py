"""Passwords as SCRAM hashes them: SASLprep (RFC 4013), with PostgreSQL's exceptions."""

from __future__ import annotations

import stringprep
import unicodedata

PROHIBITED = (
    stringprep.in_table_a1,  # not assigned in Unicode 3.2
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepared(password: bytes) -> bytes:
    """The password in its canonical form.  One that has none is taken as it is, as the server and libpq do: ASCII, what
    is not UTF-8, and what holds prohibited characters."""
    if password.isascii():
        return password
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return password
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    normal = unicodedata.normalize("NFKC", mapped)
    return normal.encode() if normal and _allowed(normal) else password


def _allowed(text: str) -> bool:
    if any(table(c) for c in text for table in PROHIBITED):
        return False
    right_to_left = [stringprep.in_table_d1(c) for c in text]
    if not any(right_to_left):
        return True
    return right_to_left[0] and right_to_left[-1] and not any(map(stringprep.in_table_d2, text))
