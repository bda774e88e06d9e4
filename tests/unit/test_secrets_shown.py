"""Records with passwords do not show them, wherever they may be printed."""

from __future__ import annotations

from proxy.config import ServerSettings, Settings
from proxy.processes.channel import Asked

CANARY = "canary-5d1f"


def test_settings() -> None:
    server = ServerSettings(target=f"host=a password={CANARY}")
    assert CANARY not in f"{server!r} {Settings(server=server)!r}"


def test_calls_on_their_way_to_the_first_process() -> None:
    assert CANARY not in repr(Asked("pgclone_table", {"source_conninfo": f"host=a password={CANARY}"}))
