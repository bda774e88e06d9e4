"""What the system says of processes: how long they ran, what they have in memory, whether they listen yet."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 20.0
PAUSE = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far, user and system, with its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def resident_bytes(pid: int) -> int:
    """What a process has in memory that it does not share with others (proportional set size)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns when somebody listens there.  RuntimeError if `process` ends, or nobody does in time."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(PAUSE)
    raise RuntimeError(f"nobody listens on port {port}")
