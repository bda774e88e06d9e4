"""Sealing secrets, and the file of the key."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from clone_engine.jobs.sealing import Key, key_in
from clone_engine.records.job_store import StoreError

SECRET = "p%s 'ä' \\ \"".encode()


def test_what_is_sealed_can_be_opened_for_what_it_was_sealed_for_and_with_its_key_only() -> None:
    key = Key(b"k" * 32)
    sealed = key.seal(SECRET, b"source of job 1")
    assert SECRET not in sealed
    assert key.open(sealed, b"source of job 1") == SECRET
    assert key.open(sealed, b"source of job 2") is None
    assert Key(b"l" * 32).open(sealed, b"source of job 1") is None
    assert key.seal(SECRET, b"source of job 1") != sealed


@pytest.mark.parametrize(
    "change", [lambda s: b"", lambda s: s[:5], lambda s: s[:-1], lambda s: bytes([s[0] ^ 1]) + s[1:]]
)
def test_what_was_changed_cannot_be_opened(change) -> None:  # type: ignore[no-untyped-def]
    key = Key(b"k" * 32)
    assert key.open(change(key.seal(SECRET, b"")), b"") is None


def test_the_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = key_in(path).seal(SECRET, b"")
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_in(path).open(sealed, b"") == SECRET
    path.unlink()
    assert key_in(path).open(sealed, b"") is None


def test_a_key_of_one_s_own_may_be_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_bytes(b64encode(b"k" * 32))
    (tmp_path / "mounted").chmod(0o400)
    (tmp_path / "key").symlink_to(tmp_path / "mounted")
    assert key_in(tmp_path / "key").open(Key(b"k" * 32).seal(SECRET, b""), b"") == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    key_in(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(StoreError, match=f"key file {tmp_path}/key is open to others; .*chmod 600"):
        key_in(tmp_path / "key")


def test_a_file_of_another_account_is_refused(tmp_path: Path) -> None:
    path = Path("/etc/passwd")
    if os.geteuid() == 0:  # whose that is
        path = tmp_path / "key"
        key_in(path)
        os.chown(path, 65534, 65534)
    with pytest.raises(StoreError, match=r"belongs to another account; .*chown"):
        key_in(path)


@pytest.mark.parametrize("content", [b"", b"k" * 32, b64encode(b"k" * 31), b"\xff\xfe", b"x" * 4096])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(StoreError, match="holds no key"):
        key_in(tmp_path / "key")


def test_what_is_no_file_and_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StoreError, match="no regular file"):
        key_in(tmp_path / "pipe")
    with pytest.raises(StoreError, match=r"key file .*: Is a directory"):
        key_in(tmp_path)
    with pytest.raises(StoreError, match=r"key file .*: No such file or directory"):
        key_in(tmp_path / "nowhere" / "key")
