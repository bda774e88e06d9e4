"""The tour of the stubs ends well and shows what it says."""

from __future__ import annotations

import subprocess
import sys

from proxy.launch import clean_environment


def test_the_tour() -> None:
    command = [sys.executable, "-m", "tests.demo.stubs"]
    done = subprocess.run(command, env=clean_environment({}), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    said = ("pgclone_schema_async(unknown, unknown) does not exist", "NOTICE:  job 1", "not ok: pgclone: job 99")
    for shown in (*said, "\n\\d pgclone_jobs_view\n", "\n\\df pgclone*\n"):
        assert shown in done.stdout
    assert done.stdout.count("ERROR:") == 2, "one without stubs, and the one clear error past the proxy"
