"""What a process has started (on Linux): its children, theirs, and which of them do jobs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

FORKER = "clone_engine.running"
"""In the command line of what job processes are forked from, and so in theirs."""


def children(pid: int, command: str = "") -> list[int]:
    """Process ids of all children of a process, of all its threads; only those whose command line holds `command`."""
    with suppress(OSError):
        files = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
        return [child for text in files for child in map(int, text.split()) if command in command_line(child)]
    return []


def descendants(pid: int) -> list[int]:
    """Process ids of its children, and of theirs."""
    return [one for child in children(pid) for one in (child, *descendants(child))]


def job_processes(pid: int) -> list[int]:
    """Process ids of those that do the jobs of a proxy, or of this process."""
    # The forker has other children too: at the start it asks each pg_dump for its version.
    return [job for forker in children(pid, FORKER) for job in children(forker, FORKER)]


def command_line(pid: int) -> str:
    """The words a process was started with; '' when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""
