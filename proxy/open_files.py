"""How many files the process may have open: each client takes two, its own connection and the one to the target."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

OTHERS = 256
"""Files that are no connections of clients: the store, jobs' processes, libraries."""


def allow_files(clients: int) -> None:
    """Raise the limit of open files, for as many clients, as far as this account may; what is lacking is logged."""
    wanted = 2 * clients + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("too few open files for limits.max_clients", open_files=allowed, wanted=wanted)
