"""Which pg_dump is used, and what is said when none will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from clone_engine.records.errors import PgError
from clone_engine.servers import dump


def program(directory: Path, version: str) -> Path:
    """A directory whose pg_dump says that it is of this version."""
    directory.mkdir()
    script = directory / "pg_dump"
    script.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
    script.chmod(0o755)
    return directory


@pytest.fixture
def only_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the only pg_dump of the machine is looked for."""
    monkeypatch.setattr(dump, "USUAL_PLACES", (f"{tmp_path}/*",))
    monkeypatch.setattr(dump, "WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", "/nonexistent")
    return tmp_path


def test_the_newest_is_used(only_here: Path) -> None:
    for version in ("15.18", "18beta1", "17.2"):
        program(only_here / version, version)
    assert dump.find_pg_dump(140000) == (18, 0, str(only_here / "18beta1" / "pg_dump"))


def test_one_older_than_the_source_is_refused(only_here: Path) -> None:
    program(only_here / "old", "16.4 (Debian 16.4-1)")
    assert dump.find_pg_dump(160014).major == 16
    with pytest.raises(PgError, match=r"pg_dump 16\.4 is older than the source, PostgreSQL 17") as refused:
        dump.find_pg_dump(170002)
    assert refused.value.sqlstate == "0A000"
    assert refused.value.hint == dump.INSTALL_HINT


def test_none_at_all(only_here: Path) -> None:
    assert list(only_here.iterdir()) == []
    with pytest.raises(PgError, match="pg_dump was not found") as refused:
        dump.find_pg_dump(170002)
    assert refused.value.sqlstate == "58P01"
