"""Hot standbys of servers of ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from proxy.embedded import Server
from proxy.installations import server_account, with_program
from proxy.launch import clean_environment


def standby_of(primary: Server, directory: Path, settings: Mapping[str, str] | None = None) -> Server:
    """A server that follows `primary`, with its data in `directory`; not started."""
    standby = Server(
        primary.installation,
        directory,
        settings={**primary.settings, "primary_conninfo": primary.conninfo(), **(settings or {})},
    )
    directory.mkdir()
    program = with_program("pg_basebackup", primary.installation).program("pg_basebackup")
    subprocess.run(
        [program, "--checkpoint=fast", "--no-sync", f"--pgdata={standby.data}", f"--dbname={primary.conninfo()}"],
        env=clean_environment({}),
        capture_output=True,
        check=True,
    )
    (standby.data / "standby.signal").touch()
    if account := server_account():
        for path in (standby.data, *standby.data.rglob("*")):
            os.chown(path, *account)
    return standby
