"""The lock file beside a unix socket, as PostgreSQL's: it tells servers and proxies that start later whose that is.

Without it a server would remove the socket of a proxy and bind its own.  What is left by a process that was killed is
known by its process id.  The socket itself is `listening`'s business.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from proxy.config import ConfigError

ATTEMPTS = 10
"""Others may make and remove the file meanwhile."""


def acquire(path: Path, port: int) -> None:
    """Make the lock of the socket `path`.

    ConfigError if a process has it, OSError if it cannot be made; nothing is made then.
    """
    for _ in range(ATTEMPTS):
        try:
            return _make(_file(path), f"{os.getpid()}\npgclone-proxy\n{time.time():.0f}\n{port}\n{path.parent}\n")
        except FileExistsError:
            if holder := _holder(path):
                raise ConfigError(
                    f"cannot listen on {path}: process {holder} has it, says {_file(path)}; set another "
                    "server.listen_port, or remove that file if that process is no server and no proxy"
                ) from None
            _file(path).unlink(missing_ok=True)
    raise ConfigError(f"cannot listen on {path}: others make and remove {_file(path)} all the time")


def is_held(path: Path) -> bool:
    """Whether this process has the lock of the socket `path`."""
    with suppress(OSError):
        return _first_line(path) == str(os.getpid())
    return False


def release(path: Path) -> None:
    """Remove the lock of the socket `path`, which this process has."""
    _file(path).unlink(missing_ok=True)


def _file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _make(file: Path, content: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        try:
            opened.write(content)
            opened.flush()
        except OSError:
            file.unlink()
            raise


def _holder(path: Path) -> int:
    """The process that has the lock; 0 if there is none any more.  ConfigError if the file names none."""
    try:
        noted = _first_line(path)
    except FileNotFoundError:
        return 0
    number = noted.removeprefix("-")  # which a server in single-user mode puts there
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 1 << 31):
        raise ConfigError(
            f"cannot listen on {path}: {_file(path)} names no process; either a server is just starting, or it "
            "was killed as it did: then remove that file"
        )
    return int(number) if _lives(int(number)) else 0


def _lives(process: int) -> bool:
    # The number of this process or its parent can only be from before the machine, or the container, was started anew.
    if process in (os.getpid(), os.getppid()):
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError):  # another account's process is not the one that wrote our file
        return False
    return True


def _first_line(path: Path) -> str:
    return _file(path).read_text(errors="replace").partition("\n")[0].strip()
