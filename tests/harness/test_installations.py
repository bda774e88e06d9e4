"""Which PostgreSQL is found where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.installations import BIN_DIRS, installations, newest, with_program


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A directory of programs that has a server and nothing for clients, far from everything else."""
    bin_dir = tmp_path / "bare" / "bin"
    bin_dir.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (bin_dir / name).symlink_to(newest().program(name))
    return bin_dir


def test_what_the_environment_names_is_found(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BIN_DIRS, f"/nowhere/bin{os.pathsep}{bare}{os.pathsep}")
    assert bare in [each.bin_dir for each in installations()]
    monkeypatch.delenv(BIN_DIRS)
    assert bare not in [each.bin_dir for each in installations()]


def test_the_newest_lends_its_clients_to_those_without(bare: Path) -> None:
    without = newest()._replace(bin_dir=bare)
    assert with_program("postgres", without) == without
    assert with_program("psql", without).bin_dir != bare
