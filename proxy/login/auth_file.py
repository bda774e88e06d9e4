"""The auth file: roles with their SCRAM verifiers or passwords, one to a line, as in pgbouncer's userlist.txt.

    "alice" "SCRAM-SHA-256$4096:…"
    "bob" "password"

Blank lines and those that begin with ; are passed over; a " within quotes is written twice.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.config import ConfigError
from proxy.config.files import check_private, file_at
from proxy.login.credential import Password
from proxy.login.scram import ITERATIONS, KEY_BYTES, Verifier, derive, mac, parse_verifier, verifier_of

SALT_BYTES = 16
_LINE = re.compile(r'"((?:[^"]|"")+)"[ \t]+"((?:[^"]|"")*)"')
_MD5 = re.compile(r"md5[0-9a-f]{32}")


class Entry(NamedTuple):
    """What a client that says it is a role is checked with."""

    verifier: Verifier
    password: Password | None = None
    """Where the file has it."""
    known: bool = True
    """Else nobody gets in, whatever he proves."""


class AuthFile:
    """What an auth file says.

    `secret` is random: roles that are not in the file get salts made of it, always the same ones, so that asking does
    not show which roles there are.  So do those with a password.
    """

    def __init__(self, given: Mapping[str, str], secret: bytes, before: AuthFile | None = None) -> None:
        """`before` is what it said before; what its passwords have come to is not worked out again."""
        self._secret = secret
        self._entries: dict[str, Entry]
        known = before._entries if before else {}
        verifiers = {role: parse_verifier(text) for role, text in given.items()}
        counts = Counter(verifier.iterations for verifier in verifiers.values() if verifier)
        self._iterations = counts.most_common(1)[0][0] if counts else ITERATIONS
        self._entries = {
            role: Entry(verifier) if verifier else self._with_password(role, given[role], known.get(role))
            for role, verifier in verifiers.items()
        }

    def __repr__(self) -> str:
        return f"<AuthFile of {len(self._entries)} roles>"

    def entry(self, role: str) -> Entry:
        """The entry for a role, also for one that is not in the file."""
        if (entry := self._entries.get(role)) is not None:
            return entry
        nobody = Verifier(self._iterations, self._salt(role), secrets.token_bytes(KEY_BYTES), b"")
        return Entry(nobody, known=False)

    def _with_password(self, role: str, text: str, before: Entry | None) -> Entry:
        password, salt = Password(text.encode("utf-8", "surrogateescape")), self._salt(role)
        if before and (before.password, before.verifier[:2]) == (password, (self._iterations, salt)):
            return before
        # Now and not when the role logs in: the time that it takes would show that the role exists.
        return Entry(verifier_of(derive(password.value, salt, self._iterations)), password)

    def _salt(self, role: str) -> bytes:
        return mac(self._secret, role.encode("utf-8", "surrogateescape"))[:SALT_BYTES]


class AuthFiles:
    """Reads the auth file, time and again.  `secret` gives what AuthFile has as that."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._last: AuthFile | None = None

    def read(self, path: Path) -> AuthFile:
        """The file at `path`.  ConfigError if it cannot be read or used, or others can read it.

        Each password that is new takes a millisecond or more.
        """
        self._last = AuthFile(_given(path), self._secret(), self._last)
        return self._last


def check_auth_file(path: Path) -> AuthFile:
    """As `AuthFiles.read`, but nothing is worked out, and what comes back lets nobody in."""
    _given(path)
    return AuthFile({}, b"")


def _given(path: Path) -> dict[str, str]:
    file = file_at("auth.file", str(path))
    check_private("auth.file", file)
    return parse(file.read_bytes().decode("utf-8", "surrogateescape"), str(path))


def parse(text: str, name: str) -> dict[str, str]:
    """Verifiers and passwords by role.  ConfigError, which tells the line but not what is in it, for any other text."""
    given: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith(";"):
            continue
        found = _LINE.fullmatch(stripped)
        role, secret = (part.replace('""', '"') for part in found.groups()) if found else ("", "")
        if problem := _problem(role, secret, given):
            raise ConfigError(f"configuration: auth.file {name}, line {number}: {problem}")
        given[role] = secret
    return given


def _problem(role: str, secret: str, before: Mapping[str, str]) -> str:
    """Why a line cannot be used; '' if it can."""
    if not role:
        return 'it is not of the form "role" "verifier or password"'
    if not secret:
        return "it has no verifier and no password"
    if role in before:
        return "its role has a line already"
    if _MD5.fullmatch(secret):
        return (
            "an md5 hash cannot be used, clients are checked with SCRAM-SHA-256: have the role's password set again "
            "with password_encryption = 'scram-sha-256', and copy its rolpassword, or put the password there"
        )
    if secret.startswith("SCRAM-SHA-256$") and parse_verifier(secret) is None:
        return "it has a SCRAM-SHA-256 verifier that is incomplete"
    return ""
