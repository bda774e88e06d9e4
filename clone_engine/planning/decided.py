"""What the key of a plan's first step keeps of the decisions that a resumed job could not make again.

Pure.  By then the target has everything, what was there before and what the earlier job made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

DEFINITIONS = "definitions"
BROUGHT, LEFT = " with ", " without "


class Decided(NamedTuple):
    """Labels of objects."""

    left: frozenset[str] = frozenset()
    """What was left in place."""
    brought: frozenset[str] = frozenset()
    """What the target lacked of what the clone needs."""

    @property
    def key(self) -> str:
        """The key of the step."""
        parts = ((BROUGHT, sorted(self.brought)), (LEFT, sorted(self.left)))
        return DEFINITIONS + "".join(word + json.dumps(some, ensure_ascii=False) for word, some in parts if some)


def decided(keys: Iterable[str]) -> Decided | None:
    """What the first of these keys that is one of such a step tells; None if there is none."""
    return next((found for key in keys if (found := _read(key))), None)


def _read(key: str) -> Decided | None:
    rest, found = key.removeprefix(DEFINITIONS), dict[str, frozenset[str]]()
    if rest == key:
        return None
    for word in (BROUGHT, LEFT):
        if rest.startswith(word):
            labels, end = json.JSONDecoder().raw_decode(rest, len(word))
            found[word], rest = frozenset(labels), rest[end:]
    return None if rest else Decided(found.get(LEFT, frozenset()), found.get(BROUGHT, frozenset()))
