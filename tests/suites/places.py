"""What a suite is asked and what it answers: where to go, and what became of each of its tests there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proxy.embedded import Server
from proxy.installations import server_account
from proxy.launch import clean_environment


class Place(NamedTuple):
    """Where a suite runs: the port is the server's own, or that of a proxy in front of it."""

    port: int
    server: Server
    directory: Path
    """New and empty, for what the suite writes; the server's account can enter it."""


class Outcome(NamedTuple):
    """What became of one test."""

    passed: bool
    said: str
    """What must be the same directly and through the proxy."""
    why: str = ""
    """For people: why it has not passed."""

    @property
    def compared(self) -> tuple[bool, str]:
        """What must be the same."""
        return self.passed, self.said


class NotPossibleError(Exception):
    """Why a suite cannot be run here, in one line."""


Outcomes = Mapping[str, Outcome]
Suite = Callable[[Place], Outcomes]


def run(
    command: Sequence[str | Path],
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    as_server: bool = False,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; `stdout` is all that it says.  NotPossibleError if it takes more than `seconds`.

    `as_server` runs it as the servers' account, for programs that share files with the server."""
    account = server_account() if as_server else None
    try:
        return subprocess.run(
            command,
            cwd=directory,
            env=clean_environment(environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise NotPossibleError(f"{Path(command[0]).name} was not done after {seconds:g} s") from None


def give_to_server(directory: Path) -> None:
    """Make a directory, with all that is in it, the servers' account's."""
    if account := server_account():
        for path in (directory, *directory.rglob("*")):
            os.chown(path, *account, follow_symlinks=False)
