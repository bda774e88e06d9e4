"""The files that settings name: where they are, and whether those that hold secrets are private.

What is in them is the business of those who read them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from proxy.config.settings import ConfigError


def file_at(setting: str, name: str) -> Path:
    """The path that a setting gives.  ConfigError if it begins with a home directory that nobody has."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"configuration: cannot read {setting} {name}: {error}") from None


def check_private(setting: str, path: Path, *, of_root: bool = False) -> os.stat_result:
    """The file's status.  ConfigError if it cannot be read, or if others could read it.

    With `of_root` it may be root's and readable by a group, as PostgreSQL has it for its keys.
    """
    try:
        with path.open("rb"):
            status = path.stat()
    except OSError as error:
        raise ConfigError(f"configuration: cannot read {setting} {path}: {error.strerror}") from None
    group = stat.S_IWGRP | stat.S_IXGRP if of_root and status.st_uid == 0 else stat.S_IRWXG
    if status.st_mode & (stat.S_IRWXO | group):
        raise ConfigError(f"configuration: others can read {setting} {path}: make it private with chmod 600")
    return status
