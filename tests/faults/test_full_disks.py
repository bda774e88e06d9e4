"""The target's disk is full in the middle of a table: the job says so, and goes on when there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded import Server
from proxy.installations import server_account
from tests.faults.stage import Stage
from tests.harness import disks
from tests.harness.proxies import Proxies
from tests.harness.servers import Database


@pytest.fixture
def small_place(target_database: Database, short_tmp: Path) -> Iterator[Path]:
    """A file system of a few megabytes, on which the target is."""
    with disks.small_disk(short_tmp, megabytes=32) as mounted:
        if mounted is None:
            pytest.skip("file systems cannot be mounted here")
        short_tmp.chmod(0o755)
        place = mounted / "tablespace"
        place.mkdir()
        if account := server_account():
            os.chown(place, *account)
        target_database.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        beside = Database(target_database.server, "postgres")
        beside.execute(f"ALTER DATABASE {target_database.name} SET TABLESPACE small")
        yield mounted
        beside.execute(f"DROP DATABASE {target_database.name} WITH (FORCE)")
        beside.execute("DROP TABLESPACE small")


def test_the_disk_of_the_target_is_full_in_the_middle_of_a_table(
    small_place: Path, proxies: Proxies, server: Server, source_database: Database, target_database: Database
) -> None:
    stage = Stage(source_database, target_database, proxies.start(server.conninfo()))
    with stage.gate_open():
        job_id = stage.clone()
        told = stage.ended(job_id)
        assert told.status == "failed" and "No space left on device" in told.message
        disks.remount(small_place, "size=512m")
        assert stage.ended(stage.resume(job_id)).status == "completed"
    stage.assert_exactly()
