"""Whose a unix socket is, by the lock file beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import socket_lock
from proxy.config import ConfigError

NAME = ".s.PGSQL.6432"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def lock_of(path: Path) -> Path:
    return path.with_name(f"{NAME}.lock")


def test_it_is_made_as_postgresql_makes_it_and_removed(path: Path) -> None:
    assert not socket_lock.is_held(path)
    socket_lock.acquire(path, 6432)
    process, _, began, port, directory = lock_of(path).read_text().splitlines()
    assert (process, began.isdigit(), port, directory) == (str(os.getpid()), True, "6432", str(path.parent))
    assert lock_of(path).stat().st_mode & 0o777 == 0o600
    assert socket_lock.is_held(path)
    socket_lock.release(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("noted", ["{}\n/data\n", "-{}\n/data\n"], ids=["a server", "one in single-user mode"])
def test_who_lives_has_it_and_who_has_died_has_not(path: Path, noted: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lock_of(path).write_text(noted.format(process.pid))
        with pytest.raises(ConfigError, match=f"process {process.pid} has it"):
            socket_lock.acquire(path, 6432)
        process.communicate(b"\n")
    socket_lock.acquire(path, 6432)
    assert socket_lock.is_held(path)


@pytest.mark.parametrize("process", [os.getpid(), os.getppid()], ids=["this process", "its parent"])
def test_numbers_are_given_again_after_a_restart_of_the_machine(path: Path, process: int) -> None:
    lock_of(path).write_text(f"{process}\n")
    socket_lock.acquire(path, 6432)
    assert socket_lock.is_held(path)


@pytest.mark.parametrize("content", ["", "\n", "0\n", "x\n", "-\n", "99999999999\n", "\x00"])
def test_a_lock_that_names_no_process_is_left_alone(path: Path, content: str) -> None:
    lock_of(path).write_text(content)
    with pytest.raises(ConfigError, match="names no process"):
        socket_lock.acquire(path, 6432)
    assert not socket_lock.is_held(path)
    assert lock_of(path).read_text() == content


def test_a_lock_that_cannot_be_made_or_read_is_an_error_of_the_system(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        socket_lock.acquire(tmp_path / "nosuch" / NAME, 6432)
    lock_of(path).mkdir()
    with pytest.raises(IsADirectoryError):
        socket_lock.acquire(path, 6432)
    assert not socket_lock.is_held(path)
