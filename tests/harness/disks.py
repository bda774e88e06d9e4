"""A disk of a few megabytes that can be filled and made read-only: a file system in memory, for who may mount."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 4096


@contextmanager
def small_disk(directory: Path, megabytes: int = 1) -> Iterator[Path | None]:
    """A file system of its own below `directory` while the block runs; None where none can be mounted."""
    mount = directory / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(mount)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def remount(disk: Path, how: str) -> None:
    """`how` is ro or rw."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no room; it can be deleted."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(BLOCK))
            except OSError:
                return filler
