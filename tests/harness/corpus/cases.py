"""Reads files of client messages with the behaviour expected of the proxy (tests/corpus; the format stands there).

A file is read whole or not at all: what is not understood is an error with its line, so that no case is passed over.
Sending the messages is `talk.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROTOCOLS = {"simple": ("simple",), "ext": ("ext",), "both": ("simple", "ext")}
WORDS: dict[str, Callable[[str], Any]] = {
    "rows=": int,
    "rows>=": int,
    "col=": str,
    "type=": int,
    "val=": str,
    "error=": str,
    "pos=": int,
    "tag=": str,
    "tx=": str,
    "jobs=": int,
    "since=": int,
    "differs=": str,
}
"""What may be expected, and how its value is read."""
NOT_CHECKED = frozenset({"since=", "differs="})
"""Words that say something about the case itself."""

HEADER = re.compile(r"--@(.*)")
COMMENT = "--#"
HEADER_FORM = f"a header has ID | {' or '.join(PROTOCOLS)} [PARAMS] | EXPECT | NOTE"
START = re.compile(r"\s*(\S+)\s+\|\s+(\w+)\s*")
FIELDS = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)")
"""Bars between blanks; others belong to a value."""


class FormatError(Exception):
    """A file that is not in the format; says where."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}")


@dataclass(frozen=True)
class Case:
    """One message of a file, to be sent in one of the protocols."""

    path: Path
    line: int
    """Of its header."""
    name: str
    protocol: str
    """simple or ext."""
    parameters: tuple[Any, ...]
    expectations: tuple[tuple[str, Any], ...]
    """(what, value): ('rows=', 1)."""
    note: str
    sql: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line} {self.name} ({self.protocol})"

    @property
    def group(self) -> str:
        """Cases of one group run in order in one session; a name without a dot is a group for each protocol."""
        before, dot, _ = self.name.partition(".")
        return before if dot else f"{self.name} {self.protocol}"

    @property
    def since(self) -> int:
        """The first version of PostgreSQL that has what the case needs."""
        return int(dict(self.expectations).get("since=", 0))

    @property
    def differs(self) -> str:
        """Why the proxy does not answer as PostgreSQL with real functions of these names would; empty if it does."""
        return str(dict(self.expectations).get("differs=", ""))


def read(path: Path) -> list[Case]:
    """The cases of a file, in order; those for both protocols come twice.

    FormatError if it is not in the format, OSError if it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(path, error.object.count(b"\n", 0, error.start) + 1, "not UTF-8") from None
    cases = [case for block in _blocks(path, lines) for case in _cases(path, *block)]
    if not cases:
        raise FormatError(path, len(lines), "no case in it")
    return cases


def groups(cases: list[Case]) -> dict[str, list[Case]]:
    """The cases by group, in order."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.group, []).append(case)
    return found


def _blocks(path: Path, lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Line and text of each header, and the lines behind it."""
    line, header, text = 0, "", list[str]()
    for number, each in enumerate(lines, 1):
        if match := HEADER.match(each):
            if line:
                yield line, header, text
            line, header, text = number, match[1], []
        elif each.startswith(COMMENT):
            continue
        elif line:
            text.append(each)
        elif each.strip():
            raise FormatError(path, number, "text before the first header")
    if line:
        yield line, header, text


def _cases(path: Path, line: int, header: str, text: list[str]) -> Iterator[Case]:
    try:
        match = START.match(header)
        if not match or match[2] not in PROTOCOLS:
            raise ValueError(HEADER_FORM)
        parameters, rest = _parameters(header[match.end() :])
        before, expected, note = [*FIELDS.split(rest, 2), "", ""][:3]
        if before.strip() or rest == before:
            raise ValueError(HEADER_FORM)
        expectations = tuple(_expectations(expected))
    except ValueError as error:
        raise FormatError(path, line, str(error)) from None
    for each in PROTOCOLS[match[2]]:
        yield Case(path, line, match[1], each, parameters, expectations, note.strip(), "\n".join(text).rstrip("\n"))


def _parameters(text: str) -> tuple[tuple[Any, ...], str]:
    """The parameters, which may have bars in them, and what follows."""
    if not text.startswith("["):
        return (), text
    try:
        values, end = json.JSONDecoder().raw_decode(text)
    except ValueError as error:
        raise ValueError(f"parameters are a JSON list: {error}") from None
    return tuple(values), text[end:]


def _expectations(text: str) -> Iterator[tuple[str, Any]]:
    counted = False
    for word in text.split():
        match = re.match(r"\w+>?=", word)
        if not match or match[0] not in WORDS:
            raise ValueError(f"not an expectation: {word}")
        counted |= match[0] == "jobs="
        yield match[0], WORDS[match[0]](word[match.end() :].replace("_S_", " "))
    if not counted:
        yield "jobs=", 0
