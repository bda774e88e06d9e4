"""Fuzzing for a while; and, at each test run, that the targets take their examples."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SECONDS = int(os.environ.get("FUZZ_SECONDS", "10"))
"""For each target."""
LONGEST, MEGABYTES, HANGING = 4096, 1024, 10
"""Of an input; of memory; seconds for one input."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_examples(name: str) -> None:
    for example in (*TARGETS[name].examples, b"", b"\0" * 20, bytes(range(256))):
        TARGETS[name].run(example)


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed (make fuzz)")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found(name: str, tmp_path: Path) -> None:
    limits = (f"-max_total_time={SECONDS}", f"-max_len={LONGEST}", f"-rss_limit_mb={MEGABYTES}", f"-timeout={HANGING}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, *limits, f"-artifact_prefix={tmp_path}/"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
    assert done.returncode == 0, (found, done.stderr[-3000:])
    assert "Done " in done.stderr, done.stderr[-3000:]
