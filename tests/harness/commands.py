"""The command line of the product, run as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from proxy.launch import clean_environment


def run(*arguments: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `pgclone-proxy` with arguments in a directory; it is not checked."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=directory, env=clean_environment(environment), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
