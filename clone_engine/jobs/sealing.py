"""Seals secrets, so that the store may keep them: with a key that is in a file of its own, beside it.

AES-256-GCM, which also notices when something sealed was changed, or is shown as what it was not sealed for.  What is
sealed, and how long it is kept, is `sources.py`.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clone_engine.records.job_store import StoreError

KEY_BYTES = 32
NONCE_BYTES = 12  # what GCM is made for; drawn at random, good for far more messages than there will be jobs


class Key:
    """Seals and opens.  `repr` does not show it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, belongs_to: bytes) -> bytes:
        """`secret`, to be opened only with this key and for what it belongs to."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, belongs_to)

    def open(self, sealed: bytes, belongs_to: bytes) -> bytes | None:
        """What was sealed; None if it was sealed with another key, or for something else, or has been changed."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], belongs_to)
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce
            return None


def key_in(path: Path) -> Key:
    """The key in a file, which is made, readable by its owner only, if it does not exist.

    StoreError if it cannot be made or read, is none, or somebody else could have read or written it.
    """
    try:
        if not path.exists():
            _make(path)
        return Key(_read(path))
    except OSError as error:
        raise StoreError(f"key file {path}: {error.strerror}") from error


def _make(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b64encode(os.urandom(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(descriptor)


def _read(path: Path) -> bytes:
    # A named pipe would have us wait for whoever writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor))
        text = file.read(1024)
    try:
        key = b64decode(text.strip(), validate=True)
    except NotBase64:
        key = b""
    if len(key) != KEY_BYTES:
        raise StoreError(f"key file {path} holds no key; restore it, or delete it and what is sealed is forgotten")
    return key


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"key file {path} is no regular file")
    if status.st_uid != os.geteuid():
        raise StoreError(f"key file {path} belongs to another account; give it to the proxy's with chown")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreError(
            f"key file {path} is open to others; make it private with chmod 600, or delete it for a new one"
        )
