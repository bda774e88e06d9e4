"""Where a secret could be left: the store of a proxy, and what everybody on the machine can see of processes."""

from __future__ import annotations

from pathlib import Path

from proxy.launch import ProxyProcess
from tests.harness.processes import children


def of_store(proxy: ProxyProcess) -> bytes:
    """Every byte of the store, its log and what else lies beside it, but for the configuration and the key."""
    beside = [path for path in proxy.directory.glob("jobs.sqlite*") if path.suffix != ".key" and path.is_file()]
    return b"".join(path.read_bytes() for path in beside)


def of_processes(pid: int, *, and_itself: bool = True) -> bytes:
    """Argument lists and environments of all that a process has started, and of the process (on Linux)."""
    said = b"".join(Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ") if and_itself)
    return said + b"".join(map(of_processes, children(pid)))
