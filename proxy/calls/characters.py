"""Characters that an encoding lacks, and what takes their place.

One of them in the snapshot would make the server refuse all of it, whatever the statement reads.
"""

from __future__ import annotations

from typing import Any

Codecs = frozenset[str]
"""Python's codecs of the encodings that values have to pass; those that have every character left out."""

IN_ASCII = str.maketrans({"█": "#", "░": ".", "✓": "+", "✗": "-"})
"""The characters of the progress bar and of `match`."""


def representable(value: Any, codecs: Codecs) -> Any:
    """A value of JSON with the characters replaced that one of the codecs lacks."""
    if not codecs:
        return value
    if isinstance(value, str):
        return _text(value, codecs)
    if isinstance(value, list):
        return [representable(item, codecs) for item in value]
    if isinstance(value, dict):
        return {key: representable(item, codecs) for key, item in value.items()}
    return value


def _text(text: str, codecs: Codecs) -> str:
    for codec in sorted(codecs):
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            text = text.translate(IN_ASCII).encode(codec, "replace").decode(codec)
    return text
