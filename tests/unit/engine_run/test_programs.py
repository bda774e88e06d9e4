"""Which pg_dump is used, and what is said when none will do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clone_engine.records.errors import PgError
from clone_engine.servers import programs

SAYS_NOTHING = subprocess.CompletedProcess((), 0, stdout="", stderr="")


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
    monkeypatch.setattr(programs, "USUAL_PLACES", (f"{tmp_path}/*",))
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", "/nonexistent")
    return tmp_path


def test_the_newest_is_used(only_here: Path) -> None:
    for version in ("15.18", "18beta1", "17.2"):
        program(only_here / version, version)
    assert programs.find_pg_dump(140000) == (18, 0, str(only_here / "18beta1" / "pg_dump"))


def test_one_older_than_the_source_is_refused(only_here: Path) -> None:
    program(only_here / "old", "16.4 (Debian 16.4-1)")
    assert programs.find_pg_dump(160014).major == 16
    with pytest.raises(PgError, match=r"pg_dump 16\.4 is older than the source, PostgreSQL 17") as refused:
        programs.find_pg_dump(170002)
    assert refused.value.sqlstate == "0A000"
    assert refused.value.hint == programs.INSTALL_HINT


def test_where_the_source_must_have_tls_pg_dump_has_it_too(only_here: Path) -> None:
    """The newest may be the embedded one, which was built without."""
    program(only_here / "old", "16.4")
    newest = program(only_here / "new", "18.0") / "pg_dump"
    complaint = "pg_dump: error: sslmode value require invalid when SSL support is not compiled in"
    newest.write_text(newest.read_text() + f'[ "$1" = --version ] || echo "{complaint}" >&2\n')
    assert programs.find_pg_dump(160000, "prefer").major == 18
    assert programs.find_pg_dump(160000, "verify-full").major == 16
    with pytest.raises(PgError, match=r"pg_dump 18\.0 cannot connect with sslmode=require") as refused:
        programs.find_pg_dump(170000, "require")
    assert refused.value.sqlstate == "0A000"


def test_a_program_is_asked_once_while_its_file_is_the_same_but_a_script_each_time(
    only_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(programs.subprocess, "run", lambda command, **_: asked.append(command[0]) or SAYS_NOTHING)
    script = program(only_here / "script", "16.4") / "pg_dump"
    (only_here / "binary").mkdir()
    binary = Path(shutil.copy2(sys.executable, only_here / "binary" / "pg_dump"))
    for _ in range(2):
        assert programs.pg_dumps() == []
    assert sorted(asked) == [str(binary), str(script), str(script)]
    os.utime(binary)
    assert programs.pg_dumps() == []
    assert asked.count(str(binary)) == 2


def test_none_at_all(only_here: Path) -> None:
    assert list(only_here.iterdir()) == []
    with pytest.raises(PgError, match="pg_dump was not found") as refused:
        programs.find_pg_dump(170002)
    assert refused.value.sqlstate == "58P01"
